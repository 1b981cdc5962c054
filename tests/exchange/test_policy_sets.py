"""Manifests of policy sets: their form, whose signatures count, and which files they are of."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.exchange.directory import Directory
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Key, Member, Role, Status, Use
from gateway.exchange.policy_acts import MAX_FILES, MAX_SET, must_be_policy_files
from gateway.exchange.policy_sets import (
    TYP,
    PolicyManifest,
    check_files,
    check_signed,
    check_size,
    manifest_bytes,
    read_manifest,
    signers,
)
from gateway.kernel.encoding import canonical_json, hex_sha256
from gateway.kernel.errors import MalformedError, TooLargeError, VerificationError
from gateway.kernel.signing import sign
from tests.exchange.world import AUTHORITY, MECHANISM, NOW, directory, ident, key, signer

DIGEST = hex_sha256(b"x")
SAID: dict[str, Any] = {
    "v": 1,
    "number": 2,
    "supersedes": DIGEST,
    "issued": "2026-11-23T16:18:00Z",
    "engine": "2",
    "policy": DIGEST,
    "rules": {"release.requested": DIGEST},
    "files": {"vocabulary.yaml": DIGEST},
    "cases": {"run": 3, "held": 3},
    "analysis": {"proved": ["never"], "statement": "proved by z3"},
}
MANIFEST = build(SAID, PolicyManifest)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert read_manifest(manifest_bytes(MANIFEST)) == MANIFEST
    first = replace(MANIFEST, supersedes=None)
    assert read_manifest(manifest_bytes(first)) == first


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"v": 2}, "version 1"),
        ({"number": 0}, "between 1 and"),
        ({"number": (1 << 31) + 1}, "between 1 and"),
        ({"supersedes": "x"}, "64 lower-case hex"),
        ({"issued": "today"}, "expected a time"),
        ({"policy": "x"}, "64 lower-case hex"),
        ({"rules": {"a": "x"}}, "64 lower-case hex"),
        ({"files": {"a.yaml": "x"}}, "64 lower-case hex"),
        ({"files": {"../a.yaml": DIGEST}}, "relative path"),
        ({"files": {"a.json": DIGEST}}, "ends with .yaml"),
        ({"cases": {"run": 0, "held": 0}}, "all of them hold"),
        ({"cases": {"run": 2, "held": 1}}, "all of them hold"),
        ({"analysis": {"proved": [], "statement": ""}}, "statement has 1 to 4000"),
        ({"more": 1}, "unknown field"),
    ],
)
def test_a_manifest_of_another_form_is_malformed(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(MalformedError, match=says):
        read_manifest(canonical_json({**SAID, **changes}))


def test_a_manifest_has_one_spelling() -> None:
    with pytest.raises(MalformedError, match="canonical JSON"):
        read_manifest(manifest_bytes(MANIFEST) + b"\n")


def test_names_of_files_are_bounded() -> None:
    must_be_policy_files({f"{n}.yaml": "" for n in range(MAX_FILES)})
    for names in ({f"{n}.yaml": "" for n in range(MAX_FILES + 1)}, {"ö.yaml": ""}):
        with pytest.raises(ValueError, match="at most 1000 files|ASCII name"):
            must_be_policy_files(names)
    check_size({"a": bytes(MAX_SET)})
    with pytest.raises(TooLargeError):
        check_size({"a": bytes(MAX_SET), "b": b"x"})


def test_just_these_files_were_signed() -> None:
    made = replace(MANIFEST, files={"a.yaml": hex_sha256(b"a"), "b.yaml": hex_sha256(b"b")})
    good = {"a.yaml": b"a", "b.yaml": b"b"}
    check_files(made, good)
    for files, says in (
        ({"a.yaml": b"a"}, "b.yaml was signed and is missing"),
        ({**good, "c.yaml": b"c"}, "c.yaml was not signed"),
        ({**good, "b.yaml": b"c"}, "b.yaml is not the file that was signed"),
    ):
        with pytest.raises(VerificationError, match=says):
            check_files(made, files)


def author(number: int, *names: str, roles: tuple[Role, ...] = (Role.POLICY_AUTHOR,)) -> Member:
    keys = tuple(key(name, Use.POLICY) for name in names)
    return Member(ident("psn", number), f"Author {number}", roles, keys)


def with_members(*members: Member) -> Directory:
    return directory(replace(MECHANISM, members=members), AUTHORITY)


def signed(*names: str) -> bytes:
    return sign(TYP, plain(MANIFEST), *map(signer, names))


ONE, TWO = author(1, "one", "one-again"), author(2, "two")


def test_two_authors_sign() -> None:
    found = signers(signed("one", "two"), with_members(ONE, TWO), NOW, 2)
    assert found == {ONE.id, TWO.id}
    with pytest.raises(VerificationError, match="signed by 2 authors in force and needs 3"):
        signers(signed("one", "two"), with_members(ONE, TWO), NOW, 3)
    assert signers(signed("one", "stranger"), with_members(ONE, TWO), NOW, 1) == {ONE.id}


def _as(member: Member, **changes: Any) -> Member:
    made: Key = replace(member.keys[0], **changes)
    return replace(member, keys=(made,))


NOT_TWO: Mapping[str, Member] = {
    "revoked": _as(TWO, status=Status.REVOKED),
    "retired": _as(TWO, status=Status.RETIRED),
    "not active yet": _as(TWO, status=Status.NEXT),
    "of another use": _as(TWO, use=Use.REQUEST),
    "without the role": replace(TWO, roles=(Role.LEGAL_ADVISER,)),
    "of a service": Member(ident("svc", 9), "Robot", (Role.POLICY_AUTHOR,), TWO.keys),
}


@pytest.mark.parametrize("why", NOT_TWO)
def test_a_key_that_does_not_count_leaves_one_author(why: str) -> None:
    with pytest.raises(VerificationError, match="signed by 1 author in force and needs 2"):
        signers(signed("one", "two"), with_members(ONE, NOT_TWO[why]), NOW, 2)


def test_two_keys_are_not_two_people() -> None:
    with pytest.raises(VerificationError, match="signed by 1 author"):
        signers(signed("one", "one-again"), with_members(ONE, TWO), NOW, 2)


def test_a_key_counts_within_its_term() -> None:
    with pytest.raises(VerificationError, match="no policy author's signature"):
        signers(signed("one", "two"), with_members(ONE, TWO), NOW + timedelta(days=365), 2)


def test_signatures_of_nobody_known_are_none() -> None:
    with pytest.raises(VerificationError, match="no policy author's signature holds"):
        signers(signed("stranger"), with_members(ONE, TWO), NOW, 2)


def test_signatures_are_of_one_manifest() -> None:
    check_signed(manifest_bytes(MANIFEST), signed("one"))
    with pytest.raises(VerificationError, match="of another policy manifest"):
        check_signed(manifest_bytes(replace(MANIFEST, number=3)), signed("one"))
