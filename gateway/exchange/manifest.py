"""Manifests: what a share contains, in two layers.

The *outer* one is signed and in clear: share, recipient, and for each item the digests of header and
body. The *inner* one is an age file to the recipient, pinned by its digest in the outer one: names,
media types, plaintext digests, facts and terms, which would tell a bystander too much.
A recipient checks in this order: signature, that it is meant, digests, decryption, plaintext digest.
"""

from typing import Any

import msgspec

from gateway.exchange.body_parts import BodyParts, check_parts
from gateway.exchange.deposit_acts import Particulars
from gateway.exchange.naming import can_stand_together
from gateway.exchange.parse import build, decode, plain
from gateway.kernel.encoding import hex_sha256, is_hex_digest
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.ids import check_id
from gateway.kernel.signing import Keys, Signer, sign, verify
from gateway.kernel.time import day, instant

TYP = "eg-manifest"


class SealedItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Item *n* as it is pulled: digests and sizes (bytes) of header and body, plaintext size."""

    n: int
    header: str
    header_size: int
    body: str
    body_size: int
    size: int

    def __post_init__(self) -> None:
        if not (is_hex_digest(self.header) and is_hex_digest(self.body)):
            raise ValueError("a digest is 64 lower-case hex digits")
        if min(self.n, self.header_size, self.body_size, self.size) < 0:
            raise ValueError("sizes are not negative")


class Rewrapped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That a share was wrapped anew: for the *n*th time, at what time, in place of which manifest."""

    n: int
    at: str
    replaces: str

    def __post_init__(self) -> None:
        if self.n < 1 or not is_hex_digest(self.replaces):
            raise ValueError("a re-wrap has a number from 1 and the digest of a manifest")
        try:
            instant(self.at)
        except MalformedError as error:
            raise ValueError(str(error)) from None


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The outer manifest. *inner* is the hex SHA-256 of the inner manifest's age file.

    *expires* is the last day on which the share is served; a share without a term has no such member,
    so that a reader who does not know it refuses what he would not honour, and nothing else. The same
    holds for *rewrap*: the first manifest of a share has none, and *issued* stays that of the first.
    """

    v: int
    share: str
    recipient: str
    issued: str
    directory: int
    product: str
    items: tuple[SealedItem, ...]
    inner: str
    expires: str | msgspec.UnsetType = msgspec.UNSET
    rewrap: Rewrapped | msgspec.UnsetType = msgspec.UNSET

    @property
    def sequence(self) -> int:
        """How often the share was wrapped anew when this manifest was made."""
        return self.rewrap.n if isinstance(self.rewrap, Rewrapped) else 0

    def __post_init__(self) -> None:
        try:
            check_id(self.share, "shr")
            check_id(self.recipient, "pty")
            instant(self.issued)
            if isinstance(self.expires, str):
                day(self.expires)
        except MalformedError as error:
            raise ValueError(str(error)) from None
        if self.v != 1 or not self.items:
            raise ValueError("expected a manifest of version 1 with items")
        if [item.n for item in self.items] != list(range(len(self.items))):
            raise ValueError("items are numbered from 0")


class OpenItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Item *n* as its reader sees it."""

    n: int
    particulars: Particulars
    facts: dict[str, Any]


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The inner manifest: what only the recipient reads. *terms* are the merged obligations.

    *parts* are the digests of the parts of bodies that have several; if there are none, no such member.
    """

    share: str
    recipient: str
    items: tuple[OpenItem, ...]
    terms: dict[str, Any]
    basis: dict[str, Any]
    note: str
    parts: tuple[BodyParts, ...] | msgspec.UnsetType = msgspec.UNSET

    def parts_of(self, n: int) -> tuple[str, ...]:
        """Return the digests of the parts of the body of item *n*; none if it has one or none are known."""
        listed = self.parts if isinstance(self.parts, tuple) else ()
        return next((one.sha256 for one in listed if one.n == n), ())


def sign_manifest(manifest: Manifest, signer: Signer) -> bytes:
    """Sign the outer manifest."""
    return sign(TYP, plain(manifest), signer)


def open_manifest(container: bytes, keys: Keys, *, share: str, recipient: str) -> Manifest:
    """Verify the outer manifest and that it speaks of *share* to *recipient*.

    Raises VerificationError for another signer, share or recipient: a genuine manifest of another
    share, replayed, is refused here.
    """
    manifest = build(verify(TYP, container, keys)[0], Manifest)
    if manifest.recipient != recipient:
        raise VerificationError("the manifest is for another recipient")
    if manifest.share != share:
        raise VerificationError("the manifest is of another share")
    return manifest


def check_rewrap(old: Manifest, new: Manifest) -> None:
    """Check that *new* differs from the manifest *old* of the same share by nothing but its headers.

    Raises VerificationError if it is no later one, or speaks of other bodies, terms or items.
    """
    if new.sequence <= old.sequence:
        raise VerificationError("the gateway offers an older manifest for this share than before")
    if _lasting(old) != _lasting(new):
        raise VerificationError("the new manifest of this share changes more than its headers")


def _lasting(manifest: Manifest) -> tuple[object, ...]:
    bodies = tuple((item.n, item.body, item.body_size, item.size) for item in manifest.items)
    return manifest.share, manifest.issued, manifest.product, manifest.expires, bodies


def check_inner_digest(manifest: Manifest, sealed: bytes) -> None:
    """Check the sealed inner manifest against the outer one, before anything is decrypted."""
    if hex_sha256(sealed) != manifest.inner:
        raise VerificationError("the inner manifest is not the one that was signed")


def open_inner(manifest: Manifest, data: bytes) -> Inner:
    """Decode the decrypted inner manifest and check that both layers agree."""
    inner = decode(data, Inner)
    same = (inner.share, inner.recipient) == (manifest.share, manifest.recipient)
    outer_sizes = [(item.n, item.size) for item in manifest.items]
    if not same or [(i.n, i.particulars.size) for i in inner.items] != outer_sizes:
        raise VerificationError("the two layers of the manifest do not agree")
    if not can_stand_together(item.particulars.name for item in inner.items):
        raise VerificationError("two items of the manifest have one name")
    if isinstance(inner.parts, tuple):
        check_parts(inner.parts, [item.body_size for item in manifest.items])
    return inner
