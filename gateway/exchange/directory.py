"""The trust directory: a signed set of parties, and views of it that name nobody else.

The signature covers `{number, issued, expires, root}`. *root* is the RFC 6962 tree hash over 4,096
places. A party stands at a random place as `sha256(0x00 ‖ salt ‖ canonical JSON)`; an empty place
holds random bytes. A view is the signed object with some entries, their salts and their paths: it
proves them and shows neither who else there is nor how many.
"""

import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import msgspec

from gateway.exchange.parse import build, decode, plain
from gateway.exchange.parties import Key, Kind, Member, Party, Second, Status, Use
from gateway.kernel.encoding import b64url, canonical_json, sha256, un_b64url
from gateway.kernel.errors import MalformedError, NotFoundError, VerificationError
from gateway.kernel.signing import Pair, Signer, sign, unverified_payload, verify
from gateway.kernel.time import instant, spell

TYP = "eg-directory"
DEPTH = 12
PLACES = 1 << DEPTH


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the custodians sign."""

    number: int
    issued: str
    expires: str
    root: str


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One party with what proves that it stands in the set."""

    place: int
    salt: str
    party: Party
    path: tuple[str, ...]


class View(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed statement with some of its entries."""

    signed: str
    entries: tuple[Entry, ...]


class Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole set, as only the mechanism holds it. *seed* derives places, salts and fillers."""

    signed: str
    seed: str
    parties: tuple[Party, ...]


class Root(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pinned trust root: whose signatures make a directory, and how many of them it takes."""

    keys: tuple[Key, ...]
    threshold: int

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= len({key.kid for key in self.keys}):
            raise ValueError("the threshold is between 1 and the number of keys")

    def verify(self, container: bytes) -> Statement:
        """Return the statement that enough root keys signed. Raises VerificationError.

        A second signature is due unless the statement expires before it is mandatory: the time of
        issue could be an invention, to expire early helps nobody.
        """
        said = build(unverified_payload(container), Statement)
        end = instant(said.expires)
        known = {key.kid: key.checking(end) for key in self.keys if key.status is Status.ACTIVE}
        return build(verify(TYP, container, known, threshold=self.threshold)[0], Statement)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person or service, of a party, by one key."""

    member: Member
    party: Party
    key: Key

    @property
    def id(self) -> str:
        """The id of the person or service."""
        return self.member.id


@dataclass(frozen=True, slots=True)
class Directory:
    """Verified parties of one set number, whole or as a view shows them."""

    number: int
    issued: datetime
    expires: datetime
    digest: str
    parties: tuple[Party, ...]
    _by_kid: dict[str, Actor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found: dict[str, Actor] = {}
        ids, seconds = set[str](), set[str]()
        for party in self.parties:
            for name in (party.id, party.short, *(member.id for member in party.members)):
                if name in ids:
                    raise MalformedError(f"{name} stands twice in the directory")
                ids.add(name)
            _enter_keys(party, found, seconds)
        object.__setattr__(self, "_by_kid", found)

    def party(self, name: str) -> Party:
        """Return the party with this id or short name. Raises NotFoundError."""
        for party in self.parties:
            if name in (party.id, party.short):
                return party
        raise NotFoundError("no such party in the directory")

    def mechanism(self) -> Party:
        """Return the mechanism. Raises NotFoundError."""
        for party in self.parties:
            if party.kind is Kind.MECHANISM:
                return party
        raise NotFoundError("the directory names no mechanism")

    def actor(self, kid: str) -> Actor | None:
        """Return who owns the key, whatever its status."""
        return self._by_kid.get(kid)

    def actors(self) -> Mapping[str, Actor]:
        """Return who owns each key, by its id, whatever its status."""
        return MappingProxyType(self._by_kid)

    def member(self, member_id: str) -> Member:
        """Return a person or service by id. Raises NotFoundError."""
        for party in self.parties:
            for member in party.members:
                if member.id == member_id:
                    return member
        raise NotFoundError("no such person or service in the directory")

    def expired(self, now: datetime) -> bool:
        """Tell whether the set is out of date: releases and pulls stop, recalls and receipts do not."""
        return now >= self.expires

    def verify_keys(
        self, party: Party, use: Use, now: datetime, *, seen: datetime | None = None
    ) -> dict[str, bytes | Pair]:
        """Return the signing keys of *party* for *use* that count, retired ones included.

        Whether second signatures are due is judged by when the thing was *seen*: now, if not stated.
        """
        keys = party.keys(use, now, Status.ACTIVE, Status.RETIRED)
        return {key.kid: key.checking(seen or now) for key in keys}


def _enter_keys(party: Party, found: dict[str, Actor], seconds: set[str]) -> None:
    for member in party.members:
        for key in member.keys:
            second = key.second.public if isinstance(key.second, Second) else None
            if key.kid in found or second in seconds:
                raise MalformedError(
                    f"a key of {member.id} already belongs to another use or person"
                )
            found[key.kid] = Actor(member, party, key)
            if second is not None:
                seconds.add(second)


def make_set(
    parties: Sequence[Party],
    *,
    number: int,
    issued: datetime,
    expires: datetime,
    signers: Sequence[Signer],
) -> Set:
    """Place the parties at random and sign the set. Raises MalformedError if it would not verify."""
    if len(parties) > PLACES // 4:
        raise MalformedError(f"a directory holds at most {PLACES // 4} parties")
    Directory(number, issued, expires, "", tuple(parties))
    seed = secrets.token_bytes(32)
    root = _tree(_leaves(seed, parties))[-1][0]
    statement = Statement(number, spell(issued), spell(expires), b64url(root))
    return Set(sign(TYP, plain(statement), *signers).decode(), b64url(seed), tuple(parties))


def open_set(data: bytes, root: Root) -> Directory:
    """Verify a whole set. Raises MalformedError or VerificationError."""
    made = decode(data, Set)
    statement = root.verify(made.signed.encode())
    tree = _tree(_leaves(un_b64url(made.seed, size=32), made.parties))
    if b64url(tree[-1][0]) != statement.root:
        raise VerificationError("the parties are not the ones that were signed")
    return _directory(made.signed, statement, made.parties)


def view_of(data: bytes, party_ids: Iterable[str]) -> View:
    """Cut the view that shows only *party_ids* out of a whole set."""
    made = decode(data, Set)
    seed = un_b64url(made.seed, size=32)
    tree = _tree(_leaves(seed, made.parties))
    places = _places(seed, made.parties)
    wanted = set(party_ids)
    entries = [
        Entry(
            places[i], b64url(_salt(seed, party)), party, tuple(map(b64url, _path(tree, places[i])))
        )
        for i, party in enumerate(made.parties)
        if party.id in wanted
    ]
    return View(made.signed, tuple(entries))


def open_view(data: bytes, root: Root) -> Directory:
    """Verify a view. Raises MalformedError or VerificationError."""
    view = decode(data, View)
    statement = root.verify(view.signed.encode())
    expected = un_b64url(statement.root, size=32)
    for entry in view.entries:
        if _climb(entry) != expected:
            raise VerificationError("an entry does not belong to the signed directory")
    return _directory(view.signed, statement, tuple(entry.party for entry in view.entries))


def _directory(signed: str, statement: Statement, parties: tuple[Party, ...]) -> Directory:
    digest = sha256(signed.encode()).hex()
    issued, expires = instant(statement.issued), instant(statement.expires)
    return Directory(statement.number, issued, expires, digest, parties)


def _leaf(salt: bytes, party: Party) -> bytes:
    return sha256(b"\x00" + salt + canonical_json(plain(party)))


def _salt(seed: bytes, party: Party) -> bytes:
    return hmac.digest(seed, b"salt\x00" + party.id.encode(), "sha256")


def _places(seed: bytes, parties: Sequence[Party]) -> list[int]:
    """Draw a place for each party; HMAC-SHA256 as a PRF, the next candidate on a collision."""
    taken: list[int] = []
    for party in parties:
        attempt = 0
        while True:
            label = b"place\x00" + party.id.encode() + attempt.to_bytes(4, "big")
            place = int.from_bytes(hmac.digest(seed, label, "sha256")[:4], "big") % PLACES
            if place not in taken:
                taken.append(place)
                break
            attempt += 1
    return taken


def _leaves(seed: bytes, parties: Sequence[Party]) -> list[bytes]:
    leaves = [
        hmac.digest(seed, b"empty\x00" + i.to_bytes(4, "big"), "sha256") for i in range(PLACES)
    ]
    for place, party in zip(_places(seed, parties), parties, strict=True):
        leaves[place] = _leaf(_salt(seed, party), party)
    return leaves


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def _tree(leaves: list[bytes]) -> list[list[bytes]]:
    levels = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([_node(below[i], below[i + 1]) for i in range(0, len(below), 2)])
    return levels


def _path(tree: list[list[bytes]], place: int) -> list[bytes]:
    return [tree[level][(place >> level) ^ 1] for level in range(DEPTH)]


def _climb(entry: Entry) -> bytes:
    if not 0 <= entry.place < PLACES or len(entry.path) != DEPTH:
        raise VerificationError("an entry does not belong to the signed directory")
    node = _leaf(un_b64url(entry.salt, size=32), entry.party)
    for level, text in enumerate(entry.path):
        other = un_b64url(text, size=32)
        node = _node(other, node) if (entry.place >> level) & 1 else _node(node, other)
    return node
