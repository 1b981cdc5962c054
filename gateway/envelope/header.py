"""Headers: a file key wrapped to the keys of one recipient, under a MAC of that file key."""

import hmac
from collections.abc import Iterable, Sequence

from gateway.envelope.keys import Identity, Recipient, hkdf
from gateway.envelope.stanza import INTRO, Parsed, b64, parse
from gateway.kernel.errors import MalformedError, VerificationError

MAX_RECIPIENTS = 8
NO_MATCH = "no identity matches"
"""What is said of a header that is sound as far as one can tell, and for other keys."""


def wrap(file_key: bytes, recipients: Sequence[Recipient]) -> bytes:
    """Return a header with one stanza per recipient.

    Raises MalformedError for none, too many, or recipients of different suites: the weaker would
    set the strength of the whole.
    """
    if not 0 < len(recipients) <= MAX_RECIPIENTS:
        raise MalformedError(f"a header is for 1 to {MAX_RECIPIENTS} keys")
    if len({recipient.suite for recipient in recipients}) != 1:
        raise MalformedError("a header is of one suite")
    covered = INTRO + b"".join(r.wrap(file_key).encode() for r in recipients) + b"---"
    return covered + b" " + b64(_mac(file_key, covered)) + b"\n"


def unwrap(data: bytes, identities: Iterable[Identity]) -> bytes:
    """Return the file key of the header that *data* begins with.

    Raises MalformedError for a bad header, VerificationError if no identity matches or the MAC
    does not hold.
    """
    parsed = parse(data)
    file_key = _match(parsed, identities)
    if not hmac.compare_digest(_mac(file_key, parsed.covered), parsed.mac):
        raise VerificationError("header MAC does not hold")
    return file_key


def _match(parsed: Parsed, identities: Iterable[Identity]) -> bytes:
    """Try every stanza with every identity, so that a malformed one is found wherever it stands."""
    if len(parsed.stanzas) > 1 and any(s.args[0] == b"scrypt" for s in parsed.stanzas):
        raise MalformedError("a passphrase stanza stands alone")
    found: bytes | None = None
    for identity in identities:
        for stanza in parsed.stanzas:
            key = identity.unwrap(stanza)
            found = key if found is None else found
    if found is None:
        raise VerificationError(NO_MATCH)
    return found


def _mac(file_key: bytes, covered: bytes) -> bytes:
    return hmac.digest(hkdf(file_key, b"", b"header"), covered, "sha256")
