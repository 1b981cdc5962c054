"""The commands of the sharing team and of an authority around RFAs, facts, holds and suspension."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.exchange.parties import Role
from tests.world import World, build_world, in_days, serving


@dataclass
class Desk:
    """Everyone's command line, in this process; the server is another one."""

    world: World

    def __call__(self, who: str, *args: str, expect: int = 0) -> Any:
        """Run a command with --json as *who*; return what it printed."""
        done = CliRunner().invoke(app, [*args, "--json", "--as", str(self.world.folder(who))])
        assert done.exit_code == expect, f"{args}: {done.exit_code}\n{done.output}"
        return json.loads(done.stdout) if expect == 0 and done.stdout.strip() else done.output

    def text(self, who: str, *args: str) -> str:
        """Run a command for people; return what it printed."""
        done = CliRunner().invoke(app, [*args, "--as", str(self.world.folder(who))])
        assert done.exit_code == 0, done.output
        return done.output

    def file(self, name: str, text: str) -> str:
        path = self.world.root / name
        path.write_text(text)
        return str(path)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    world = build_world(tmp_path_factory.mktemp("staff"), ("xa", "xb"))
    world.add_staff("second", Role.RFA_OFFICER, Role.SHARER)
    world.sign()
    with serving(world):
        yield Desk(world)


FACTS = """'*':
  item.crimes: [war_crimes]
  item.consent.status: %s
  item.consent.scope: any
  item.consent.purposes: [criminal]
  item.consent.excluded: []
  item.consent.limits: []
  item.consent.no_death_penalty: false
  item.witness_protected: false
  item.sgbv: %s
  item.identifies: []
  item.personal_data: ordinary
  item.originator_control: none
  item.lead_only: false
  item.tlp: AMBER
  item.police_codes: []
  item.has_embargo: false
"""


def push(desk: Desk, *basis: str, status: str = "granted", sgbv: str = "false") -> tuple[str, str]:
    """Deposit a note; return package and item."""
    note, facts = desk.file("note.txt", "a note"), desk.file("facts.yaml", FACTS % (status, sgbv))
    basis = basis or ("--rationale", "a reason")
    made = desk("sharer", "push", note, "--facts", facts, *basis)
    return made["package"], made["items"][0]["item"]


def send(desk: Desk, who: str = "xa", *more: str) -> str:
    text = desk.file("ask.txt", "All on the bridge, please")
    asks = ("--investigation", "inv-1", "--crime", "war_crimes", "--crime", "genocide")
    return str(desk(who, "rfa", "send", text, *asks, *more)["rfa"])


def admit(desk: Desk, rfa: str) -> None:
    number = f"M-{rfa[4:10]}"
    desk("officer", "rfa", "register", rfa, "--number", number, "--due", in_days(60))
    checks = ("--valid-to", in_days(300), "--evidence", "note 7")
    desk("officer", "rfa", "assess", rfa, *checks)


def test_an_rfa_by_command_line_from_question_to_answer(desk: Desk) -> None:
    rfa = send(desk)
    shown = desk.text("officer", "rfa", "show", rfa, "--read")
    assert "All on the bridge" in shown and "possible: inform, register, withdraw" in shown
    admit(desk, rfa)
    question = desk.file("question.txt", "Which bridge?")
    assert desk("officer", "rfa", "ask", rfa, question)["state"] == "clarification"
    assert "Which bridge?" in desk.text("xa", "rfa", "show", rfa, "--read")
    reply = desk.file("reply.txt", "The old one")
    assert desk("xa", "rfa", "reply", rfa, reply)["state"] == "in progress"
    note = desk.file("tell.txt", "We work on it")
    desk("officer", "rfa", "tell", rfa, note)
    desk("officer", "rfa", "extend", rfa, "--due", in_days(90), "--reason", "illness")
    package, _ = push(desk, "--rfa", rfa)
    (made,) = [desk("sharer", "share", "propose", package, "xa-prosecutor")]
    assert made["outcome"] == "permit", made["explanation"]
    desk("releaser", "share", "release", made["share"])
    answer = desk.file("answer.txt", "Please find one item")
    assert desk("officer", "rfa", "answer", rfa, answer)["state"] == "answered"
    assert desk("officer", "rfa", "close", rfa)["state"] == "closed"
    (row,) = [row for row in desk("xa", "rfa", "list") if row["rfa"] == rfa]
    assert (row["state"], row["due"]) == ("closed", in_days(90))
    assert rfa not in desk.text("officer", "rfa", "list", "--open")


