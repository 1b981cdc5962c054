"""Checkpoints (c2sp.org/tlog-checkpoint): origin, size and root of a log, as a signed note."""

import re
from dataclasses import dataclass

from gateway.kernel.encoding import b64, un_b64
from gateway.kernel.errors import MalformedError
from gateway.kernel.signing import Signer
from gateway.ledger.merkle import EMPTY_ROOT, HASH, MAX_SIZE
from gateway.ledger.note import Verifier, open_note, sign_note

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


def parse_size(text: str) -> int:
    """Read a decimal number below 2**63 in its one spelling. Raises MalformedError."""
    if not _SIZE.fullmatch(text) or int(text) > MAX_SIZE:
        raise MalformedError("not a number of entries")
    return int(text)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits to: its first *size* entries hash to *root* (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The body of the note."""
        return f"{self.origin}\n{self.size}\n{b64(self.root)}\n"

    def sign(self, signer: Signer) -> bytes:
        """Sign as the log, whose key name is its origin."""
        return sign_note(self.text, self.origin, signer)


def open_checkpoint(note: bytes, verifier: Verifier) -> Checkpoint:
    """Verify a checkpoint of the log *verifier*. Raises MalformedError or VerificationError.

    Extension lines are refused: this log makes none, and they would not be audited.
    """
    lines = open_note(note, [verifier]).split("\n")
    if len(lines) != 4 or lines[0] != verifier.name:
        raise MalformedError("not a checkpoint of this log")
    size, root = parse_size(lines[1]), un_b64(lines[2], size=HASH)
    if size == 0 and root != EMPTY_ROOT:
        raise MalformedError("an empty log has another root")
    return Checkpoint(lines[0], size, root)
