"""The lawyers' guide holds what it says: its blocks, typed as they stand, change the rules of a running gateway."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.vectors import ROOT
from tests.world import World, build_world, running, serving, share_with, source

pytest.importorskip("z3", reason="the extra `author` is not installed")
PAGE = (ROOT / "docs" / "lawyers-guide.md").read_text(encoding="utf-8")
RULE = "analysis.confidentiality"


def blocks(label: str) -> list[str]:
    found = re.findall(rf"^```{re.escape(label)}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"the guide has no block {label}"
    return found


def typed(folder: Path, text: str, **env: str) -> str:
    """Run a block with the system's shell, where the people of the guide have their key folders."""
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / "gateway"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gateway "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", text],
        cwd=folder,
        env={
            **os.environ, **env, "PYTHONPATH": str(ROOT), "COLUMNS": "200",
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def asked(folder: Path, *words: str) -> Any:
    """Run a command of the sharing team that answers in JSON."""
    command = ["gateway", *words, "--json"]
    return json.loads(typed(folder, " ".join(f"'{word}'" for word in command)).split("\n", 1)[0])


def write_rule(policies: Path) -> None:
    """Do what section 2 leaves to an editor: put the condition in the place of the open one."""
    (condition,) = blocks("yaml condition")
    path = policies / "rules" / "50-control.yaml"
    before, after = path.read_text().split(f"- id: {RULE}\n")
    written = "when:\n" + "".join(f"    {line}\n" for line in condition.splitlines())
    changed = re.sub(r"when: \{not: true\}.*\n", written, after, count=1)
    assert changed != after
    path.write_text(f"{before}- id: {RULE}\n{changed}")


def write_cases(policies: Path) -> None:
    """Do what section 3 leaves to an editor: the cases in the place of the one that was begun."""
    (cases,) = blocks("yaml cases")
    begun = [
        p
        for p in (policies / "tests").glob("*.yaml")
        if "analysis-confidentiality" in p.read_text()
    ]
    assert [path.name for path in begun] == ["cases.yaml"]
    text = begun[0].read_text()
    at = (
        text.index("- id: analysis-confidentiality")
        if "- id: analysis-confidentiality" in text
        else (text.index("- {id: analysis-confidentiality"))
    )
    at = text.rfind("\n#", 0, at) + 1 or at
    begun[0].write_text(text[:at] + cases)


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """A gateway that has decided something before, and the people of the guide."""
    made = build_world(tmp_path / "world", ("xa", "xc"))
    (tmp_path / "note.txt").write_text("a note")
    async with running(made):
        await share_with(made, "xa", [source(tmp_path / "note.txt")])
    for name, who in (("author", "author1"), ("second-author", "author2"), ("sharer", "sharer")):
        shutil.copytree(made.folder(who), tmp_path / name)
    return made


@pytest.mark.slow
def test_a_lawyer_goes_the_whole_way_by_the_guide_alone(world: World, tmp_path: Path) -> None:
    begin, new, checks, changes, sign, force, explain, told = blocks("sh")
    policies = tmp_path / "policies"
    with serving(world):
        typed(tmp_path, begin)
        typed(tmp_path, new)
        write_rule(policies)
        write_cases(policies)
        said = typed(tmp_path, checks)
        assert "0 survive" in said
        assert "10 of 10 invariants proved" in said
        said = typed(tmp_path, changes)
        assert "newly denied" in said
        assert "newly permitted" not in said
        typed(tmp_path, sign)
        typed(tmp_path, force)
        assert asked(tmp_path, "policy", "sets", "--as", "author")["in_force"] == 2

        item = _deposited(tmp_path)
        package = asked(
            tmp_path, "package", item, "--as", "sharer", "--product", "analytical_product",
            "--rationale", "It shows a chain of command", "--case", "case-1",
        )["package"]  # fmt: skip
        refused = asked(tmp_path, "share", "propose", package, "xc-prosecutor", "--as", "sharer")
        assert refused["state"] == "denied"
        lawful = asked(tmp_path, "share", "propose", package, "xa-prosecutor", "--as", "sharer")
        assert lawful["state"] == "proposed", "XA has the arrangement on file"
        said = typed(tmp_path, explain, SHARE=refused["share"])
        assert f"{RULE} (deny): No analytical products" in said
        assert "Directive on analytical products, s. 4" in said
        assert "the arrangements in force with the recipient's state" in said
        assert (tmp_path / "refusal.pdf").read_bytes().startswith(b"%PDF")
        said = typed(tmp_path, told, SHARE=refused["share"])
        assert said.strip() == "not available: protection"


def _deposited(folder: Path) -> str:
    """Deposit a file with facts that the shipped set permits; return its id."""
    from tests.world import PLAIN

    (folder / "analysis.txt").write_text("who commanded whom")
    (folder / "facts.yaml").write_text(json.dumps({"*": PLAIN}))
    made = asked(folder, "push", "analysis.txt", "--facts", "facts.yaml", "--as", "sharer",
                 "--rationale", "It shows a chain of command", "--case", "case-1")  # fmt: skip
    return str(made["items"][0]["item"] if isinstance(made["items"][0], dict) else made["items"][0])
