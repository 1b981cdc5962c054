"""`gateway policy …` as an author types it."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from tests.authoring.small import FILES, RULES
from tests.vectors import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        path = tmp_path / "policies" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "policies"


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["policy", *map(str, args)])


def edit(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def test_check_says_every_finding_with_its_line_and_fails_when_told_to_be_strict(
    folder: Path,
) -> None:
    done = run("check", folder)
    assert done.exit_code == 0
    assert "the set is sound: 4 rules" in done.stdout
    assert "vocabulary.yaml:6: warning unread-attribute: item.marks" in done.stderr
    assert run("check", folder, "--strict").exit_code == 1
    told = json.loads(run("check", folder, "--json").stdout)
    assert {one["lint"] for one in told["findings"]} == {"unread-attribute"}
    assert told["problems"] == []
    lines = [
        f"- {{lint: unread-attribute, attribute: {one['attribute']}, why: kept for later}}\n"
        for one in told["findings"]
    ]
    (folder / "lint.yaml").write_text(f"accepted:\n{''.join(lines)}")
    done = run("check", folder, "--strict")
    assert done.exit_code == 0
    assert "4 accepted findings" in done.stdout


def test_check_judges_terms_by_a_date(folder: Path) -> None:
    assert "term-over: embargo" not in run("check", folder, "--on", "2026-12-31").stderr
    assert "rules/all.yaml:26: warning term-over: embargo" in run("check", folder, "--on", "2027-01-01").stderr  # fmt: skip
    assert run("check", folder, "--on", "soon").exit_code == 2


def test_check_names_all_that_keeps_a_set_from_loading(folder: Path) -> None:
    edit(folder, "rules/all.yaml", "effect: permit", "effect: permits")
    edit(folder, "tests/all.yaml", "rules: [embargo]", "rules: [embrgo]")
    (folder / "rules" / "late.yml").write_text("rules: []\n")
    done = run("check", folder)
    assert done.exit_code == 2
    assert (
        "rules/all.yaml:4: error: unknown effect 'permits'; did you mean 'permit'?" in done.stderr
    )
    assert "did you mean 'embargo'?" in done.stderr
    assert "2 mistakes" in done.stdout
    told = json.loads(run("check", folder, "--json").stdout)
    assert (told["digest"], len(told["problems"])) == (None, 2)
    assert run("check", folder / "nothing").exit_code == 2
    edit(folder, "rules/all.yaml", "effect: permits", "effect: permit")
    edit(folder, "tests/all.yaml", "rules: [embrgo]", "rules: [embargo]")
    done = run("check", folder)
    assert done.exit_code == 1
    assert "rules/late.yml: error stray-file" in done.stderr


def test_test_shows_a_table_and_what_is_other_of_a_case_that_fails(folder: Path) -> None:
    done = run("test", folder)
    assert done.exit_code == 0
    assert "4 of 4 cases hold" in done.stdout
    assert "item.grade 5" in done.stdout
    edit(folder, "rules/all.yaml", "handling: AMBER", "handling: RED")
    done = run("test", folder)
    assert done.exit_code == 1
    assert "tests/all.yaml:10: case plain fails" in done.stderr
    assert "with the base as it is" in done.stderr
    assert "obligations: handling is RED, expected AMBER" in done.stderr
    told = json.loads(run("test", folder, "--json").stdout)
    assert (told["cases"], told["failed"]) == (4, ["plain", "low"])
    assert told["results"][3]["changes"] == {"item.grade": 5}
    assert run("test", folder, "-k", "secret").exit_code == 0
    assert run("test", folder, "-k", "nothing").exit_code == 1


def test_coverage_names_the_values_that_never_were(folder: Path) -> None:
    done = run("coverage", folder)
    assert done.exit_code == 0
    assert "58.3 %" in done.stdout
    assert "false, unknown" in done.stdout
    told = json.loads(run("coverage", folder, "--json").stdout)
    assert told["rules"][0] == {
        "rule": "release",
        "true": 4,
        "false": 0,
        "unknown": 0,
        "missing": ["false", "unknown"],
    }
    assert run("coverage", folder, "--fail-under", "58").exit_code == 0
    assert run("coverage", folder, "--fail-under", "59").exit_code == 1


def test_mutate_names_survivors_until_they_are_explained(folder: Path) -> None:
    done = run("mutate", folder, "--rule", "embargo")
    assert done.exit_code == 1
    assert "rules/all.yaml:27: survives: with the day itself too" in done.stderr
    told = json.loads(run("mutate", folder, "--rule", "embargo", "--json").stdout)
    lines = [f"- {{mutant: {one['mutant']}, why: so it is}}\n" for one in told["survivors"]]
    (folder / "survivors.yaml").write_text(f"survivors:\n{''.join(lines)}")
    done = run("mutate", folder, "--rule", "embargo")
    assert done.exit_code == 0
    assert f"{len(lines)} explained, 0 survive" in done.stdout
    (folder / "survivors.yaml").write_text("survivors:\n- {mutant: embargo dropped, why: no}\n")
    done = run("mutate", folder, "--rule", "embargo")
    assert done.exit_code == 1
    assert "survivors.yaml:2: error" in done.stderr
    assert run("mutate", folder, "--rule", "embrgo").exit_code == 6


def test_fmt_writes_the_form_and_check_only_tells(folder: Path) -> None:
    done = run("fmt", folder, "--check")
    assert done.exit_code == 1
    assert "tests/all.yaml: has another form" in done.stderr
    assert (folder / "rules/all.yaml").read_bytes() == RULES
    digest = json.loads(run("check", folder, "--json").stdout)["digest"]
    done = run("fmt", folder)
    assert done.exit_code == 0
    assert "tests/all.yaml: formatted" in done.stderr
    assert run("fmt", folder, "--check").exit_code == 0
    assert json.loads(run("check", folder, "--json").stdout)["digest"] == digest
    assert "# the one that opens" in (folder / "rules/all.yaml").read_text()
    assert sorted(p.name for p in folder.rglob("*.new")) == []
    edit(folder, "rules/all.yaml", "effect: permit", "effect:   permits")
    assert run("fmt", folder).exit_code == 0


def test_new_rule_writes_a_rule_that_check_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    before = (folder / "rules/all.yaml").read_bytes()
    done = run("new", "rule", "embargo.two", "--title", "Later", "--dry-run")
    assert done.exit_code == 0
    assert "when: {not: true}" in done.stdout
    assert (folder / "rules/all.yaml").read_bytes() == before
    args = ("--basis", "Order 8", "--effect", "deny", "--reason", "time", "--in", folder)
    assert run("new", "rule", "embargo.two", "--title", "Later", *args).exit_code == 0
    assert (folder / "rules/all.yaml").read_bytes().startswith(before)
    done = run("check", folder)
    assert done.exit_code == 1
    assert "unfilled: embargo.two" in done.stderr
    assert run("test", folder).exit_code == 0
    assert run("new", "rule", "embargo.two").exit_code == 7
    assert run("new", "rule", "low.again", "--like", "low.grade").exit_code == 0
    assert "effect: require" in (folder / "rules/all.yaml").read_text().partition("low.again")[2]
    for wrong in (("--effect", "dney"), ("--reason", "tiem"), ("--file", "../x")):
        assert run("new", "rule", "another", *wrong).exit_code == 2
    assert run("new", "rule", "another", "--like", "embrgo").exit_code == 6
    assert run("new", "rule").exit_code == 2
    monkeypatch.chdir(folder)
    assert "name the policy folder" in run("new", "rule", "another").stderr


def test_new_rule_asks_on_a_terminal(folder: Path) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"embargo.two\ndeny\nLater, please\nOrder 8\ntime\n")
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "policy", "new", "rule", "--in", str(folder)],
        stdin=theirs,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    text = (folder / "rules/all.yaml").read_text()
    assert "id: embargo.two\n  effect: deny\n  reason: time\n  title: Later, please\n" in text


def test_schemas_are_written_and_say_how_to_use_them(folder: Path) -> None:
    made = json.loads(run("schema", folder).stdout)
    assert run("schema", folder, "--out", folder / "schema").exit_code == 0
    for name, schema in made.items():
        assert json.loads((folder / "schema" / name).read_text()) == schema
    done = run("schema", folder, "--modelines")
    assert "rules/all.yaml: # yaml-language-server: $schema=../schema/rules.schema.json" in done.stdout  # fmt: skip
    line = "# yaml-language-server: $schema=../schema/rules.schema.json\n"
    (folder / "rules/all.yaml").write_text(line + RULES.decode())
    run("fmt", folder)
    assert (folder / "rules/all.yaml").read_text().startswith(line)
