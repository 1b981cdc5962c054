"""Leaves hide what they commit to, and open in one way only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.signing import KeySigner
from gateway.ledger import (
    Checkpoint,
    Edge,
    Opening,
    Proof,
    Slot,
    Verifier,
    check_openings,
    commit,
    decode_openings,
    encode_openings,
    leaf_hash,
    new_key,
    only,
    open_checkpoint,
    open_note,
    parse_leaf,
    parse_proof,
    parse_verifier,
    seal,
    sign_note,
    unseal,
    verify_proof,
)

values = st.dictionaries(
    st.sampled_from(list(Slot)), st.one_of(st.text(max_size=20), st.integers(0, 9), st.none())
)


@given(values=values, entry_id=st.binary(min_size=16, max_size=16))
def test_a_leaf_has_405_bytes_and_opens_to_what_was_committed(
    values: dict[Slot, str | int | None], entry_id: bytes
) -> None:
    leaf, openings = commit(entry_id, 494_000, dict(values))
    assert len(leaf) == 405
    parsed = parse_leaf(leaf)
    assert (parsed.entry_id, parsed.hour) == (entry_id, 494_000)
    check_openings(leaf, openings)
    assert decode_openings(encode_openings(openings)) == openings
    assert {slot: o.value for slot, o in openings.items()} == values


@given(entry_id=st.binary(min_size=16, max_size=16))
def test_an_opening_holds_for_its_own_salt_slot_value_and_entry_alone(entry_id: bytes) -> None:
    leaf, openings = commit(entry_id, 1, {Slot.KIND: "share.released"})
    right = openings[Slot.KIND]
    other_leaf, _ = commit(entry_id[::-1] + b"", 1, {Slot.KIND: "share.released"})
    for bad_leaf, bad in (
        (leaf, {Slot.KIND: Opening(bytes(32), right.value)}),
        (leaf, {Slot.KIND: Opening(right.salt, "share.recalled")}),
        (leaf, {Slot.TIME: right}),
        (other_leaf, {Slot.KIND: right}),
    ):
        with pytest.raises(VerificationError):
            check_openings(bad_leaf, bad)


def test_the_same_values_never_make_the_same_leaf() -> None:
    entry = bytes(16)
    assert commit(entry, 1, {Slot.KIND: "x"})[0] != commit(entry, 1, {Slot.KIND: "x"})[0]


def test_an_audience_opens_its_slots_alone() -> None:
    _, openings = commit(bytes(16), 1, {Slot.KIND: "x", Slot.ACTOR: "psn"})
    assert set(only(openings, {Slot.KIND, Slot.TIME})) == {Slot.KIND}


@pytest.mark.parametrize(
    "data",
    [b"[]", b'{"nosuch":["a","b"]}', b'{"kind":["AA","x"]}', b'{"kind":1}', b'{"kind":[1,2]}'],
)
def test_malformed_openings_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_openings(data)


@pytest.mark.parametrize("leaf", [b"", bytes(405), b"\x01" * 404])
def test_other_leaves_are_refused(leaf: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_leaf(leaf)


def test_sealed_openings_open_under_their_key_alone() -> None:
    key = new_key()
    assert unseal(seal(b"opening", key), key) == b"opening"
    for data, wrong in ((seal(b"opening", key), new_key()), (b"short", key)):
        with pytest.raises(VerificationError):
            unseal(data, wrong)


SIGNER = KeySigner.generate()
LOG = Verifier("gateway.example/ledger", SIGNER.public_key)


def _proof() -> tuple[bytes, Proof]:
    leaf, _ = commit(bytes(16), 1, {})
    edge = Edge()
    edge.append(leaf_hash(leaf))
    return leaf, Proof(0, (), Checkpoint(LOG.name, 1, edge.root()).sign(SIGNER))


def test_a_proof_travels_as_text_and_proves_its_leaf_alone() -> None:
    leaf, proof = _proof()
    again = parse_proof(proof.render())
    assert again == proof
    assert verify_proof(leaf, again, LOG).size == 1
    with pytest.raises(VerificationError):
        verify_proof(commit(bytes(16), 1, {})[0], again, LOG)


def test_a_proof_with_its_own_root_but_without_the_logs_signature_proves_nothing() -> None:
    leaf, proof = _proof()
    other = KeySigner.generate()
    checkpoint = Checkpoint(LOG.name, 1, leaf_hash(leaf)).sign(other)
    with pytest.raises(VerificationError):
        verify_proof(leaf, Proof(0, (), checkpoint), LOG)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t.replace("@v1", "@v2"),
        lambda t: t.replace("index 0", "index 00"),
        lambda t: t.replace("index 0", "index x"),
        lambda t: t.replace("index 0\n", "index 0\nAAAA\n"),
        lambda t: t.replace("\n\n", "\n"),
    ],
)
def test_malformed_proofs_are_refused(spoil) -> None:  # type: ignore[no-untyped-def]
    _, proof = _proof()
    with pytest.raises(MalformedError):
        parse_proof(spoil(proof.render()))


@pytest.mark.parametrize(
    "text",
    [
        "gateway.example/ledger\n01\n{root}\n",
        "gateway.example/ledger\n-1\n{root}\n",
        "other.example/ledger\n1\n{root}\n",
        "gateway.example/ledger\n1\n{root}\nextension\n",
        "gateway.example/ledger\n1\nAAAA\n",
    ],
)
def test_checkpoints_of_another_form_are_refused(text: str) -> None:
    root = "A" * 43 + "="
    note = sign_note(text.format(root=root), LOG.name, SIGNER)
    with pytest.raises(MalformedError):
        open_checkpoint(note, LOG)


def _note() -> bytes:
    return sign_note("text\n", LOG.name, SIGNER)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda n: n[:-1],
        lambda n: n.replace(b"\n\n", b"\n"),
        lambda n: n.replace(b"text", b"te\rt"),
        lambda n: b"\xff" + n,
        lambda n: n + n.splitlines()[-1] + b" x\n",
        lambda n: n + "\u2014 some+name AAAAAAA=\n".encode(),
        lambda n: n + "\u2014 name AAAA\n".encode(),
        lambda n: n + "\u2014 name A===\n".encode(),
        lambda n: n + n.splitlines(keepends=True)[-1] * 100,
        lambda n: b"x" * 1_000_001,
    ],
)
def test_malformed_notes_are_refused(spoil) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MalformedError):
        open_note(spoil(_note()), [LOG])


def test_unknown_signatures_are_ignored_and_a_failing_known_one_condemns() -> None:
    other = KeySigner.generate()
    line = sign_note("text\n", "other", other).splitlines(keepends=True)[-1]
    note = _note()
    assert open_note(note + line, [LOG]) == "text\n"
    with pytest.raises(VerificationError):
        open_note(sign_note("text\n", "other", other), [LOG])
    with pytest.raises(VerificationError):
        open_note(note.replace(b"text", b"next"), [LOG])


@pytest.mark.parametrize(
    "vkey",
    ["", "a+b+c", "a+00000000+AAAA", f"x y{str(LOG)[22:]}"],
    ids=["empty", "three-letters", "short", "space-in-name"],
)
def test_malformed_verifier_keys_are_refused(vkey: str) -> None:
    with pytest.raises(MalformedError):
        parse_verifier(vkey)
    assert parse_verifier(str(LOG)) == LOG


def test_a_key_hash_that_is_not_the_keys_is_refused() -> None:
    name, _, key = str(LOG).split("+", 2)
    with pytest.raises(MalformedError):
        parse_verifier(f"{name}+00000000+{key}")
