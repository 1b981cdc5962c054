"""Members are entered into the directory under their own names, with the keys they were given."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.client import ceremony
from gateway.client.profile import open_folder
from gateway.envelope import Suite
from gateway.exchange.parties import Kind, Role, Use
from gateway.kernel.signing import KeySigner

NOW = datetime(2026, 11, 23, tzinfo=UTC)
PLACE = ceremony.Place(
    "https://gateway.example",
    "https://gateway.example",
    "gateway.example/ledger+63deacdb+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop",
)


@pytest.mark.parametrize("suites", [(), (Suite.PQ,), (Suite.CLASSIC,), (Suite.PQ, Suite.CLASSIC)])
def test_a_member_keeps_its_name_whatever_keys_it_is_given(
    tmp_path: Path, suites: tuple[Suite, ...]
) -> None:
    directory, keys = tmp_path / "directory", tmp_path / "keys"
    directory.mkdir()
    ceremony.write_root(directory, [KeySigner.from_seed(bytes(32))], 1, NOW)
    ceremony.add_party(directory, "xa-prosecutor", "Prosecution", Kind.AUTHORITY, "XA")
    made = ceremony.add_member(
        directory,
        "xa-prosecutor",
        "endpoint",
        (Role.ENDPOINT,),
        keys,
        PLACE,
        person=False,
        suites=suites,
        passphrase=None,
        now=NOW,
    )
    assert made.name == "endpoint"
    assert ceremony.find_party(directory, "xa-prosecutor").members == (made,)
    recipients = {key.public for key in made.keys if key.use is Use.ENVELOPE}
    held = open_folder(keys, None).identities()
    assert {str(identity.recipient) for identity in held} == recipients
    assert len(recipients) == len(suites)
