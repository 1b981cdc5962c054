"""The demo as it ships, and others that the test makes up: other people, files, rules and outcomes."""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.cli.demo import material, redaction
from tests.world import POLICIES, ROOT, any_rules

NAMES = ("報告", "свидетель", "témoignage", "a b", "ünï", "x" * 60, "data.final.v2", "نص")


def demo(*args: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gateway", "demo", "--json", *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=280)


def result(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_the_demo_ends_well_with_a_refusal_a_hold_and_a_recall() -> None:
    done = demo()
    shares = {share["authority"]: share for share in result(done)["shares"]}
    assert {a: s["decision"] for a, s in shares.items()} == {
        "xa-prosecutor": "permit",
        "xa-war-crimes": "permit",
        "xb-prosecutor": "permit",
        "xc-prosecutor": "permit",
        "xc-war-crimes": "permit",
        "xd-prosecutor": "deny",
        "xe-prosecutor": "permit",
        "xf-prosecutor": "hold",
    }
    assert "death_penalty" in shares["xd-prosecutor"]["why"]
    assert "recalled" in shares["xb-prosecutor"]["happened"]
    assert shares["xa-war-crimes"]["files"] == 1
    assert "interview-b.txt may go to nobody; a redacted derivative was made" in done.stdout
    assert "All of it holds" in done.stdout


def write_files(folder: Path, draw: random.Random) -> int:
    """Write files with awkward names, one of them empty, in deep folders; return how many."""
    count = draw.randint(4, 7)
    for n in range(count):
        depth = "/".join(draw.choices(NAMES, k=draw.randint(0, 5)))
        path = folder / depth / f"{n}-{draw.choice(NAMES)}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw.randbytes(draw.choice((1, 65535, 65536, 65537, 400_000))))
    (folder / "empty").touch()
    return count + 1


def change_policy(folder: Path, fates: dict[str, str]) -> None:
    """Copy the shipped policy and change it so that each jurisdiction meets its fate."""
    shutil.copytree(POLICIES, folder)
    for code, fate in fates.items():
        path = folder / "jurisdictions" / f"{code.lower()}.yaml"
        state = yaml.safe_load(path.read_text("utf-8"))
        facts = {f["fact"]: f for f in state["facts"] if "authority" not in f}
        facts["recipient.death_penalty"]["value"] = "retained" if fate == "death" else "abolished"
        facts["recipient.competent"]["value"] = fate != "incompetent"
        facts["recipient.fair_trial"]["value"] = "excluded" if fate == "unfair" else "ok"
        facts["recipient.assurances"]["value"] = ["specialty"]
        facts["recipient.in_absentia"]["value"] = "none"
        facts["recipient.data_protection"]["value"] = "adequate"
        kept = [
            f for f in facts.values() if fate != "unknown" or f["fact"] != "recipient.competent"
        ]
        path.write_text(yaml.safe_dump({**state, "facts": kept}, allow_unicode=True), "utf-8")
    rules = folder / "rules" / "40-protection.yaml"
    text = rules.read_text("utf-8").replace(
        "{legal_adviser: 1, victims_unit: 1}", "{head_of_mechanism: 1}"
    )
    assert "{head_of_mechanism: 1}" in text
    rules.write_text(text, "utf-8")
    any_rules(folder)  # the shipped cases speak of the shipped rules


def make_scenario(draw: random.Random, fates: dict[str, str]) -> dict[str, Any]:
    """Make up parties and shares; what is expected follows from the fates, not from the engine."""
    authorities = [
        {
            "short": f"{code.lower()}-{draw.choice(('court', 'unit', 'office'))}",
            "name": f"{draw.choice(NAMES)} of {code}",
            "jurisdiction": code,
            "suite": "pq",
        }
        for code in fates
    ]
    shares: list[dict[str, Any]] = []
    for authority, fate in zip(authorities, fates.values(), strict=True):
        expect = {"permit": "permit", "hold": "hold", "cleared": "hold"}.get(fate, "deny")
        package = "guarded" if expect == "hold" else draw.choice(("reply", "unasked"))
        share: dict[str, Any] = {
            "package": package,
            "authority": authority["short"],
            "expect": expect,
        }
        if fate == "cleared":
            share["approve"] = ["head_of_mechanism"]
        shares.append(share)
    shares[0]["recall"] = True
    facts = yaml.safe_load((ROOT / "gateway/cli/demo/scenario.yaml").read_text("utf-8"))["facts"]
    return {
        "authorities": authorities,
        "facts": facts,
        "sensitive": "*/*/0-*",
        "sensitive_facts": {"item.sgbv": True},
        "packages": {
            "reply": {"items": "all", "case": "case-11", "rfa": f"R-{draw.randint(1, 999)}"},
            "unasked": {"items": "all", "case": "case-12", "rationale": "a reason"},
            "guarded": {"items": "sensitive", "case": "case-13", "rationale": "a reason"},
        },
        "shares": shares,
    }


@pytest.mark.parametrize(
    ("seed", "more"),
    [
        (1, 1),
        pytest.param(2, 3, marks=pytest.mark.slow),
        pytest.param(3, 3, marks=pytest.mark.slow),
    ],
)
def test_a_made_up_demo_ends_as_its_rules_say(tmp_path: Path, seed: int, more: int) -> None:
    draw = random.Random(seed)
    codes = draw.sample([f"X{letter}" for letter in "ABCDEFGHIJKLMNOPQ"], 2 + more)
    others = draw.sample(["death", "incompetent", "unfair", "unknown", "permit", "hold"], more)
    fates = dict(zip(codes, ["permit", "cleared", *others], strict=True))
    count = write_files(tmp_path / "files", draw)
    change_policy(tmp_path / "policies", fates)
    scenario = make_scenario(draw, fates)
    (tmp_path / "scenario.yaml").write_text(
        yaml.safe_dump(scenario, allow_unicode=True, default_flow_style=None), "utf-8"
    )
    done = demo(
        "--input", str(tmp_path / "files"), "--policy", str(tmp_path / "policies"),
        "--scenario", str(tmp_path / "scenario.yaml"),
    )  # fmt: skip
    found = result(done)
    expected = {"permit": "permit", "cleared": "permit", "hold": "hold"}
    ended = [share["decision"] for share in found["shares"]]
    assert ended == [expected.get(fate, "deny") for fate in fates.values()]
    assert found["shares"][0]["files"] == count


@pytest.mark.slow
def test_a_demo_whose_expectation_fails_says_so_and_exits_non_zero(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "one.txt").write_text("one")
    scenario = make_scenario(random.Random(9), {"XA": "permit"})
    scenario["shares"] = [{**scenario["shares"][0], "expect": "deny", "recall": False}]
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(scenario), "utf-8")
    done = demo("--input", str(tmp_path / "files"), "--scenario", str(tmp_path / "scenario.yaml"))
    assert done.returncode == 1
    assert "the scenario expects deny" in done.stdout


def test_the_redaction_of_a_statement_takes_out_who_made_it(tmp_path: Path) -> None:
    material.make(tmp_path, seed=4)
    statement = (tmp_path / "protected/interview-b.txt").read_bytes()
    made = redaction.redact(statement)
    assert b"years old" in statement
    assert b"years old" not in made
    assert b"WITNESS STATEMENT" in made
    assert redaction.redact(b"\x00\x01") == b"[removed]\n"


def test_the_made_up_evidence_is_what_it_claims_to_be(tmp_path: Path) -> None:
    material.make(tmp_path, seed=4)
    files = {p.name: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert files["empty.txt"] == b""
    assert files["bridge.png"].startswith(b"\x89PNG\r\n\x1a\n")
    assert b"Creation Time" in files["bridge.png"]
    assert files["duty-roster.pdf"].startswith(b"%PDF-1.4")
    assert files["clip-0007.mp4"][4:8] == b"ftyp"
    assert len(files["clip-0007.mp4"]) > 3_000_000
    again = tmp_path / "again"
    material.make(again, seed=4)
    assert (again / "images/bridge.png").read_bytes() == files["bridge.png"]
