"""The record of a derivation: what the desk made of what, and what it checked; unsigned.

`FILE.derivation.json` beside the derivative, canonical JSON. A person turns it into the signed act
`item.derive` once both files are deposited; until then it is worth nothing to anyone.
"""

from pathlib import Path
from typing import Literal

import msgspec

from gateway.exchange.acts import Derive
from gateway.exchange.derivation_acts import MAX_CHECKS, DerivationCheck
from gateway.exchange.parse import decode, plain
from gateway.kernel.encoding import canonical_json
from gateway.kernel.errors import ConflictError, MalformedError
from gateway.kernel.ids import new_id

SUFFIX = ".derivation.json"
MAX_FILE = 1 << 20  # bytes
MAX_METHOD = 255  # characters
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


def before(path: Path, digest: str) -> Record | None:
    """Return what a file's own record says of it, if it is a derivative. Raises ConflictError if marked."""
    found = find(path)
    if found is None or found.derivative_sha256 != digest:
        return None
    if found.mark != "none":
        raise ConflictError(f"{path.name} is marked already: take the file it was made of")
    return found


def joined(earlier: Record | None, method: str) -> str:
    """Return how a derivative of a derivative was made. Raises ConflictError if it was derived too often."""
    whole = "; ".join([*([earlier.method] if earlier else []), method])
    if len(whole) > MAX_METHOD or (earlier and len(earlier.checks) > MAX_CHECKS // 2):
        raise ConflictError("derived too often already: begin again with the original")
    return whole


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
