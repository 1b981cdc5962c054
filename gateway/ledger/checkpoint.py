"""Checkpoints (c2sp.org/tlog-checkpoint): origin, size and root of a log, as a signed note."""

import re
from dataclasses import dataclass

from gateway.kernel.encoding import b64, un_b64
from gateway.kernel.errors import MalformedError
from gateway.kernel.signing import Signer
from gateway.ledger.note import Verifier, open_note, sign_note

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


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
    if len(lines) != 4 or lines[0] != verifier.name or not _SIZE.fullmatch(lines[1]):
        raise MalformedError("not a checkpoint of this log")
    return Checkpoint(lines[0], int(lines[1]), un_b64(lines[2], size=32))
