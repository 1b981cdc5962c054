"""The ways in which logs and their verifiers have failed, each tried on this one.

What can only fail where rows are stored and replicas run (publishing before the commit, locks,
outboxes, durability settings, events never submitted) is tested with the store.
"""

import base64
import hashlib
import hmac
import json
import secrets
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kernel.encoding import Json, b64
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.signing import KeySigner
from gateway.ledger import (
    EMPTY_ROOT,
    Checkpoint,
    Edge,
    Opening,
    Openings,
    Proof,
    Slot,
    Verifier,
    check_openings,
    commit,
    consistency_path,
    decode_openings,
    encode_openings,
    inclusion_path,
    leaf_hash,
    new_key,
    open_checkpoint,
    open_note,
    parse_leaf,
    parse_proof,
    root_of,
    seal,
    sign_note,
    unseal,
    verify_consistency,
    verify_inclusion,
    verify_proof,
)

SIGNER = KeySigner.generate()
LOG = Verifier("gateway.example/ledger", SIGNER.public_key)
FORMAT = Path(__file__).resolve().parents[2] / "docs" / "formats" / "ledger.md"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=5,
)


class Log:
    """A log in memory that keeps its leaves, tiles and edge."""

    def __init__(self, *entries: bytes) -> None:
        self.edge = Edge()
        self.tiles: dict[tuple[int, int], bytes] = {}
        for entry in entries:
            self.append(entry)

    def append(self, entry: bytes) -> None:
        self.edge.append(leaf_hash(entry))
        self.tiles.update({(level, n): data for level, n, data in self.edge.take_full()})

    def get(self, level: int, n: int) -> bytes:
        return self.tiles.get((level, n)) or self.edge.partial()[level]

    def head(self) -> bytes:
        return Checkpoint(LOG.name, self.edge.size, self.edge.root()).sign(SIGNER)

    def proof(self, index: int) -> Proof:
        return Proof(index, tuple(inclusion_path(index, self.edge.size, self.get)), self.head())


def numbered(count: int, mark: bytes = b"") -> list[bytes]:
    return [mark + b"%d" % number for number in range(count)]


def hashes(partial: bytes) -> list[bytes]:
    return [partial[i : i + 32] for i in range(0, len(partial), 32)]


@pytest.mark.parametrize("size", [1, 2, 7, 256, 300])
def test_a_proof_that_brings_its_own_root_is_worth_its_signature(size: int) -> None:
    forged = Log(*numbered(size, b"forged"))
    signature = Log(*numbered(size)).head().partition(b"\n\n")[2]
    body = forged.head().partition(b"\n\n")[0]
    proof = Proof(0, forged.proof(0).path, body + b"\n\n" + signature)
    with pytest.raises(VerificationError):
        verify_proof(b"forged0", proof, LOG)


def test_a_checkpoint_of_another_log_by_the_same_key_is_refused() -> None:
    text = Checkpoint("other.example/ledger", 1, leaf_hash(b"0")).text
    with pytest.raises(MalformedError):
        open_checkpoint(sign_note(text, LOG.name, SIGNER), LOG)


def test_a_proof_into_an_empty_tree_is_refused() -> None:
    proof = Proof(0, (), Log().head())
    assert open_checkpoint(proof.checkpoint, LOG).root == EMPTY_ROOT
    with pytest.raises(VerificationError):
        verify_proof(b"", proof, LOG)


@settings(max_examples=40)
@given(size=st.integers(1, 300), data=st.data())
def test_a_path_with_a_node_missing_added_emptied_or_altered_is_refused(
    size: int, data: st.DataObject
) -> None:
    log = Log(*numbered(size))
    index = data.draw(st.integers(0, size - 1))
    path, root, leaf = (
        inclusion_path(index, size, log.get),
        log.edge.root(),
        leaf_hash(b"%d" % index),
    )
    spoilt = [[*path, bytes(32)], [bytes(32), *path]]
    for place in range(len(path)):
        before, node, after = path[:place], path[place], path[place + 1 :]
        flipped = bytes([node[0] ^ 1]) + node[1:]
        spoilt += [before + after, [*before, b"", *after], [*before, flipped, *after]]
    for wrong in spoilt:
        with pytest.raises(VerificationError):
            verify_inclusion(leaf, index, size, wrong, root)


