"""`gateway policy analyse`, `diff`, `crosscheck` and `export` as people type them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.authoring.extras import library
from gateway.cli.main import app
from tests.authoring.sets import OBLIGATIONS, VOCABULARY, flow, rule, rules_file
from tests.vectors import ROOT

FLAG = {"eq": ["item.flag", True]}
# "Never what is flagged" and, of two, the invariant that no rule keeps.
NEVER = [
    {"id": "never.flagged", "title": "Never what is flagged", "basis": "b", "never": "permit_or_hold", "when": FLAG},
    {"id": "never.marked", "title": "Never what is marked", "basis": "b", "never": "permit", "when": {"eq": ["item.mark", True]}},
]  # fmt: skip
RULES = [rule("base", "permit", {"eq": ["item.colour", "red"]}), rule("no", "deny", FLAG)]


def folder(
    place: Path, rules: list[dict[str, Any]], invariants: list[Any], *, explained: str = ""
) -> Path:
    """Write a policy folder."""
    place.mkdir()
    shipped = ROOT / "policies" / "vocabulary.yaml"
    one = r"^  recipient\.jurisdiction:.*\n(?:    .*\n)*"
    jurisdiction = re.search(one, shipped.read_text(), re.MULTILINE)
    assert jurisdiction is not None
    (place / "vocabulary.yaml").write_text(VOCABULARY + jurisdiction.group())
    (place / "obligations.yaml").write_text(OBLIGATIONS)
    (place / "rules").mkdir()
    (place / "rules" / "r.yaml").write_bytes(rules_file(rules))
    if invariants:
        lines = "".join(f"\n- {flow(one)}" for one in invariants)
        (place / "invariants.yaml").write_text(f"invariants:{lines}\n")
    if explained:
        (place / "analysis.yaml").write_text(explained)
    return place


def gateway(*args: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["policy", *args])
    assert done.exit_code == code, done.output
    return done.output


def test_a_refuted_invariant_is_told_with_facts_that_break_it(tmp_path: Path) -> None:
    place = folder(tmp_path / "set", RULES, NEVER)
    said = gateway("analyse", str(place), code=1)
    assert "invariants.yaml:2: invariant never.flagged: proved" in said
    assert "invariants.yaml:3: invariant never.marked: refuted: Never what is marked" in said
    assert "the set decides PERMIT (base)" in said
    assert "      the mark: yes\n" in said
    assert "2 rules, 0 findings, 1 of 2 invariants proved" in said
    told = json.loads(gateway("analyse", str(place), "--json", code=1))
    assert [one["proved"] for one in told["invariants"]] == [True, False]
    assert told["invariants"][1]["counterexample"]["item.mark"] is True
    assert set(told["seconds"]) == {"z3", "analyses", "invariants"}


def test_what_breaks_an_invariant_only_while_unknown_is_told_as_not_recorded(
    tmp_path: Path,
) -> None:
    more = rule("more", "deny", {"all": [{"exists": "item.mark"}, {"eq": ["item.mark", True]}]})
    place = folder(tmp_path / "set", [*RULES, more], NEVER)
    assert "      the mark: not recorded\n" in gateway("analyse", str(place), code=1)


def test_a_finding_fails_until_it_is_explained(tmp_path: Path) -> None:
    rules = [*RULES, rule("twin", "deny", {"all": [FLAG, {"gt": ["item.n", 3]}]})]
    said = gateway("analyse", str(folder(tmp_path / "one", rules, [])), code=1)
    assert "rules/r.yaml:4: shadowed: deny rule twin: whenever it denies" in said
    why = "explained:\n- {finding: shadowed, rule: twin, why: the annex names it}\n"
    said = gateway("analyse", str(folder(tmp_path / "two", rules, [], explained=why)))
    assert "    explained: the annex names it" in said


def test_the_shipped_set_has_nothing_to_explain_away(tmp_path: Path) -> None:
    told = json.loads(gateway("analyse", str(ROOT / "policies"), "--json"))
    assert [one for one in told["findings"] if one["explained"] is None] == []
    assert all(one["proved"] for one in told["invariants"])


def test_a_difference_is_told_and_its_facts_lead_there_by_explain(tmp_path: Path) -> None:
    old = folder(tmp_path / "old", RULES, [])
    new = folder(
        tmp_path / "new", [RULES[0], rule("later", "deny", FLAG, valid_from="2030-01-01")], []
    )
    said = gateway("diff", str(old), str(new), "--out", str(tmp_path / "requests"))
    assert "rules: added later\nrules: removed no\n" in said
    assert "1. newly permitted\n   old: DENY (no)\n   new: PERMIT (base)\n" in said
    assert "     item.flag: true  # the flag\n" in said
    (request,) = (tmp_path / "requests").iterdir()
    assert request.name == "01-newly-permitted.yaml"
    assert gateway("explain", str(request), str(old)).startswith("DENY")
    assert gateway("explain", str(request), str(new)).startswith("PERMIT")
    told = json.loads(gateway("diff", str(old), str(new), "--json"))
    assert told["differences"][0]["facts"]["item.flag"] is True
    assert told["alike"] is False


def test_sets_that_decide_alike_are_said_to(tmp_path: Path) -> None:
    old = folder(tmp_path / "old", RULES, [])
    new = folder(tmp_path / "new", [*RULES, rule("twin", "deny", FLAG)], [])
    assert "the two sets decide alike" in gateway("diff", str(old), str(new))


def test_cedar_is_asked_as_well(tmp_path: Path) -> None:
    place = folder(tmp_path / "set", RULES, [])
    said = gateway("crosscheck", str(place), "--requests", "200")
    assert said == "200 requests, 0 disagreements with Cedar\n"


def test_a_set_is_written_for_cedar_and_as_odrl(tmp_path: Path) -> None:
    place = str(folder(tmp_path / "set", RULES, []))
    told = json.loads(gateway("export", place, "--cedar", "--json"))
    assert library("cedarpy").validate_policies(told["policies"], told["schema"]).validation_passed
    assert '@id("no")' in gateway("export", place, "--cedar")
    odrl = json.loads(gateway("export", place, "--odrl"))
    assert odrl["@type"] == "Set"
    for option in ("--cedar", "--odrl"):
        gateway("export", place, option, "--out", str(tmp_path / "out"))
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["policy.cedar", "policy.cedarschema", "policy.odrl.jsonld"]
    assert json.loads((tmp_path / "out" / "policy.odrl.jsonld").read_text()) == odrl


@pytest.mark.parametrize("options", [(), ("--cedar", "--odrl")])
def test_one_language_is_asked_for(options: tuple[str, ...]) -> None:
    assert "say one of --cedar and --odrl" in gateway("export", *options, code=2)


def test_invariants_that_cannot_be_read_are_refused_with_their_line(tmp_path: Path) -> None:
    wrong = [{**NEVER[0], "when": {"eq": ["item.falg", True]}}]
    said = gateway("analyse", str(folder(tmp_path / "set", RULES, wrong)), code=2)
    assert "invariants.yaml:2: unknown attribute 'item.falg'; did you mean 'item.flag'" in said
