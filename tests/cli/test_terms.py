"""The commands around terms: what is announced, shown before anything is fetched, signed, and in its last days."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.exchange.terms import SUPPORTS
from tests.cli.test_staff import FACTS, Desk
from tests.sharing.rules import ask_for
from tests.world import World, build_world, in_days, serving

UNSIGNED = 11  # exit code


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    world = build_world(tmp_path_factory.mktemp("terms"), ("xa",))
    ask_for(world, "{terms: signed, expiry_days: 9}", begun=False)
    with serving(world):
        yield Desk(world)


@pytest.fixture(scope="module")
def share(desk: Desk) -> str:
    facts = desk.file("facts.yaml", FACTS % ("granted", "false"))
    note = desk.file("note.txt", "what was seen")
    why = ("--rationale", "r", "--case", "case-9")
    package = desk("sharer", "push", note, "--facts", facts, *why)["package"]
    made = desk("sharer", "share", "propose", package, "xa-prosecutor")
    assert made["outcome"] == "permit", made
    desk("releaser", "share", "release", made["share"])
    return str(made["share"])


def test_a_share_whose_terms_are_to_be_signed_is_pulled_after_it(desk: Desk, share: str) -> None:
    out, last = desk.world.root / "out", in_days(9)
    said = desk("xa", "pull", share, "--out", str(out), expect=UNSIGNED)
    file = out / f"{share}.terms.json"
    for line in (
        "handling (TLP): AMBER",
        "onward sharing: only with the mechanism's consent",
        "use only for the purposes: criminal",
        f"served until: {last} (UTC)",
        f"gateway endpoint sign-terms {share} --terms {file} --as OFFICER",
        "an officer has to sign",
    ):
        assert line in said, said
    assert not (out / share).exists()
    kept = json.loads(file.read_text())
    assert (kept["share"], kept["expires"], kept["terms"]["terms"]) == (share, last, "signed")

    desk("xa", "endpoint", "terms", share, expect=UNSIGNED)
    tried = desk("xa-officer", "endpoint", "sign-terms", share, "--terms", str(file), "--dry-run")
    assert not tried["signed"]
    desk("xa", "endpoint", "terms", share, "--out", str(file), expect=UNSIGNED)
    shown = desk.text("sharer", "status")
    assert "sign the terms" in " ".join(shown.split())
    assert f"its last day, {last}" in " ".join(shown.split())

    signed = desk("xa-officer", "endpoint", "sign-terms", share, "--terms", str(file))
    assert signed == {"share": share, "terms": tried["terms"], "signed": True}
    assert "signed" in desk.text("xa", "endpoint", "terms", share).splitlines()[-1]
    (done,) = desk("xa", "pull", share, "--out", str(out))
    assert (done["share"], done["items"]) == (share, ["note.txt"])
    assert (out / share / "note.txt").read_text() == "what was seen"


def test_terms_of_another_share_or_changed_on_their_way_are_not_signed(
    desk: Desk, share: str
) -> None:
    file = desk.world.root / "changed.json"
    CliRunner().invoke(
        app,
        ["endpoint", "terms", share, "--out", str(file), "--as", str(desk.world.folder("xa"))],
    )
    kept = json.loads(file.read_text())
    sign = ("endpoint", "sign-terms", share, "--terms", str(file))
    file.write_text(json.dumps({**kept, "share": "shr_aeaqcaibaeaqcaibaeaqcaibae"}))
    assert "of another share" in desk("xa-officer", *sign, expect=2)
    kept["terms"]["onward"] = "allowed"
    file.write_text(json.dumps(kept))
    assert "under other terms" in desk("xa-officer", *sign, expect=3)


def keys(world: World, *args: str, expect: int = 0) -> str:
    done = CliRunner().invoke(app, ["keys", *args, "--instance", str(world.instance)])
    assert done.exit_code == expect, done.output
    return str(done.output)


def test_what_an_endpoint_supports_goes_into_the_directory(tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["endpoint", "supports"]).output.strip()
    assert printed == ",".join(SUPPORTS)
    as_json = CliRunner().invoke(app, ["endpoint", "supports", "--json"]).output
    assert json.loads(as_json) == {"supports": [*SUPPORTS]}
    world = build_world(tmp_path, ())
    add = ("add-party", "xa-prosecutor", "Prosecutor of XA", "--jurisdiction", "XA")
    keys(world, *add, "--supports", printed)
    out = str(tmp_path / "xa")
    keys(
        world, "add-service", "xa-prosecutor", "e", "--role", "endpoint", "--out", out, "--unsealed"
    )
    assert f"xa-prosecutor supports {printed}" in keys(world, "list")
    keys(world, "supports", "xa-prosecutor", "onward, handling")
    rows = json.loads(keys(world, "list", "--json"))
    assert {r["supports"] for r in rows if r["party"] == "xa-prosecutor"} == {"handling,onward"}
    assert "a word of" in keys(world, "supports", "xa-prosecutor", "On-Ward", expect=2)
    assert "only an authority" in keys(world, "supports", "mechanism", "onward", expect=2)
    keys(world, "supports", "xa-prosecutor", "")
    assert "supports" not in keys(world, "list")