@pytest.mark.parametrize(
    "size", ["01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "1.0", "", "\u0661", "9" * 30]
)
def test_a_size_in_another_spelling_is_refused(size: str) -> None:
    text = f"{LOG.name}\n{size}\n{b64(leaf_hash(b'0'))}\n"
    with pytest.raises(MalformedError):
        open_checkpoint(sign_note(text, LOG.name, SIGNER), LOG)


def test_base64_in_another_spelling_is_refused() -> None:
    root = b64(bytes(32))
    assert base64.b64decode(root) == base64.b64decode(root[:-2] + "B=")  # dangling bits
    for other in (
        root[:-2] + "B=",
        root.rstrip("="),
        root + "=",
        " " + root,
        root.replace("A", "-"),
    ):
        text = f"{LOG.name}\n1\n{other}\n"
        with pytest.raises(MalformedError):
            open_checkpoint(sign_note(text, LOG.name, SIGNER), LOG)


def test_carriage_returns_are_refused_everywhere() -> None:
    note, proof = Log(b"0").head(), Log(b"0", b"1").proof(0).render()
    for place in range(note.count(b"\n")):
        parts = note.split(b"\n")
        parts[place] += b"\r"
        with pytest.raises(MalformedError):
            open_note(b"\n".join(parts), [LOG])
    with pytest.raises(MalformedError):
        parse_proof(proof.replace("\n", "\r\n"))


@pytest.mark.parametrize("break_", ["\u2028", "\u2029", "\x85"])
def test_other_line_breaks_do_not_break_lines(break_: str) -> None:
    assert open_note(sign_note(f"a{break_}b\n", LOG.name, SIGNER), [LOG]) == f"a{break_}b\n"
    with pytest.raises(MalformedError):
        open_checkpoint(sign_note(f"{LOG.name}{break_}1\n", LOG.name, SIGNER), LOG)


def test_keeping_the_edge_after_a_failed_commit_forks_the_log() -> None:
    """The published head is of 301 entries; the process went on from an edge that held 302."""
    stored = Log(*numbered(300))
    kept = Edge([hashes(level) for level in stored.edge.partial()], 300)
    kept.append(leaf_hash(b"rolled back"))
    reloaded = Edge([hashes(level) for level in stored.edge.partial()], 300)
    assert reloaded.root() == stored.edge.root()
    for edge in (kept, reloaded):
        edge.append(leaf_hash(b"next"))
    stored.append(b"next")
    assert reloaded.root() == stored.edge.root() != kept.root()
    stored.append(b"last")
    path = consistency_path(301, 302, stored.get)
    verify_consistency(301, 302, path, reloaded.root(), stored.edge.root())
    with pytest.raises(VerificationError):
        verify_consistency(301, 302, path, reloaded.root(), kept.root())


@settings(max_examples=40)
@given(common=st.integers(0, 40), left=st.integers(1, 40), right=st.integers(0, 40))
def test_two_writers_with_one_key_are_found_by_whoever_saw_both(
    common: int, left: int, right: int
) -> None:
    """Also a restored backup that grows past what its witness saw."""
    seen = Log(*numbered(common), *numbered(left, b"left"))
    other = Log(*numbered(common), *numbered(left + right, b"right"))
    heads = [open_checkpoint(log.head(), LOG) for log in (seen, other)]
    path = consistency_path(heads[0].size, heads[1].size, other.get)
    with pytest.raises(VerificationError):
        verify_consistency(heads[0].size, heads[1].size, path, heads[0].root, heads[1].root)


@settings(max_examples=40)
@given(size=st.integers(2, 300), data=st.data())
def test_a_truncated_log_is_found_by_whoever_saw_it_whole(size: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, size - 1))
    whole, short = Log(*numbered(size)), Log(*numbered(cut))
    assert root_of(cut, short.get) == short.edge.root()  # against itself it looks sound
    with pytest.raises(VerificationError):
        consistency_path(size, cut, short.get)
    with pytest.raises(VerificationError):
        verify_consistency(size, cut, [], whole.edge.root(), short.edge.root())


