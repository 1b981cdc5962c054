"""Input beyond what the formats allow is refused by a gateway error, never by a stray one."""

from collections.abc import Callable

import pytest

from gateway.kernel.encoding import b64
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.signing import KeySigner
from gateway.ledger import (
    EMPTY_ROOT,
    Checkpoint,
    Edge,
    Opening,
    Slot,
    Verifier,
    commit,
    inclusion_path,
    leaf_hash,
    open_checkpoint,
    open_note,
    parse_proof,
    parse_verifier,
    seal,
    sign_note,
    verify_consistency,
    verify_inclusion,
)
from gateway.ledger.proof import Proof

SIGNER = KeySigner.generate()
LOG = Verifier("gateway.example/ledger", SIGNER.public_key)
LEAF = leaf_hash(b"entry")
CHECKPOINT = Checkpoint(LOG.name, 1, LEAF).sign(SIGNER)
PROOF = Proof(0, (), CHECKPOINT).render()
HUGE = 2**63


@pytest.mark.parametrize(
    "refused",
    [
        lambda: parse_proof(PROOF.replace("index 0", "index " + "1" * 5000)),
        lambda: parse_proof(PROOF.replace("index 0", f"index {HUGE}")),
        lambda: parse_proof(PROOF.replace("index 0", "extra AAAA\nindex 0")),
        lambda: parse_proof(PROOF + "\ud800"),
        lambda: parse_verifier("\ud800" + str(LOG)),
        lambda: sign_note("\ud800\n", LOG.name, SIGNER),
        lambda: open_note(CHECKPOINT + "\u2014 a\x01b AAAAAAA=\n".encode(), [LOG]),
        lambda: open_checkpoint(Checkpoint(LOG.name, HUGE, LEAF).sign(SIGNER), LOG),
        lambda: open_checkpoint(Checkpoint(LOG.name, 0, LEAF).sign(SIGNER), LOG),
        lambda: commit(b"short", 1, {}),
        lambda: commit(bytes(16), 2**32, {}),
        lambda: commit(bytes(16), -1, {}),
        lambda: Opening(b"short", 1),
        lambda: Edge().append(b"short"),
        lambda: seal(b"data", b"short"),
    ],
)
def test_what_no_format_allows_is_malformed(refused: Callable[[], object]) -> None:
    with pytest.raises(MalformedError):
        refused()


def test_an_empty_log_can_state_its_head() -> None:
    note = Checkpoint(LOG.name, 0, EMPTY_ROOT).sign(SIGNER)
    assert open_checkpoint(note, LOG) == Checkpoint(LOG.name, 0, EMPTY_ROOT)


def test_sizes_beyond_63_bits_prove_nothing() -> None:
    with pytest.raises(VerificationError):
        verify_inclusion(LEAF, 0, HUGE, [LEAF] * 63, LEAF)
    with pytest.raises(VerificationError):
        verify_consistency(HUGE, HUGE, [], LEAF, LEAF)


def test_a_second_signature_by_a_known_key_condemns_the_note() -> None:
    line = f"\u2014 {LOG.name} {b64(LOG.key_hash + bytes(64))}\n".encode()
    for again in (line, CHECKPOINT.splitlines(keepends=True)[-1]):
        with pytest.raises(VerificationError):
            open_note(CHECKPOINT + again, [LOG])


@pytest.mark.parametrize(("levels", "size"), [([[LEAF]], 700), ([[], [LEAF, LEAF]], 256), ([], 1)])
def test_an_edge_that_does_not_fit_its_size_is_not_taken_up(
    levels: list[list[bytes]], size: int
) -> None:
    with pytest.raises(VerificationError):
        Edge(levels, size)


def test_a_fork_of_an_edge_grows_apart_from_it() -> None:
    edge, straight = Edge(), Edge()
    for number in range(255):
        edge.append(leaf_hash(b"%d" % number))
        straight.append(leaf_hash(b"%d" % number))
    fork = edge.fork()
    for tree in (fork, straight):
        tree.append(LEAF)
        tree.append(LEAF)
    assert (edge.size, edge.take_full()) == (255, [])
    assert (fork.root(), fork.partial()) == (straight.root(), straight.partial())
    assert fork.fork().take_full() == straight.take_full()


def test_a_tile_cut_short_is_not_hashed() -> None:
    with pytest.raises(VerificationError):
        inclusion_path(0, 5, lambda level, n: LEAF)


def test_an_opening_does_not_show_itself() -> None:
    _, openings = commit(bytes(16), 1, {Slot.ACTOR: "secret"})
    assert repr(openings[Slot.ACTOR]) == "Opening()"
