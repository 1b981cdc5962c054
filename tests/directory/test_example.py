"""The example directory: whole, verifiable, and of the jurisdictions that the policy knows."""

from collections import Counter
from datetime import timedelta

import pytest

from gateway.client.ceremony import read_parties
from gateway.exchange.directory import Directory, Root, open_view, view_of
from gateway.exchange.parse import decode, plain
from gateway.exchange.parties import Kind, Role, Status, Use
from gateway.kernel.encoding import canonical_json
from gateway.wiring import load_directory, load_policy
from tests.world import POLICIES, ROOT

EXAMPLE = ROOT / "keys" / "example"


@pytest.fixture(scope="module")
def directory() -> Directory:
    return load_directory(EXAMPLE)[0]


def test_the_signed_set_is_what_the_party_files_say(directory: Directory) -> None:
    assert {p.id: p for p in directory.parties} == {p.id: p for p in read_parties(EXAMPLE)}


def test_seventeen_jurisdictions_two_of_them_with_two_authorities(directory: Directory) -> None:
    authorities = Counter(p.jurisdiction for p in directory.parties if p.kind is Kind.AUTHORITY)
    assert set(authorities) == set(load_policy(POLICIES)[1])
    assert len(authorities) == 17
    assert sorted(authorities.values())[-2:] == [2, 2]


def test_every_party_can_do_its_part_at_the_time_of_signing(directory: Directory) -> None:
    then = directory.issued + timedelta(seconds=1)
    for party in directory.parties:
        if party.kind is Kind.AUTHORITY:
            roles = {role for member in party.members for role in member.roles}
            assert {Role.ENDPOINT, Role.OFFICER} <= roles
            assert party.keys(Use.ENVELOPE, then, Status.ACTIVE)
    mechanism = directory.mechanism()
    for use in (Use.MANIFEST, Use.CHECKPOINT, Use.VAULT):
        assert mechanism.keys(use, then, Status.ACTIVE)


def test_a_view_of_the_example_shows_two_parties(directory: Directory) -> None:
    data, root = load_directory(EXAMPLE)[1], decode((EXAMPLE / "root.json").read_bytes(), Root)
    own = directory.party("xa-prosecutor").id
    view = canonical_json(plain(view_of(data, {own, directory.mechanism().id})))
    assert {p.short for p in open_view(view, root).parties} == {"mechanism", "xa-prosecutor"}


def test_no_secret_lies_in_the_example() -> None:
    for path in EXAMPLE.rglob("*"):
        if path.is_file():
            assert path.suffix == ".json"
            assert b"secret" not in path.read_bytes()
            assert b"AGE-SECRET-KEY" not in path.read_bytes().upper()
