"""The newest checkpoint on another volume, and the gate that compares it at start.

A log checked only against itself does not see a cut tail or a restored backup. This copy does, as
long as it does not share the fate of the database.
"""

import os
from pathlib import Path

from sqlalchemy import Connection

from gateway.kernel.errors import GatewayError
from gateway.ledger import Verifier, open_checkpoint
from gateway.store import ledger


class HeadCopy:
    """A file that holds a signed checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> bytes | None:
        """Return the checkpoint, or None if there is none."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def write(self, note: bytes) -> None:
        """Replace the checkpoint, atomically and durably."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(self.path.name + ".new")
        with temporary.open("wb") as handle:
            handle.write(note)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def quarantine_reason(conn: Connection, copy: HeadCopy, verifier: Verifier) -> str | None:
    """Return why the ledger must not be written, or None.

    No file and an empty log is a beginning; no file and a log with entries is not. A new instance has
    a copy of the empty log.
    """
    note = copy.read()  # before the ledger, which may grow meanwhile, and the copy with it
    size, _ = ledger.head(conn)
    if note is None:
        return "the copy of the ledger head is missing" if size else None
    try:
        seen = open_checkpoint(note, verifier)
    except GatewayError:
        return "the copy of the ledger head is not a checkpoint of this log"
    if seen.size > size:
        return f"the ledger has {size} entries, and once had {seen.size}"
    if seen.size and ledger.root_at(conn, seen.size) != seen.root:
        return f"the first {seen.size} entries are not the ones that were published"
    return None
