"""The ledger: an RFC 6962 Merkle log in the C2SP formats, whose leaves are salted commitments."""

from gateway.ledger.checkpoint import Checkpoint, open_checkpoint
from gateway.ledger.leaf import (
    Leaf,
    Opening,
    Openings,
    Slot,
    check_openings,
    commit,
    decode_openings,
    encode_openings,
    only,
    parse_leaf,
)
from gateway.ledger.merkle import (
    EMPTY_ROOT,
    HASH,
    WIDTH,
    Edge,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from gateway.ledger.note import Verifier, open_note, parse_verifier, sign_note
from gateway.ledger.proof import Proof, parse_proof, verify_proof
from gateway.ledger.sealing import new_key, seal, unseal

__all__ = [
    "EMPTY_ROOT",
    "HASH",
    "WIDTH",
    "Checkpoint",
    "Edge",
    "Leaf",
    "Opening",
    "Openings",
    "Proof",
    "Slot",
    "Verifier",
    "check_openings",
    "commit",
    "consistency_path",
    "decode_openings",
    "encode_openings",
    "inclusion_path",
    "leaf_hash",
    "new_key",
    "only",
    "open_checkpoint",
    "open_note",
    "parse_leaf",
    "parse_proof",
    "parse_verifier",
    "root_of",
    "seal",
    "sign_note",
    "unseal",
    "verify_consistency",
    "verify_inclusion",
    "verify_proof",
]
