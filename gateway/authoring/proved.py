"""Which invariants of a set are proved: found out with z3, or as it was written down beside the set."""

from collections.abc import Mapping
from typing import Any

from gateway.authoring.analyses import prepare
from gateway.authoring.extras import library
from gateway.authoring.proofs import prove
from gateway.kernel.encoding import Json, canonical_json, hex_sha256, parse_json
from gateway.kernel.errors import MalformedError
from gateway.policy import Loaded
from gateway.policy.invariants import FILE

PROOFS = "proofs.json"
"""Lies beside the set and is none of its files: it says of one set alone what was proved."""


def proved(loaded: Loaded, today: str) -> tuple[str, ...]:
    """Prove all invariants. Raises MalformedError for one that is refuted, UnavailableError without z3."""
    library("z3")
    model, solver = prepare(loaded.policy, loaded.invariants)
    for proof in prove(model, solver, loaded.invariants, today):
        if proof.counterexample is not None:
            place = proof.invariant.place
            message = f"{place}: the rules break invariant {proof.invariant.id}"
            raise MalformedError(f"{message}: gateway policy analyse shows how", field=place)
    return tuple(invariant.id for invariant in loaded.invariants)


def record(loaded: Loaded, files: Mapping[str, bytes], ids: tuple[str, ...]) -> bytes:
    """Return what was proved, as it is written down."""
    said: dict[str, Json] = {**_of(loaded, files), "proved": [*ids]}
    return canonical_json(said) + b"\n"


def recorded(loaded: Loaded, files: Mapping[str, bytes], data: bytes) -> tuple[str, ...]:
    """Return what was written down as proved of this very set; nothing if it is of another.

    Raises MalformedError for what is no such record.
    """
    said: Any = parse_json(data)
    if not isinstance(said, dict) or not isinstance(said.get("proved"), list):
        raise MalformedError(f"{PROOFS} is no record of proofs: gateway policy analyse --record")
    same = {key: said.get(key) for key in ("policy", "invariants")} == _of(loaded, files)
    return tuple(map(str, said["proved"])) if same else ()


def _of(loaded: Loaded, files: Mapping[str, bytes]) -> dict[str, Json]:
    return {"policy": loaded.policy.digest, "invariants": hex_sha256(files.get(FILE, b""))}
