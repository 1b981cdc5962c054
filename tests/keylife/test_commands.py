"""The life of a key at the command line: offered by its owner, entered, activated, the old one retired."""

import json
from pathlib import Path

import pytest

from tests.world import World, build_world, run_cli


@pytest.fixture
def world(tmp_path: Path) -> World:
    return build_world(tmp_path / "world", ("xa",))


def test_a_key_is_rotated_by_commands_that_say_what_is_next(world: World, tmp_path: Path) -> None:
    offer, on = tmp_path / "next.key.json", ("--instance", str(world.instance))
    as_ = ("--as", str(world.folder("xa")))
    made = json.loads(
        run_cli("keys", "rotate-envelope", "--out", str(offer), *as_, "--json").stdout
    )
    entered = run_cli("keys", "enter", str(offer), *on)
    assert made["key"] in entered.stdout
    assert "keys challenge" in entered.stderr
    shown = run_cli("keys", "list", *on).stdout
    assert "gateway keys activate" in shown
    assert "has a successor" in shown
    again = run_cli("keys", "enter", str(offer), *on, check=False)
    assert (again.returncode, "stands in the directory already" in again.stderr) == (7, True)
    run_cli("keys", "activate", made["key"][:12], *on)
    wrong = run_cli("keys", "activate", made["key"][:12], *on, check=False)
    assert wrong.returncode == 7
    assert "possible: retire, revoke" in wrong.stderr


def test_an_offer_that_somebody_else_signed_is_not_entered(world: World, tmp_path: Path) -> None:
    offer, on = tmp_path / "next.key.json", ("--instance", str(world.instance))
    (world.folder("xa") / "message.key").write_bytes(
        (world.folder("sharer") / "message.key").read_bytes()
    )
    run_cli("keys", "rotate-envelope", "--out", str(offer), "--as", str(world.folder("xa")))
    refused = run_cli("keys", "enter", str(offer), *on, check=False)
    assert refused.returncode == 3