def test_what_another_party_wrote_does_not_steer_the_terminal(desk: Desk) -> None:
    text = desk.file("evil.txt", "before \x1b[2J\x1b]0;title\x07 [bold]after[/] \u202egpj.exe")
    rfa = str(
        desk("xa", "rfa", "send", text, "--investigation", "[red]i[/]", "--crime", "genocide")[
            "rfa"
        ]
    )
    shown = desk.text("officer", "rfa", "show", rfa, "--read")
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown
    assert "[bold]after[/]" in shown
    listed = desk.text("officer", "rfa", "list")
    assert "\x1b[31m" not in listed


def test_an_rfa_is_declined_reopened_and_withdrawn(desk: Desk) -> None:
    rfa = send(desk, "xb", "--death-penalty", "possible")
    number = ("--number", "M-77", "--due", in_days(60))
    desk("officer", "rfa", "register", rfa, *number)
    checks = ("--valid-to", in_days(300), "--evidence", "note 7")
    assert desk("officer", "rfa", "assess", rfa, *checks, "--not-met", "penalty")["state"] == (
        "registered"
    )
    text = desk.file("no.txt", "We regret")
    desk("officer", "rfa", "decline", rfa, text, "--reason", "death penalty")
    again = ("--due", in_days(50), "--reason", "an assurance came")
    assert desk("officer", "rfa", "reopen", rfa, *again)["state"] == "registered"
    assert desk("xb", "rfa", "withdraw", rfa)["state"] == "withdrawn"
    said = desk("officer", "rfa", "ask", rfa, text, expect=7)
    assert "cannot ask an RFA that is withdrawn; possible: close, reopen" in said


def test_mistakes_are_explained_before_anything_is_sent(desk: Desk) -> None:
    text = desk.file("ask.txt", "text")
    base = ("rfa", "send", text, "--investigation", "i")
    assert "invalid enum" in desk("xa", *base, "--crime", "theft", expect=2)
    gone = ("rfa", "send", str(desk.world.root / "none"), "--investigation", "i")
    assert "cannot be read" in desk("xa", *gone, "--crime", "genocide", expect=2)
    fact = ("facts", "attest", "recipient.competent", "true", "--jurisdiction", "XA")
    said = desk("legal", *fact, "--until", in_days(9), expect=2)
    assert "--document or --rfa" in said
    rfa = send(desk)
    number = ("--number", "1", "--due", "2026-13-45")
    assert "expected a date" in desk("officer", "rfa", "register", rfa, *number, expect=2)
    ended = ("facts", "end", "att_x", "--reason", "r")
    assert "not an id of kind att" in desk("legal", *ended, expect=2)
    checks = ("--valid-to", in_days(9), "--evidence", "e", "--not-met", "weather")
    assert "a check is one of" in desk("officer", "rfa", "assess", rfa, *checks, expect=2)


def test_an_rfa_from_paper_by_command_line(desk: Desk) -> None:
    scan = desk.file("letter.pdf", "%PDF-1.4 a letter")
    said = (
        "--authority", "xb-prosecutor", "--investigation", "inv-3", "--crime", "genocide",
        "--number", "P-1", "--received", in_days(-4), "--due", in_days(60),
    )  # fmt: skip
    made = desk("second", "rfa", "record", scan, *said)
    assert made["state"] == "recorded"
    assert "confirm" in desk.text("officer", "approvals")
    refused = desk("second", "rfa", "confirm", made["rfa"], expect=5)
    assert "does not confirm it" in refused
    assert desk("officer", "rfa", "confirm", made["rfa"])["state"] == "registered"
    (row,) = [row for row in desk("officer", "rfa", "list") if row["rfa"] == made["rfa"]]
    assert row["origin"] == "paper"
    other = desk("second", "rfa", "record", scan, *said[:7], "P-2", *said[8:])
    struck = desk("second", "rfa", "strike", other["rfa"], "--reason", "twice")
    assert struck["state"] == "withdrawn"


