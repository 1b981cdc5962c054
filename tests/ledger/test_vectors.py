"""Published vectors: transparency-dev/merkle, Tessera's test log, and signed-note."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.kernel.encoding import un_b64
from gateway.kernel.errors import GatewayError, VerificationError
from gateway.kernel.signing import KeySigner
from gateway.ledger import (
    Edge,
    leaf_hash,
    open_checkpoint,
    open_note,
    parse_verifier,
    sign_note,
    verify_consistency,
    verify_inclusion,
)
from tests.vectors import vectors

# At equal sizes a "root" of another length than a hash is refused here, and allowed upstream.
STRICTER = 1


def _b64(text: str | None) -> bytes:
    return base64.b64decode(text) if text else b""


def _holds(case: dict[str, Any]) -> bool:
    path = [_b64(node) for node in case.get("proof") or []]
    try:
        if "leafIdx" in case:
            verify_inclusion(
                _b64(case["leafHash"]), case["leafIdx"], case["treeSize"], path, _b64(case["root"])
            )
        else:
            roots = _b64(case["root1"]), _b64(case["root2"])
            verify_consistency(case["size1"], case["size2"], path, *roots)
    except VerificationError:
        return False
    return True


def test_inclusion_and_consistency_vectors_hold_as_stated() -> None:
    folder = vectors("ledger") / "transparency-dev-merkle"
    cases = [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]
    cases = [case for case in cases if "start" not in case]
    differ = [case for case in cases if _holds(case) == case["wantErr"]]
    assert len(cases) >= 196
    assert len(differ) == STRICTER
    assert all(not case["wantErr"] for case in differ), "never laxer than the vectors"
    print(f"merkle vectors: {len(cases)}, stricter: {len(differ)}")


@pytest.fixture(name="notes")
def _notes() -> tuple[dict[str, Any], Path]:
    folder = vectors("ledger")
    return json.loads((folder / "signed-note" / "note_vectors.json").read_text()), folder


def test_signed_note_vectors_hold(notes: tuple[dict[str, Any], Path]) -> None:
    data = notes[0]
    verifiers = [parse_verifier(vkey) for vkey in data["vkeys"]]
    note = (data["text"] + "\n" + "".join(data["sig_lines"])).encode()
    assert open_note(note, verifiers) == data["text"]
    seed = base64.b64decode(data["skey"].split("+", 4)[4])[1:]
    made = sign_note(data["text"], verifiers[0].name, KeySigner.from_seed(seed))
    assert made.decode().endswith(data["sig_lines"][0])


def test_bad_verifier_keys_are_refused(notes: tuple[dict[str, Any], Path]) -> None:
    for vkey in notes[0]["bad_vkeys"]:
        with pytest.raises(GatewayError):
            parse_verifier(vkey)


def test_tessera_test_log_verifies(notes: tuple[dict[str, Any], Path]) -> None:
    data, folder = notes
    log = folder / "tessera-testlog" / "testdata" / "log"
    verifier = parse_verifier(data["tessera_testlog_vkey"])
    edge = Edge()
    for size in range(16):
        checkpoint = open_checkpoint((log / f"checkpoint.{size}").read_bytes(), verifier)
        assert (checkpoint.size, checkpoint.root) == (size, edge.root())
        if size:
            assert (log / f"tile/0/000.p/{size}").read_bytes() == edge.partial()[0]
        if size < len(data["tessera_testlog_leaves"]):
            edge.append(leaf_hash(data["tessera_testlog_leaves"][size].encode()))


def test_the_leaf_hash_of_a_published_record_is_reproduced(
    notes: tuple[dict[str, Any], Path],
) -> None:
    tlog = notes[0]["tlog_text"]
    assert un_b64(tlog["text"].split("\n")[2]) == leaf_hash(tlog["record"].encode())
