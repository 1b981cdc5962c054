"""Laws of the tree, and the attacks on it."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.errors import VerificationError
from gateway.ledger import (
    EMPTY_ROOT,
    WIDTH,
    Edge,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)


class Tree:
    """A whole tree in memory: the edge and every full tile it gave out."""

    def __init__(self, size: int) -> None:
        self.edge = Edge()
        self.leaves = [leaf_hash(str(i).encode()) for i in range(size)]
        self.tiles: dict[tuple[int, int], bytes] = {}
        for leaf in self.leaves:
            self.edge.append(leaf)
            self.tiles.update({(lv, n): data for lv, n, data in self.edge.take_full()})

    def get(self, level: int, n: int) -> bytes:
        return self.tiles[level, n] if (level, n) in self.tiles else self.edge.partial()[level]


BIG = Tree(66_000)


def naive(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01" + naive(leaves[:k]) + naive(leaves[k:])).digest()


sizes = st.one_of(
    st.integers(1, 70), st.sampled_from([255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537])
)


@given(size=sizes, data=st.data())
def test_every_entry_has_a_proof_that_only_it_satisfies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = root_of(size, BIG.get)
    path = inclusion_path(index, size, BIG.get)
    verify_inclusion(BIG.leaves[index], index, size, path, root)
    for forged in (
        (leaf_hash(b"forged"), index, size, path, root),
        (BIG.leaves[index], index + size, size, path, root),
        (BIG.leaves[index], index, size, [*path, root], root),
        (BIG.leaves[index], index, size, path, leaf_hash(b"other root")),
        (BIG.leaves[index], index, size, path, root[:31]),
    ):
        with pytest.raises(VerificationError):
            verify_inclusion(*forged)


@given(new=sizes, data=st.data())
def test_any_two_heads_of_one_log_are_consistent_and_a_fork_is_not(
    new: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, new))
    roots = root_of(old, BIG.get), root_of(new, BIG.get)
    path = consistency_path(old, new, BIG.get)
    verify_consistency(old, new, path, *roots)
    with pytest.raises(VerificationError):
        verify_consistency(old, new, path, leaf_hash(b"fork"), roots[1])
    with pytest.raises(VerificationError):
        verify_consistency(old, new, [*path, roots[0]], *roots)


@given(size=st.integers(0, 70))
def test_root_and_edge_agree_with_the_definition(size: int) -> None:
    tree = Tree(size)
    assert tree.edge.root() == naive(tree.leaves) == root_of(size, tree.get)


@given(size=st.one_of(st.integers(0, 600), st.just(65_600)), more=st.integers(1, 300))
def test_an_edge_rebuilt_from_its_partial_tiles_goes_on_alike(size: int, more: int) -> None:
    tree = BIG if size > 600 else Tree(size)
    at = tree.edge.size
    levels = [[part[i : i + 32] for i in range(0, len(part), 32)] for part in tree.edge.partial()]
    again, straight = Edge(levels, at), Edge(levels, at)
    for i in range(more):
        again.append(leaf_hash(b"more %d" % i))
    for i in range(more):
        straight.append(leaf_hash(b"more %d" % i))
    assert again.root() == straight.root()
    assert again.size == at + more
    if size <= 600 - more:
        whole = [*tree.leaves, *(leaf_hash(b"more %d" % i) for i in range(more))]
        assert again.root() == naive(whole)


def test_a_truncated_log_is_not_consistent_with_what_was_seen() -> None:
    """Research pitfall: a cut tail passes every check against itself, and none from outside."""
    seen, cut = Tree(300), Tree(200)
    assert root_of(200, cut.get) == cut.edge.root()
    with pytest.raises(VerificationError):
        consistency_path(seen.edge.size, cut.edge.size, cut.get)


def test_size_zero_proves_nothing() -> None:
    with pytest.raises(VerificationError):
        verify_consistency(0, 5, [], EMPTY_ROOT, root_of(5, BIG.get))
    with pytest.raises(VerificationError):
        verify_inclusion(EMPTY_ROOT, 0, 0, [], EMPTY_ROOT)
    with pytest.raises(VerificationError):
        inclusion_path(5, 5, BIG.get)
    assert Edge([], 0).root() == EMPTY_ROOT


def test_paths_too_long_or_too_short_are_refused() -> None:
    root = root_of(5, BIG.get)
    path = inclusion_path(4, 5, BIG.get)
    for wrong in ([], path[:-1], [*path, *path]):
        with pytest.raises(VerificationError):
            verify_inclusion(BIG.leaves[4], 4, 5, wrong, root)
    with pytest.raises(VerificationError):
        verify_consistency(3, 5, [], root_of(3, BIG.get), root)
    with pytest.raises(VerificationError):
        verify_consistency(4, 4, [root], root_of(4, BIG.get), root_of(4, BIG.get))
    with pytest.raises(VerificationError):
        longer = [*consistency_path(2, 4, BIG.get)] * 3
        verify_consistency(2, 4, longer, root_of(2, BIG.get), root_of(4, BIG.get))


def test_full_tiles_hold_256_hashes() -> None:
    assert all(len(tile) == 32 * WIDTH for tile in BIG.tiles.values())
    assert (1, 0) in BIG.tiles
