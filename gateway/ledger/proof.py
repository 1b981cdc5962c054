"""Proofs that travel (c2sp.org/tlog-proof): an inclusion path with the checkpoint it leads to."""

from dataclasses import dataclass

from gateway.kernel.encoding import b64, un_b64
from gateway.kernel.errors import MalformedError
from gateway.ledger.checkpoint import Checkpoint, open_checkpoint, parse_size
from gateway.ledger.merkle import HASH, leaf_hash, verify_inclusion
from gateway.ledger.note import Verifier

_INTRO = "c2sp.org/tlog-proof@v1"
_MAX_PATH = 63  # no tree of less than 2**63 entries is higher


@dataclass(frozen=True, slots=True)
class Proof:
    """Entry *index* stands in the tree of the signed *checkpoint*, by *path*."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def render(self) -> str:
        """Write the proof as text."""
        path = "".join(f"{b64(node)}\n" for node in self.path)
        return f"{_INTRO}\nindex {self.index}\n{path}\n{self.checkpoint.decode()}"


def parse_proof(text: str) -> Proof:
    """Read a proof. Raises MalformedError, also for the `extra` line, which nothing authenticates."""
    head, separator, checkpoint = text.partition("\n\n")
    intro, _, rest = head.partition("\n")
    first, *nodes = rest.split("\n")
    word, _, number = first.partition(" ")
    if intro != _INTRO or word != "index" or not separator or len(nodes) > _MAX_PATH:
        raise MalformedError("not a proof of version 1")
    path = tuple(un_b64(node, size=HASH) for node in nodes)
    try:
        return Proof(parse_size(number), path, checkpoint.encode())
    except UnicodeEncodeError:
        raise MalformedError("text is not valid Unicode") from None


def verify_proof(leaf: bytes, proof: Proof, verifier: Verifier) -> Checkpoint:
    """Return the checkpoint under which *leaf* is proved to stand.

    The checkpoint's signature comes first: a proof that brings its own root proves nothing.
    Raises MalformedError or VerificationError.
    """
    checkpoint = open_checkpoint(proof.checkpoint, verifier)
    verify_inclusion(leaf_hash(leaf), proof.index, checkpoint.size, proof.path, checkpoint.root)
    return checkpoint
