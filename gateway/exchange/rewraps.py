"""Re-wrap records: the keyholder's word that it wrapped an item's file key to another vault epoch.

A chain of them leads from the deposit record's vault header to the one of today. Each is signed by a
key of the mechanism for this use alone, and judged by the directory that was in force when it was
entered in the ledger.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from gateway.exchange.bounds import must_be_digest, must_be_id
from gateway.exchange.directory import Directory
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Key, Status, Use
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import UnavailableError, VerificationError
from gateway.kernel.signing import Signer, sign, unverified_payload, verify

TYP = "eg-rewrap"
MOST = 256
"""The most records in a chain: 64 years of quarters."""


class Rewrap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """*item*'s vault header went from digest *old* to *new*, and from epoch *before* to *after*.

    An epoch is named by the hex SHA-256 of its age recipient.
    """

    item: str
    old: str
    new: str
    before: str
    after: str

    def __post_init__(self) -> None:
        must_be_id(self.item, "itm")
        for digest in (self.old, self.new, self.before, self.after):
            must_be_digest(digest)
        if self.before == self.after:
            raise ValueError("a re-wrap leads to another epoch")


@dataclass(frozen=True, slots=True)
class SignedRewrap:
    """A re-wrap record as it was signed, with the exact time its ledger entry states."""

    container: bytes
    logged: datetime


def epoch_of(recipient: str) -> str:
    """Return the name of the vault epoch with this age recipient: hex SHA-256 of its text."""
    return hex_sha256(recipient.encode())


def sign_rewrap(record: Rewrap, signer: Signer) -> bytes:
    """Sign a re-wrap record as the keyholder."""
    return sign(TYP, plain(record), signer)


def active_vault(directory: Directory, now: datetime) -> Key:
    """Return the vault's key that new deposits are sealed to: of the active ones, the last to begin.

    Raises UnavailableError if there is none in force.
    """
    found = directory.mechanism().keys(Use.VAULT, now, Status.ACTIVE)
    if not found:
        raise UnavailableError("the directory names no vault epoch in force: enter and sign one")
    return max(found, key=lambda key: key.not_before)


def vaults(directory: Directory) -> list[Key]:
    """Return every key that the directory has of the vault, whatever its term, the first to begin first."""
    members = directory.mechanism().members
    found = (key for member in members for key in member.keys if key.use is Use.VAULT)
    return sorted(found, key=lambda key: key.not_before)


def first_epoch(directory: Directory) -> str:
    """Return the epoch that items were sealed to before epochs were told apart; empty if there is none."""
    found = vaults(directory)
    return epoch_of(found[0].public) if found else ""


def check_chain(
    item: str,
    deposited: str,
    chain: Sequence[SignedRewrap],
    directory_at: Callable[[datetime], Directory],
) -> str:
    """Return the digest of the vault header that *chain* leads to from the *deposited* one.

    Raises MalformedError or VerificationError for a record that the keyholder did not sign, is about
    another item, or does not begin where the one before it ended.
    """
    if len(chain) > MOST:
        raise VerificationError(f"a chain has at most {MOST} re-wrap records")
    digest = deposited
    for signed in chain:
        keys = rewrap_keys(directory_at(signed.logged), signed.logged)
        digest = check_link(item, digest, signed.container, keys)
    return digest


def path_of(item: str, chain: Sequence[bytes], keys: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return every digest that *item*'s vault header has had from the first record of *chain* on.

    *keys* are those whose records count, whenever they were made: for the keyholder, which knows its own.
    Raises as `check_chain` does.
    """
    if len(chain) > MOST:
        raise VerificationError(f"a chain has at most {MOST} re-wrap records")
    digests = [read_rewrap(one).old for one in chain[:1]]
    for container in chain:
        digests.append(check_link(item, digests[-1], container, keys))
    return tuple(digests)


def check_link(item: str, digest: str, container: bytes, keys: Mapping[str, bytes]) -> str:
    """Return the digest of the header that one record leads to from the header with this *digest*.

    Raises MalformedError or VerificationError, as `check_chain` does.
    """
    record = build(verify(TYP, container, keys)[0], Rewrap)
    if record.item != item:
        raise VerificationError("a re-wrap record is about another item")
    if record.old != digest:
        raise VerificationError("the re-wrap records do not lead from one header to the next")
    return record.new


def standing_rewrap_keys(directory: Directory) -> dict[str, bytes]:
    """Return the keys that count for a chain, whatever their term has been: not revoked, nor to come."""
    members = directory.mechanism().members
    return {
        key.kid: key.raw()
        for member in members
        for key in member.keys
        if key.use is Use.REWRAP and key.status in (Status.ACTIVE, Status.RETIRED)
    }


def rewrap_keys(directory: Directory, now: datetime) -> dict[str, bytes]:
    """Return the keys whose re-wrap records count, by thumbprint: active and retired ones."""
    return directory.verify_keys(directory.mechanism(), Use.REWRAP, now)


def read_rewrap(container: bytes) -> Rewrap:
    """Return what a re-wrap record says, whoever signed it."""
    return build(unverified_payload(container), Rewrap)