def test_a_hold_is_seen_cleared_and_released_by_command_line(desk: Desk) -> None:
    package, item = push(desk, status="consult_first", sgbv="true")
    rows = {row["short"]: row for row in desk("sharer", "match", package)}
    assert rows["xa-prosecutor"]["outcome"] == "hold"
    assert rows["xa-prosecutor"]["obligations"]["consultation"] == ["source"]
    assert "the agreement of the source, consulted" in rows["xa-prosecutor"]["ways"][0]
    shown = desk.text("sharer", "match", package)
    assert "consultation:" in shown and "source; handling:" in shown, "folded to the column"
    made = desk("sharer", "share", "propose", package, "xa-prosecutor", "xb-prosecutor")
    one, two = (m["share"] for m in made)
    queue = desk("legal", "approvals")["held"]
    assert {row["share"] for row in queue} >= {one, two}
    assert "gateway share approve" in desk.text("legal", "approvals")
    paper = desk.file("consent.txt", "The source agrees")
    for share in (one, two):
        desk("legal", "share", "approve", share, "--role", "legal_adviser")
        desk("victims", "share", "approve", share, "--role", "victims_unit")
        done = desk("liaison", "share", "consult", share, "--whom", "source", "--document", paper)
        assert done["state"] == "proposed"
    assert [m["state"] for m in desk("releaser", "share", "release", one, two)] == [
        "available", "available",
    ]  # fmt: skip
    waiting = {row["share"]: row["waits_for"] for row in desk("sharer", "status")["shares"]}
    assert waiting[one] == waiting[two] == "the authority: pull"
    assert one in desk.text("sharer", "status"), "an id stays in one piece"
    change = ("--document", paper, "--set", "consent.status=refused")
    dry = desk("liaison", "item", "amend", item, *change, "--dry-run")
    assert dry["after"]["item.consent.status"] == "refused"
    assert desk("liaison", "item", "facts", item)["facts"]["item.consent.status"] == (
        "consult_first"
    )
    desk("liaison", "item", "amend", item, *change)
    assert {row["share"] for row in desk("sharer", "share", "suspended")} == {one, two}
    assert one in desk.text("sharer", "share", "suspended")
    desk("liaison", "item", "amend", item, "--document", paper, "--set", "consent.status=granted")


def test_what_is_kept_back_is_listed_and_reviewed(desk: Desk) -> None:
    package, item = push(desk, status="refused")
    assert desk("sharer", "share", "propose", package, "xb-prosecutor")["state"] == "denied"
    assert desk("sharer", "status")["withheld"] == [], "nobody called it exculpatory"
    paper = desk.file("paper.pdf", "what the defence asked for")
    desk("liaison", "item", "amend", item, "--document", paper, "--set", "exculpatory=true")
    (one,) = desk("officer", "withheld", "list", "--open")["withheld"]
    assert (one["item"], one["cause"], one["due"]) == (item, "denied", True)
    assert "KEPT BACK" in desk.text("sharer", "status")
    assert one["why"]["rules"] == ["consent.refused"]
    listed = desk.text("officer", "withheld", "list")
    assert one["withheld"] in listed
    assert "denied" in listed
    assert "review" in desk.text("reviewer", "approvals")
    about = ("withheld", "review", one["withheld"], "--reason", "it names a source")
    looked = desk("reviewer", *about, "--finding", "disclose", "--dry-run")
    assert (looked["dry_run"], looked["due"]) == (True, True)
    assert desk("reviewer", "approvals")["review"], "a dry run signs nothing"
    assert "one of upheld, disclose" in desk("reviewer", *about, "--finding", "fine", expect=2)
    desk("sharer", *about, "--finding", "upheld", expect=5)
    assert "is reviewed: upheld" in desk.text("reviewer", *about, "--finding", "upheld")
    assert desk("reviewer", "approvals")["review"] == []
    desk("reviewer", *about, "--finding", "disclose", expect=7)
    _, other = push(desk)
    package, _ = push(desk)
    assert desk("sharer", "share", "propose", package, "xb-prosecutor")["state"] == "proposed"
    assert other not in str(desk("officer", "withheld", "list")), "a package of nobody's yet"
    rfa = send(desk)
    assert desk("officer", "rfa", "withheld", rfa) == {"rfa": rfa, "withheld": []}
    desk("sharer", "rfa", "withheld", rfa, expect=5)


