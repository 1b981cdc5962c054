"""The commands that explain: of facts given by hand, of a share, and of whom a package could reach."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.cli.matching import harmless_cell
from tests.world import PLAIN, World, build_world, serving

# All that the shipped set reads of XD, which retains the death penalty and gave no assurance for the case.
HELD = """
context.mode: proactive
context.purpose: criminal
context.case: case-1
context.today: 2026-05-01
context.items_given: 2
recipient.jurisdiction: XD
recipient.competent: true
recipient.crimes: [war_crimes]
recipient.death_penalty: retained
recipient.fair_trial: ok
recipient.in_absentia: none
recipient.torture_risk: low
recipient.assurances: [specialty]
recipient.data_protection: adequate
recipient.arrangements: [confidentiality]
item.product: evidence
item.crimes: [war_crimes]
item.consent.status: granted
item.consent.scope: any
item.consent.purposes: [criminal]
item.consent.excluded: []
item.consent.limits: []
item.consent.no_death_penalty: false
item.personal_data: ordinary
item.originator_control: none
item.lead_only: false
item.tlp: AMBER
item.police_codes: []
item.has_embargo: false
items:
- {name: a.pdf, item.suite: pq, item.sgbv: false, item.witness_protected: false, item.identifies: []}
- {name: b.pdf, item.suite: classic, item.sgbv: true, item.witness_protected: true, item.identifies: [victim]}
"""


def called(*args: str) -> Result:
    """Call the command line in this process."""
    return CliRunner().invoke(app, args)


def test_facts_of_several_items_are_explained_with_what_is_missing(tmp_path: Path) -> None:
    facts, pdf = tmp_path / "facts.yaml", tmp_path / "page.pdf"
    facts.write_text(HELD)
    done = called("policy", "explain", str(facts), "--pdf", str(pdf))
    assert done.stdout.startswith("DENY")
    assert "a.pdf" in done.stdout
    assert "- ask the recipient's state for the assurance: death penalty\n" in done.stdout
    assert "- deposit the item again under the post-quantum suite" in done.stdout
    assert pdf.read_bytes().startswith(b"%PDF")
    data = json.loads(called("policy", "explain", str(facts), "--json").stdout)
    assert data["outcome"] == data["explanation"]["outcome"] == "deny"
    assert [g["names"] for g in data["explanation"]["groups"]] == [["a.pdf"], ["b.pdf"]]
    told = called("policy", "explain", str(facts), "--recipient", "--pdf", str(pdf)).stdout
    assert told == "not available: protection, rights\n"
    nowhere = called("policy", "explain", str(facts), "--pdf", str(tmp_path / "no" / "page.pdf"))
    assert nowhere.exit_code == 2
    assert "cannot be written" in nowhere.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("items: []", "items is a list"),
        ("- 1", "maps facts to values"),
        ("{stranger.x: 1}", "unknown fact"),
        ("items: [{context.today: 2026-01-01}, {context.today: 2026-01-02}]", "same for all items"),
    ],
)
def test_a_file_of_facts_that_cannot_be_read_says_why(tmp_path: Path, text: str, says: str) -> None:
    facts = tmp_path / "facts.yaml"
    facts.write_text(text)
    done = called("policy", "explain", str(facts))
    assert done.exit_code == 2
    assert says in done.stderr
    done = called("policy", "explain", str(tmp_path / "none.yaml"))
    assert "cannot be read" in done.stderr


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = build_world(tmp_path_factory.mktemp("explain"), ("xa", "xd"))
    with serving(world):
        yield world


def test_a_share_is_explained_and_a_package_matched_at_the_command_line(served: World) -> None:
    root, who = served.root, ("--as", str(served.folder("sharer")))
    note, facts = root / "=note.txt", root / "facts.yaml"
    note.write_text("what many should know")
    facts.write_text(json.dumps({"*": PLAIN}))
    said = ("--rationale", "They asked for it", "--case", "case-1")
    pushed = called("push", str(note), "--facts", str(facts), *said, *who, "--json").stdout
    package = json.loads(pushed)["package"]
    proposed = called("share", "propose", package, "xd-prosecutor", *who, "--json").stdout
    share = json.loads(proposed)["share"]
    pdf = root / "page.pdf"
    text = called("share", "explain", share, "--pdf", str(pdf), *who).stdout
    assert f"share {share} for xd-prosecutor: decision 0, made to propose" in text
    assert "- ask the recipient's state for the assurance: death penalty\n" in text
    assert pdf.read_bytes().startswith(b"%PDF")
    told = called("share", "explain", share, "--recipient", "--json", *who).stdout
    assert json.loads(told) == {"outcome": "not available", "reasons": ["rights"]}
    matched = called("match", package, "--csv", str(root / "m.csv"), *who)
    assert "permit:" in matched.stdout
    assert f"gateway share propose {package} xa-prosecutor" in matched.stderr
    with (root / "m.csv").open(newline="") as handle:
        rows = {row["authority"]: row for row in csv.DictReader(handle)}
    assert rows["xd-prosecutor"]["outcome"] == "deny"
    wanted = "ask the recipient's state for the assurance: death penalty"
    assert rows["xd-prosecutor"]["missing"].startswith(wanted)
    assert rows["XE (none enrolled)"]["missing"] == "an authority of XE, enrolled in the directory"
    assert rows["xa-prosecutor"]["missing"] == ""
    grid = called("match", package, package, "--items", "--csv", str(root / "i.csv"), *who)
    assert "xd-prosecutor" in grid.stdout
    with (root / "i.csv").open(newline="") as handle:
        (line,) = csv.DictReader(handle)
    assert (line["item name"], line["xd-prosecutor"], line["xa-prosecutor"]) == (
        "'=note.txt",
        "deny",
        "permit",
    )


def test_no_cell_of_a_table_is_taken_for_a_formula() -> None:
    for start in "=+-@\t\r\n":
        assert harmless_cell(f"{start}cmd") == f"'{start}cmd"
    assert harmless_cell("plain = text") == "plain = text"
    assert harmless_cell("") == ""