@settings(max_examples=25)
@given(size=st.integers(1, 600), data=st.data())
def test_one_flipped_bit_in_a_tile_shows_in_the_proof_of_its_entry(
    size: int, data: st.DataObject
) -> None:
    log = Log(*numbered(size))
    at = data.draw(st.integers(0, 8 * 32 * size - 1))

    def rotten(level: int, n: int) -> bytes:
        tile = bytearray(log.get(level, n))
        if level == 0 and n == at // 8 // 32 // 256:
            tile[at // 8 % (32 * 256)] ^= 1 << at % 8
        return bytes(tile)

    leaves = [leaf_hash(entry) for entry in numbered(size)]
    index = at // 8 // 32
    path = inclusion_path(index, size, rotten)
    read = hashes(rotten(0, index // 256))[index % 256]
    assert read != leaves[index]
    with pytest.raises(VerificationError):
        verify_inclusion(read, index, size, path, log.edge.root())
    if size < 256:  # the roots of full tiles were stored before the bit flipped
        assert root_of(size, rotten) != log.edge.root()


def test_the_order_is_the_index_whatever_the_clock_said() -> None:
    entries = [commit(secrets.token_bytes(16), hour, {})[0] for hour in (500_000, 499_999)]
    log = Log(*entries)
    hours = [parse_leaf(entry).hour for entry in entries]
    assert hours == [500_000, 499_999]
    for index, entry in enumerate(entries):
        assert verify_proof(entry, parse_proof(log.proof(index).render()), LOG).size == 2


@given(value=VALUES, other=VALUES)
def test_a_commitment_opens_with_its_own_salt_slot_value_and_entry_alone(
    value: Json, other: Json
) -> None:
    ids = secrets.token_bytes(16), secrets.token_bytes(16)
    leaf, openings = commit(ids[0], 1, {Slot.CONTENT: value})
    right = openings[Slot.CONTENT]
    check_openings(leaf, {Slot.CONTENT: right})
    moved = leaf[:1] + ids[1] + leaf[17:]
    wrong: list[tuple[bytes, Openings]]
    wrong = [(leaf, {slot: right}) for slot in Slot if slot is not Slot.CONTENT]
    wrong += [(moved, {Slot.CONTENT: right})]
    wrong += [(leaf, {Slot.CONTENT: Opening(secrets.token_bytes(32), right.value)})]
    # Python's == holds True for 1; what was written decides.
    if json.dumps(value, sort_keys=True) != json.dumps(other, sort_keys=True):
        wrong += [(leaf, {Slot.CONTENT: Opening(right.salt, other)})]
    for at, opening in wrong:
        with pytest.raises(VerificationError):
            check_openings(at, opening)


@pytest.mark.parametrize("value", [1.0, float("nan"), 2**53, "\ud800", {"\u00e9": 1}, b"x"])
def test_a_value_with_two_spellings_cannot_be_committed_to(value: object) -> None:
    with pytest.raises(MalformedError):
        commit(bytes(16), 1, {Slot.CONTENT: value})  # type: ignore[dict-item]


@given(used=st.sets(st.sampled_from(Slot)), hour=st.integers(0, 2**32 - 1))
def test_a_leaf_has_405_bytes_whatever_it_says(used: set[Slot], hour: int) -> None:
    leaf, openings = commit(bytes(16), hour, {slot: "x" * 999 for slot in used})
    assert (len(leaf), set(openings), parse_leaf(leaf).hour) == (405, used, hour)


def test_guessing_the_value_without_its_salt_finds_nothing() -> None:
    leaf, _ = commit(bytes(16), 1, {Slot.SUBJECT: "case 17"})
    for salt in (b"", bytes(32), bytes(16), b"case 17"):
        guess = hmac.digest(salt, b'"case 17"', "sha256")
        assert guess not in leaf
    assert hashlib.sha256(b'"case 17"').digest() not in leaf


def test_destroying_the_key_erases_an_entry_and_its_proof_still_holds() -> None:
    leaf, openings = commit(secrets.token_bytes(16), 1, {Slot.ACTOR: "psn_x"})
    key, audience = new_key(), new_key()
    sealed, wrapped = seal(encode_openings(openings), key), seal(key, audience)
    opened = decode_openings(unseal(sealed, unseal(wrapped, audience)))
    check_openings(leaf, opened)
    for lost in (new_key(), audience):
        with pytest.raises(VerificationError):
            unseal(sealed, lost)
    verify_proof(leaf, Log(leaf).proof(0), LOG)


@given(at=st.integers(0, 10_000))
def test_sealed_openings_altered_anywhere_do_not_open(at: int) -> None:
    _, openings = commit(bytes(16), 1, {Slot.ACTOR: "psn_x", Slot.KIND: "receipt"})
    key = new_key()
    sealed = bytearray(seal(encode_openings(openings), key))
    sealed[at % len(sealed)] ^= 1
    with pytest.raises(VerificationError):
        unseal(bytes(sealed), key)


def test_the_worked_example_of_the_format_document_holds() -> None:
    """Nothing is drawn here: the example is checked as a second implementation would check it."""
    text = FORMAT.read_text(encoding="utf-8")
    example = json.loads(text.partition("```json example\n")[2].partition("\n```")[0])
    leaf = bytes.fromhex(example["leaf"])
    openings = decode_openings(json.dumps(example["openings"]).encode())
    check_openings(leaf, openings)
    assert leaf_hash(leaf).hex() == example["leaf_hash"]
    assert parse_leaf(leaf).hour == example["hour"]
    assert parse_leaf(leaf).entry_id.hex() == example["entry_id"]
    log = Verifier(example["origin"], bytes.fromhex(example["public_key"]))
    assert str(log) == example["vkey"]
    assert verify_proof(leaf, parse_proof(example["proof"]), log).size == 2
