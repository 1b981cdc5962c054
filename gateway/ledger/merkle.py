"""The RFC 6962 Merkle tree: an appender over tiles of 256 hashes, proofs, and their verifiers.

Tiles are C2SP tlog-tiles: level 0 holds leaf hashes, each level above the roots of full tiles below.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

from gateway.kernel.errors import MalformedError, VerificationError

HASH = 32
WIDTH = 256  # hashes in a full tile
_HEIGHT = 8
MAX_SIZE = 2**63 - 1  # as other implementations count: a signed 64-bit integer
EMPTY_ROOT = sha256(b"").digest()

GetTile = Callable[[int, int], bytes]
"""Fetches tile (level, n): the concatenated hashes, fewer than 256 for the rightmost."""


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962, section 2.1: the hash of an entry."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, section 2.1: the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over 2**k hashes."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


class Edge:
    """The right edge of a growing tree: what an append needs, O(log n) hashes and the partial tiles.

    A failed commit leaves an edge ahead of what is stored, which is how logs fork: throw it away
    and load another.
    """

    def __init__(self, levels: Sequence[Sequence[bytes]] = ((),), size: int = 0) -> None:
        """Rebuild from the partial tile of each level (hashes, left to right) and the tree's size.

        Raises VerificationError if their widths do not fit *size*. Whether the hashes are right
        shows only when `root` is compared with the stored head.
        """
        _check_widths(levels, size)
        self.size = size
        self._levels = [list(level) for level in levels] or [[]]
        self._full: list[tuple[int, int, bytes]] = []
        self._stack: list[tuple[int, bytes]] = []
        for level in range(len(self._levels) - 1, -1, -1):
            hashes, at = self._levels[level], 0
            while at < len(hashes):
                height = (len(hashes) - at).bit_length() - 1
                root = perfect_root(hashes[at : at + (1 << height)])
                self._stack.append((_HEIGHT * level + height, root))
                at += 1 << height

    def fork(self) -> "Edge":
        """Return a copy that grows on its own: a few KiB, however large the tree."""
        edge = Edge(self._levels, self.size)
        edge._full = list(self._full)
        return edge

    def append(self, leaf: bytes) -> None:
        """Append a leaf hash; amortised one node hash. Raises MalformedError if it is none."""
        if len(leaf) != HASH:
            raise MalformedError(f"a leaf hash has {HASH} bytes")
        self.size += 1
        height, node = 0, leaf
        self._levels[0].append(leaf)
        while self._stack and self._stack[-1][0] == height:
            node = node_hash(self._stack.pop()[1], node)
            height += 1
            if height % _HEIGHT == 0:
                self._complete(height // _HEIGHT, height, node)
        self._stack.append((height, node))

    def _complete(self, level: int, height: int, node: bytes) -> None:
        """Move the tile below *level*, now full, out, and put its root into *level*."""
        self._full.append((level - 1, (self.size >> height) - 1, b"".join(self._levels[level - 1])))
        self._levels[level - 1] = []
        if level == len(self._levels):
            self._levels.append([])
        self._levels[level].append(node)

    def root(self) -> bytes:
        """Return the tree's root hash."""
        if not self._stack:
            return EMPTY_ROOT
        node = self._stack[-1][1]
        for _, left in reversed(self._stack[:-1]):
            node = node_hash(left, node)
        return node

    def take_full(self) -> list[tuple[int, int, bytes]]:
        """Return (level, n, bytes) of the tiles completed since the last call."""
        full, self._full = self._full, []
        return full

    def partial(self) -> list[bytes]:
        """Return the partial tile of each level, as bytes."""
        return [b"".join(level) for level in self._levels]


