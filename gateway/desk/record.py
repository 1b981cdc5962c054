"""The record of a derivation: what the desk made of what, and what it checked; unsigned.

`FILE.derivation.json` beside the derivative, canonical JSON. A person turns it into the signed act
`item.derive` once both files are deposited; until then it is worth nothing to anyone.
"""

from pathlib import Path
from typing import Literal

import msgspec

from gateway.exchange.acts import Derive
from gateway.exchange.derivation_acts import DerivationCheck
from gateway.exchange.parse import decode, plain
from gateway.kernel.encoding import canonical_json
from gateway.kernel.errors import MalformedError
from gateway.kernel.ids import new_id

SUFFIX = ".derivation.json"
MAX_FILE = 1 << 20  # bytes
Mark = Literal["none", "visible", "forensic"]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Version 1. *plan* covers plan and original together: it tells nothing to who has not both."""

    v: Literal[1]
    original_sha256: str
    derivative_sha256: str
    method: str
    removed: tuple[str, ...]
    mark: Mark
    recipient: str | None
    checks: tuple[DerivationCheck, ...]
    plan: str


def place(derivative: Path) -> Path:
    """Return where the record of a derivative stands."""
    return derivative.with_name(derivative.name + SUFFIX)


def spelt(record: Record) -> bytes:
    """Return a record's bytes."""
    return canonical_json(plain(record)) + b"\n"


def read(path: Path) -> Record:
    """Read a record. Raises MalformedError."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise MalformedError(f"{path.name} is too large for a record of a derivation")
        return decode(path.read_bytes().strip(), Record)
    except OSError:
        raise MalformedError(f"there is no record {path.name} that can be read") from None


def find(derivative: Path) -> Record | None:
    """Return the record that stands beside a derivative, if there is one."""
    path = place(derivative)
    return read(path) if path.exists() else None


def act_of(record: Record, original: str, item: str) -> Derive:
    """Return the act that attests *record*, for the two deposited items. Raises ValueError."""
    return Derive(
        id=new_id("drv"),
        item=item,
        item_sha256=record.derivative_sha256,
        original=original,
        original_sha256=record.original_sha256,
        method=record.method,
        removed=record.removed,
        mark=record.mark,
        recipient=record.recipient,
        checks=record.checks,
    )
