"""The commands as people type them, against a gateway in a process of its own."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.world import POLICIES, Process, World, build_world, run_cli, serving

FACTS = """'*':
  item.crimes: [war_crimes]
  item.consent.status: granted
  item.consent.scope: any
  item.consent.purposes: [criminal]
  item.consent.excluded: []
  item.consent.limits: []
  item.consent.no_death_penalty: false
  item.witness_protected: false
  item.sgbv: false
  item.identifies: []
  item.personal_data: ordinary
  item.originator_control: none
  item.lead_only: false
  item.tlp: AMBER
  item.police_codes: []
  item.has_embargo: false
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A running gateway with one share released to xa."""
    world = build_world(tmp_path_factory.mktemp("cli"), ("xa", "xb"))
    (world.root / "facts.yaml").write_text(FACTS)
    folder = world.root / "evidence" / "deep"
    folder.mkdir(parents=True)
    (folder / "Zeuge №1.txt").write_text("what was seen")
    with serving(world) as process:
        yield process


@pytest.fixture(scope="module")
def world(server: Process) -> World:
    return server.world


@pytest.fixture(scope="module")
def rfa(world: World) -> str:
    """An RFA that an officer of xa sent, and that an officer of the mechanism has admitted."""
    text = world.root / "request.txt"
    text.write_text("Please share what shows the chain of command.")
    why = ("--investigation", "12 Js 34/26", "--crime", "war_crimes")
    sent = run_json(world, "xa-officer", "rfa", "send", str(text), *why)
    name = str(sent["rfa"])
    due, checked = ("--due", "2030-12-31"), ("--valid-to", "2035-12-31", "--evidence", "note 12")
    run_json(world, "officer", "rfa", "register", name, "--number", "2026-014", *due)
    assert run_json(world, "officer", "rfa", "assess", name, *checked)["state"] == "review"
    return name


@pytest.fixture(scope="module")
def share(world: World, rfa: str) -> str:
    made = run_json(world, "sharer", "push", *evidence(world), "--rfa", rfa)
    proposed = run_json(world, "sharer", "share", "propose", made["package"], "xa-prosecutor")
    assert proposed["outcome"] == "permit"
    run_json(world, "releaser", "share", "release", proposed["share"])
    return str(proposed["share"])


def evidence(world: World) -> tuple[str, ...]:
    return str(world.root / "evidence"), "--facts", str(world.root / "facts.yaml")


def run_json(world: World, who: str, *args: str) -> Any:
    return json.loads(run_cli(*args, "--as", str(world.folder(who)), "--json").stdout)


def fails(world: World, who: str, *args: str) -> tuple[int, str]:
    done = run_cli(*args, "--as", str(world.folder(who)), check=False)
    return done.returncode, done.stderr


def test_a_dry_run_says_what_it_would_do_and_sends_nothing(world: World) -> None:
    before = run_json(world, "sharer", "share", "list")
    (row,) = run_json(world, "sharer", "push", *evidence(world), "--rfa", "XA-7", "--dry-run")
    assert row["name"] == "deep/Zeuge №1.txt"
    assert "item.sgbv=False" in row["facts"]
    assert run_json(world, "sharer", "share", "list") == before


def test_a_package_says_why_in_exactly_one_way(world: World) -> None:
    for basis in ((), ("--rfa", "1", "--rationale", "both")):
        code, said = fails(world, "sharer", "push", *evidence(world), *basis)
        assert code == 2
        assert "--rfa for an answer, or --rationale" in said


def test_a_misspelt_fact_is_named_with_the_nearest_right_one(world: World) -> None:
    bad = world.root / "bad.yaml"
    bad.write_text("'*': {item.sgvb: true}\n")
    args = (str(world.root / "evidence"), "--facts", str(bad), "--rationale", "It is needed")
    code, said = fails(world, "sharer", "push", *args)
    assert code == 2
    assert "item.sgvb" in said
    assert "item.sgbv" in said


def test_a_package_answers_only_an_rfa_that_is_there(world: World, rfa: str) -> None:
    for name, code, says in (("XA-7", 6, "no such RFA"), (rfa[:-1] + "x", 6, "no such RFA")):
        assert fails(world, "sharer", "push", *evidence(world), "--rfa", name)[0] == code
        assert says in fails(world, "sharer", "push", *evidence(world), "--rfa", name)[1]
    other = ("--rfa", rfa, "--case", "another case")
    code, said = fails(world, "sharer", "push", *evidence(world), *other)
    assert code == 7
    assert "registered for purpose criminal and case 12 Js 34/26" in said


def test_a_share_is_listed_and_shown_with_its_life(world: World, share: str) -> None:
    listed = {row["share"]: row for row in run_json(world, "sharer", "share", "list")}
    assert listed[share]["recipient"] == "xa-prosecutor"
    shown = run_cli("share", "show", share, "--as", str(world.folder("sharer"))).stdout
    assert "release.requested (permit)" in shown
    assert [line.split()[-1] for line in shown.splitlines()[-4:]] == [
        "proposed",
        "released",
        "prepared",
        "available",
    ]


def test_who_may_not_release_is_told_what_it_takes(world: World, share: str) -> None:
    code, said = fails(world, "sharer", "share", "release", share)
    assert code == 5
    assert "role releaser" in said


def test_an_authority_pulls_what_is_new_and_then_nothing(world: World, share: str) -> None:
    out = world.root / "out"
    done = run_cli("pull", "new", "--out", str(out), "--as", str(world.folder("xa")))
    assert "1 items verified" in done.stdout
    assert ": AMBER" in done.stderr, "its terms are shown before anything is fetched"
    assert (out / share / "deep" / "Zeuge №1.txt").read_text() == "what was seen"
    again = run_cli("pull", "new", "--out", str(out), "--as", str(world.folder("xa"))).stdout
    assert "nothing new" in again


def test_another_authority_sees_nothing(world: World, share: str) -> None:
    assert run_json(world, "xb", "inbox", "--all") == []
    code, said = fails(world, "xb", "pull", share, "--out", str(world.root / "none"))
    assert code == 6
    assert "no such share" in said


def test_the_ledger_is_shown_verified_and_proved(world: World, share: str) -> None:
    entries = run_json(world, "auditor", "ledger", "show")
    (released,) = [e for e in entries if e["kind"] == "share.released" and e["subject"] == share]
    proof = run_cli("ledger", "prove", str(released["index"]), "--as", str(world.folder("xb")))
    assert proof.stdout.startswith("c2sp.org/tlog-proof@v1\n")
    code, said = fails(world, "xb", "ledger", "prove", "100000")
    assert code == 6
    assert "entries" in said
    unopened = run_json(world, "xb", "ledger", "show")
    assert {entry["kind"] for entry in unopened} == {""}


def test_a_gateway_that_is_away_is_said_so(world: World, tmp_path: Path) -> None:
    other = build_world(tmp_path, ("xa",))
    code, said = fails(other, "xa", "inbox")
    assert code == 9
    assert "does not answer" in said
    assert "run the same command again" in said


def test_a_passphrase_seals_the_keys_of_a_new_instance(tmp_path: Path) -> None:
    done = run_cli("init", str(tmp_path / "one"), "--same-volume", check=False)
    assert done.returncode == 2
    assert "GATEWAY_PASSPHRASE" in done.stderr
    done = run_cli("init", str(tmp_path / "two"), check=False)
    assert "--head-copy" in done.stderr
    run_cli("init", str(tmp_path / "three"), "--same-volume", "--unsealed")
    again = run_cli("init", str(tmp_path / "three"), "--same-volume", "--unsealed", check=False)
    assert again.returncode == 7


def test_a_revoked_key_is_refused_after_a_reload(server: Process, share: str) -> None:
    world = server.world
    world.add_authority("xc")
    on = ("--instance", str(world.instance))
    run_cli("keys", "sign", *on)
    reload(server)
    assert run_json(world, "xc", "inbox") == []
    listed = json.loads(run_cli("keys", "list", *on, "--json").stdout)
    (key,) = [
        k["fingerprint"]
        for k in listed
        if (k["party"], k["member"], k["use"]) == ("xc-prosecutor", "endpoint", "request")
    ]
    run_cli("keys", "revoke", key[:12], *on)
    assert "revoked  until" in run_cli("keys", "list", *on).stdout
    run_cli("keys", "sign", *on)
    reload(server)
    code, said = fails(world, "xc", "inbox")
    assert code == 4
    assert "unknown or revoked key" in said


def reload(server: Process) -> None:
    """Send SIGHUP and give it time to be heard."""
    os.kill(server.pid, signal.SIGHUP)
    time.sleep(1.0)


def test_the_shipped_policy_is_sound_and_a_broken_one_is_told_where(tmp_path: Path) -> None:
    assert "the set is sound" in run_cli("policy", "check", str(POLICIES)).stdout
    assert "179 of 179 cases hold" in run_cli("policy", "test", str(POLICIES)).stdout
    for path in POLICIES.rglob("*.yaml"):
        copy = tmp_path / path.relative_to(POLICIES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes().replace(b"item.sgbv, true", b"item.sgvb, true"))
    done = run_cli("policy", "check", str(tmp_path), check=False)
    assert done.returncode == 2
    assert "rules/40-protection.yaml:" in done.stderr
    assert "item.sgbv" in done.stderr


def test_a_decision_is_explained_fact_by_fact_and_to_its_recipient_without_facts(
    tmp_path: Path,
) -> None:
    facts = tmp_path / "facts.yaml"
    facts.write_text("item.sgbv: true\nrecipient.death_penalty: retained\n")
    done = run_cli("policy", "explain", str(facts))
    assert done.stdout.startswith("DENY")
    assert "rights.death_penalty (deny)" in done.stdout
    assert "cannot be established" in done.stdout
    told = json.loads(run_cli("policy", "explain", str(facts), "--recipient", "--json").stdout)
    assert told["outcome"] == "not available"
    assert "rights" in told["reasons"]
    assert "death_penalty" not in json.dumps(told)
    facts.write_text("item.sgvb: true\n")
    assert run_cli("policy", "explain", str(facts), check=False).returncode == 2


def test_help_names_every_group(tmp_path: Path) -> None:
    said = run_cli("--help").stdout
    for name in ("init", "serve", "push", "share", "inbox", "pull", "receipt", "recall", "demo"):
        assert name in said
    assert "--install-completion" in said


def test_a_fingerprint_that_begins_with_a_dash_is_no_option(world: World) -> None:
    done = run_cli("keys", "revoke", "-oBH", "--instance", str(world.instance), check=False)
    assert done.returncode == 6
    assert "0 keys begin with -oBH" in done.stderr


def test_two_of_three_custodians_sign_a_directory_and_one_does_not(tmp_path: Path) -> None:
    instance, on = tmp_path / "i", ("--instance", str(tmp_path / "i"))
    made = ("init", str(instance), "--same-volume", "--unsealed", "--custodians", "3")
    assert run_cli(*made, "--threshold", "4", check=False).returncode == 2
    run_cli(*made, "--threshold", "2")
    keys = [str(instance / "custodian" / f"directory-{n}.key") for n in (1, 2, 3)]
    alone = run_cli("keys", "sign", *on, "--key", keys[0], check=False)
    assert alone.returncode == 3
    assert not (instance / "directory" / "set.json").exists()
    twice = run_cli("keys", "sign", *on, "--key", keys[0], "--key", keys[0], check=False)
    assert twice.returncode == 3
    run_cli("keys", "sign", *on, "--key", keys[0], "--key", keys[2])
    assert run_cli("keys", "sign", *on, "--json").stdout == '{"number": 2}\n'
