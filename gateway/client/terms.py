"""The terms of a share on the recipient's side: read before anything else, shown, kept, signed.

The endpoint reads them from the inner manifest and writes them to a file; the officer, who holds no key
that opens the manifest, signs what stands in that file. The gateway takes her signature only if it is
under the very terms and manifest that it released.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.client.session import Session
from gateway.exchange.manifest import Inner, Manifest
from gateway.exchange.parse import decode, plain
from gateway.exchange.terms import SignedTerms, last_day, sign_terms, terms_digest, to_be_signed
from gateway.kernel.encoding import canonical_json
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.ids import new_id
from gateway.kernel.time import instant, spell

_JSON = {"Content-Type": "application/json"}
_WORDS: dict[str, dict[str, str]] = {
    "onward": {
        "allowed": "allowed",
        "with_consent": "only with the mechanism's consent",
        "prohibited": "prohibited",
    },
    "terms": {
        "told": "bind by being read",
        "signed": "bind by an officer's signature, before which nothing is served",
    },
}
_MET = frozenset({"approval", "consultation", "assurance"})
_NAMES = {
    "handling": "handling (TLP)",
    "onward": "onward sharing",
    "purposes": "use only for the purposes",
    "expiry_days": "days for which the share is served",
    "terms": "these terms",
}


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The terms of one share, as they are written beside what is pulled. *manifest* is its digest."""

    share: str
    manifest: str
    terms: dict[str, Any]
    expires: str | None

    @property
    def to_be_signed(self) -> bool:
        """Tell whether an officer has to sign them."""
        return to_be_signed(self.terms)

    def words(self) -> list[str]:
        """Return the terms for people, a line each."""
        lines = [f"{_NAMES.get(kind, kind)}: {_say(kind, term)}" for kind, term in self._binding()]
        lines += [f"served until: {self.expires} (UTC)"] if self.expires else []
        return lines or ["there are no terms"]

    def _binding(self) -> Iterable[tuple[str, Any]]:
        """Leave out what the mechanism met before the release: it asks nothing of the reader."""
        return ((kind, term) for kind, term in sorted(self.terms.items()) if kind not in _MET)


def _say(kind: str, term: Any) -> str:
    if isinstance(term, list):
        return ", ".join(str(word) for word in term)
    return _WORDS.get(kind, {}).get(str(term), str(term))


def told(manifest: Manifest, digest: str, inner: Inner) -> Told:
    """Return the terms of a verified manifest.

    Raises VerificationError if it states another last day than follows from its terms. One from before
    manifests did so states none.
    """
    expires = last_day(inner.terms, instant(manifest.issued))
    if isinstance(manifest.expires, str) and manifest.expires != expires:
        raise VerificationError("the manifest states another last day than its terms")
    return Told(manifest.share, digest, inner.terms, expires)


def write(said: Told, path: Path) -> None:
    """Write terms to a file, as canonical JSON."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(canonical_json(plain(said)) + b"\n")


def read(path: Path) -> Told:
    """Read what `write` wrote. Raises MalformedError."""
    try:
        data = path.read_bytes()
    except OSError:
        raise MalformedError(f"{path.name} cannot be read") from None
    return decode(data.strip(), Told)


async def sign(session: Session, said: Told) -> str:
    """Sign terms as an officer and send that; return the digest that was signed.

    What was signed is kept: the same again, after an answer that got lost, is sent as it was.
    """
    digest = terms_digest(said.terms)

    def make() -> bytes:
        acceptance = SignedTerms(
            v=1,
            id=new_id("trm"),
            share=said.share,
            manifest=said.manifest,
            terms=digest,
            accepted=True,
            by=session.folder.profile.actor,
            at=spell(datetime.now(UTC)),
        )
        return sign_terms(acceptance, session.folder.message_signer())

    await session.send_once(f"/v1/shares/{said.share}/terms", make, said.manifest, digest)
    return digest