def test_facts_are_attested_listed_and_ended(desk: Desk) -> None:
    paper = desk.file("review.txt", "The review of XB")
    made = desk(
        "legal", "facts", "attest", "recipient.fair_trial", "concerns", "--jurisdiction", "XB",
        "--until", in_days(30), "--document", paper,
    )  # fmt: skip
    package, _ = push(desk)
    rows = {row["short"]: row for row in desk("sharer", "match", package)}
    assert rows["xb-prosecutor"]["missing"] == {
        "approval:head_of_mechanism": 1, "approval:legal_adviser": 1,
    }  # fmt: skip
    assert made["attestation"] in desk.text("legal", "facts", "list")
    (row,) = desk("legal", "facts", "list")
    assert (row["state"], row["valid_to"]) == ("in force", in_days(30))
    desk("legal", "facts", "end", made["attestation"], "--reason", "superseded")
    states = {row["attestation"]: row["state"] for row in desk("legal", "facts", "list")}
    assert states[made["attestation"]] == "ended"
    rfa = send(desk)
    cited = desk(
        "legal", "facts", "attest", "recipient.assurances", "[death_penalty]", "--jurisdiction",
        "XA", "--until", in_days(30), "--rfa", rfa, "--case", "inv-1",
        "--authority", "xa-prosecutor",
    )  # fmt: skip
    assert cited["attestation"].startswith("att_")


def test_what_happens_is_followed_line_by_line(desk: Desk) -> None:
    push(desk)
    lines = [
        json.loads(line)
        for line in CliRunner()
        .invoke(
            app,
            ["watch", "--start", "0", "--count", "3", "--json", "--as",
             str(desk.world.folder("sharer"))],
        )
        .stdout.splitlines()
    ]  # fmt: skip
    assert [line["index"] for line in lines] == [0, 1, 2]
    assert lines[0]["kind"] == "directory.accepted"
    send(desk)
    told = desk.text("xa", "watch", "--start", "0", "--count", "1")
    assert "rfa.received" in told


def test_compliance_counts_from_the_ledger(desk: Desk) -> None:
    found = desk("auditor", "ledger", "figures")
    assert found["rfas"] >= 1 and found["jurisdictions"] in (1, 2)
    assert "declared, and not counted above" in desk.text("auditor", "ledger", "figures")
    said = desk("sharer", "ledger", "figures", expect=5)
    assert "counted by compliance" in said, "nobody reads zeros that are only closed entries"


def test_the_shell_completes_commands_and_options() -> None:
    """As bash asks for it: the words so far, and which of them the cursor is in."""
    for line, wanted in (("gateway rfa ", "register"), ("gateway rfa register --", "--number")):
        done = CliRunner().invoke(
            app,
            prog_name="gateway",
            env={
                "_GATEWAY_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(len(line.split(" ")) - 1),
            },
        )
        assert wanted in done.output.split("\n"), done.output


def test_every_new_command_says_what_it_does(desk: Desk) -> None:
    for group in ((), ("rfa",), ("facts",), ("item",), ("history",), ("share",)):
        done = CliRunner().invoke(app, [*group, "--help"])
        assert done.exit_code == 0
        assert "Usage" in done.output


def test_who_holds_an_item_is_shown(desk: Desk) -> None:
    package, item = push(desk)
    share = desk("sharer", "share", "propose", package, "xa-prosecutor")["share"]
    desk("releaser", "share", "release", share)
    assert desk("sharer", "item", "holders", item) == []
    out = desk.world.root / "out"
    desk("xa", "pull", share, "--out", str(out))
    (row,) = desk("sharer", "item", "holders", item)
    assert (row["authority"], row["origin"]) == ("xa-prosecutor", "signed")
    assert (Path(out) / share / "note.txt").read_text() == "a note"