def _check_widths(levels: Sequence[Sequence[bytes]], size: int) -> None:
    height = max(len(levels), -(-size.bit_length() // _HEIGHT))
    widths = [len(levels[level]) if level < len(levels) else 0 for level in range(height)]
    if widths != [(size >> _HEIGHT * level) % WIDTH for level in range(height)]:
        raise VerificationError(f"the stored edge does not fit size {size}")


def inclusion_path(index: int, size: int, get_tile: GetTile) -> list[bytes]:
    """RFC 6962, section 2.1.1: the path from entry *index* to the root of the first *size*."""
    if not 0 <= index < size:
        raise VerificationError("no such entry in a tree of this size")
    ranges, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return [_range_hash(a, b, get_tile) for a, b in reversed(ranges)]


def consistency_path(old: int, new: int, get_tile: GetTile) -> list[bytes]:
    """RFC 6962, section 2.1.2: the proof that the first *old* entries begin the first *new*."""
    if not 0 < old <= new:
        raise VerificationError("no consistency proof between these sizes")
    ranges, start, end, whole = [], 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    if not whole:
        ranges.append((start, end))
    return [_range_hash(a, b, get_tile) for a, b in reversed(ranges)]


def root_of(size: int, get_tile: GetTile) -> bytes:
    """Return the root over the first *size* entries."""
    return _range_hash(0, size, get_tile) if size else EMPTY_ROOT


def _split(count: int) -> int:
    """Return the largest power of two below *count*."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_hash(start: int, end: int, get_tile: GetTile) -> bytes:
    parts = []
    while start < end:
        height = (end - start).bit_length() - 1
        if start:
            height = min(height, (start & -start).bit_length() - 1)
        parts.append(_subtree(height, start >> height, get_tile))
        start += 1 << height
    node = parts.pop()
    while parts:
        node = node_hash(parts.pop(), node)
    return node


def _subtree(height: int, index: int, get_tile: GetTile) -> bytes:
    """Return the root of the perfect subtree [index * 2**height, (index + 1) * 2**height)."""
    level, rest = divmod(height, _HEIGHT)
    first = index << rest
    tile = get_tile(level, first // WIDTH)
    at = first % WIDTH
    if len(tile) < HASH * (at + (1 << rest)):
        raise VerificationError(f"tile {level}/{first // WIDTH} is too short")
    hashes = [tile[HASH * i : HASH * (i + 1)] for i in range(at, at + (1 << rest))]
    return perfect_root(hashes)


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that the hash *leaf* is entry *index* of the tree of *size* entries hashed *root*.

    RFC 9162, section 2.1.3.2. Raises VerificationError, with no hint of how far the check got.
    """
    if not 0 <= index < size <= MAX_SIZE or any(len(h) != HASH for h in (leaf, root, *path)):  # 1
        raise VerificationError("inclusion proof does not hold")
    fn, sn, r = index, size - 1, leaf  # 2, 3
    for p in path:  # 4
        if sn == 0:
            raise VerificationError("inclusion proof does not hold")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or r != root:  # 5
        raise VerificationError("inclusion proof does not hold")


def verify_consistency(
    old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Check that the tree (*old*, *old_root*) is a prefix of (*new*, *new_root*).

    RFC 9162, section 2.1.4.2. Size 0 proves nothing and is refused. Raises VerificationError.
    """
    if not 0 < old <= new <= MAX_SIZE or any(len(h) != HASH for h in (old_root, new_root, *path)):
        raise VerificationError("consistency proof does not hold")
    if old == new:
        if path or old_root != new_root:
            raise VerificationError("consistency proof does not hold")
        return
    if not path:  # 1
        raise VerificationError("consistency proof does not hold")
    nodes = [old_root, *path] if old & (old - 1) == 0 else list(path)  # 2
    fn, sn = old - 1, new - 1  # 3
    while fn & 1:  # 4
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]  # 5
    for c in nodes[1:]:  # 6
        if sn == 0:
            raise VerificationError("consistency proof does not hold")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or fr != old_root or sr != new_root:  # 7
        raise VerificationError("consistency proof does not hold")
