"""Leaves: 405 bytes of salted commitments that tell nothing until they are opened.

u8 version (1) ‖ 16-byte entry id ‖ u32 hour since 1970 (big endian) ‖ 12 slots of 32 bytes. A slot is
HMAC-SHA256(32-byte random salt, entry id ‖ u8 slot ‖ u16 length of name ‖ name ‖ canonical JSON of
the value); an unused slot is random, so that nobody sees which are used.
"""

import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from gateway.kernel.encoding import Json, b64url, canonical_json, parse_json, un_b64url
from gateway.kernel.errors import MalformedError, VerificationError

VERSION = 1
SLOTS = 12
SALT = 32
ENTRY_ID = 16
_HEAD = 1 + ENTRY_ID + 4
LEAF = _HEAD + SLOTS * 32  # 405 bytes


class Slot(IntEnum):
    """The slots of leaf version 1, by place. A spare one is kept for what nobody thought of."""

    KIND = 0
    TIME = 1
    ACTOR = 2
    ORDER = 3
    SUBJECT = 4
    RECIPIENT = 5
    ITEMS = 6
    DECISION = 7
    OUTCOME = 8
    CAUSE = 9
    CONTENT = 10
    SPARE = 11

    @property
    def label(self) -> str:
        """The name under which the slot is committed and opened."""
        return self.name.lower()


_BY_LABEL = {slot.label: slot for slot in Slot}
# u8 slot ‖ u16 length of name ‖ name, as every commitment has it.
_NAMED = {
    slot: bytes([slot]) + len(slot.name).to_bytes(2, "big") + slot.label.encode() for slot in Slot
}


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens one slot."""

    salt: bytes = field(repr=False)  # with the value it would undo the commitment in any log line
    value: Json = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.salt) != SALT:
            raise MalformedError(f"a salt has {SALT} bytes")


Openings = Mapping[Slot, Opening]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf taken apart."""

    entry_id: bytes
    hour: int
    slots: tuple[bytes, ...]


def commit(entry_id: bytes, hour: int, values: Mapping[Slot, Json]) -> tuple[bytes, Openings]:
    """Make the leaf that commits to *values*, and what opens it. Raises MalformedError."""
    if len(entry_id) != ENTRY_ID or not 0 <= hour < 2**32:
        raise MalformedError("an entry has an id of 16 bytes and an hour of 32 bits")
    # One call draws everything random here: salts of used slots, contents of unused ones.
    drawn = secrets.token_bytes(SALT * SLOTS)
    slots = [drawn[SALT * i : SALT * (i + 1)] for i in range(SLOTS)]
    openings = {slot: Opening(slots[slot], value) for slot, value in values.items()}
    for slot, opening in openings.items():
        slots[slot] = _commitment(entry_id, slot, opening)
    head = bytes([VERSION]) + entry_id + hour.to_bytes(4, "big")
    return head + b"".join(slots), openings


def parse_leaf(leaf: bytes) -> Leaf:
    """Take a leaf apart. Raises MalformedError."""
    if len(leaf) != LEAF or leaf[0] != VERSION:
        raise MalformedError("not a leaf of version 1")
    slots = tuple(leaf[i : i + 32] for i in range(_HEAD, LEAF, 32))
    hour = int.from_bytes(leaf[1 + ENTRY_ID : _HEAD], "big")
    return Leaf(leaf[1 : 1 + ENTRY_ID], hour, slots)


def check_openings(leaf: bytes, openings: Openings) -> None:
    """Check that *openings* open slots of this very leaf. Raises VerificationError."""
    parsed = parse_leaf(leaf)
    for slot, opening in openings.items():
        made = _commitment(parsed.entry_id, slot, opening)
        if not hmac.compare_digest(made, parsed.slots[slot]):
            raise VerificationError(f"the opening of slot {slot.label} does not hold")


def encode_openings(openings: Openings) -> bytes:
    """Write openings as canonical JSON: `{label: [salt, value]}`."""
    return canonical_json({s.label: [b64url(o.salt), o.value] for s, o in openings.items()})


def decode_openings(data: bytes) -> dict[Slot, Opening]:
    """Read openings. Raises MalformedError."""
    value = parse_json(data)
    if not isinstance(value, dict):
        raise MalformedError("openings are a JSON object")
    return dict(_decode_one(label, pair) for label, pair in value.items())


def only(openings: Openings, slots: Iterable[Slot]) -> dict[Slot, Opening]:
    """Return the openings of *slots* alone: what one audience may open."""
    return {slot: openings[slot] for slot in slots if slot in openings}


def _decode_one(label: str, pair: Json) -> tuple[Slot, Opening]:
    slot = _BY_LABEL.get(label)
    if slot is None or not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
        raise MalformedError("not an opening", field=f"/{label}")
    return slot, Opening(un_b64url(pair[0], size=SALT), pair[1])


def _commitment(entry_id: bytes, slot: Slot, opening: Opening) -> bytes:
    said = entry_id + _NAMED[slot] + canonical_json(opening.value)
    return hmac.digest(opening.salt, said, "sha256")
