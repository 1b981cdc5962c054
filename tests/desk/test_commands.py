"""`gateway redact`, `gateway mark` and `gateway item derive` as people type them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.desk import record
from gateway.exchange.acts import Derive
from gateway.exchange.parse import build
from tests.desk.documents import NAME, PLAIN_NAME, pdf
from tests.world import run_cli

XA = "pty_" + "a" * 26
ONE, TWO = "itm_" + "a" * 26, "itm_" + "b" * 25 + "a"
STATEMENT = json.dumps({"witness": {"name": NAME, "town": "Visegrad"}}, ensure_ascii=False)


def gateway(*args: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(arg) for arg in args])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def answer(*args: object) -> Any:
    code, out, err = gateway(*args, "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def statement(tmp_path: Path) -> Path:
    path = tmp_path / "statement.json"
    path.write_text(STATEMENT, encoding="utf-8")
    return path


def test_options_redact_and_the_record_is_beside_the_derivative(statement: Path) -> None:
    out = statement.with_name("out.json")
    args = (statement, "--json-path", "witness.name", "--removes", "witness_identity", "--out", out)
    (row,) = answer("redact", *args)
    assert (row["state"], row["removed"]) == ("made", ["witness_identity"])
    kept = record.read(Path(row["record"]))
    assert kept.derivative_sha256 == row["derivative_sha256"]
    assert Path(row["record"]).stat().st_mode & 0o777 == 0o600
    assert NAME not in Path(row["record"]).read_text()
    assert statement.read_text(encoding="utf-8") == STATEMENT
    (again,) = answer("redact", *args)
    assert again["state"] == "kept"


def test_a_plan_is_repeatable_and_says_line_and_fault(statement: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text(f"\ufeff{NAME}\n\n", encoding="utf-8")
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "redact:\n"
        "  - json_path: witness.town\n    removes: location\n"
        "  - text_file: names.txt\n    removes: witness_identity\n"
    )
    out = tmp_path / "out.json"
    (row,) = answer("redact", statement, "--plan", plan, "--out", out)
    assert row["removed"] == ["location", "witness_identity"]
    before = out.read_bytes()
    plan.write_text(plan.read_text().replace("location", "place"))
    code, _, err = gateway("redact", statement, "--plan", plan, "--out", out)
    assert (code, "exists already" in err) == (7, True)  # another plan is another derivative
    answer("redact", statement, "--plan", plan, "--out", out, "--force")
    assert out.read_bytes() == before
    for text, says in (
        ("redact:\n  - json_path: a\n", "plan.yaml:2: key 'removes' is missing"),
        ("redact:\n  - jsonpath: a\n    removes: b\n", "plan.yaml:2: say exactly one of"),
        ("redact:\n  - regex: '('\n    removes: b\n", "not a regular expression"),
        ("redact:\n  - regex: 'a*'\n    removes: b\n", "everywhere"),
        ("redact:\n  - text: a\n    removes: B c\n", "a word such as"),
        ("redact:\n  - text_file: none.txt\n    removes: b\n", "none.txt cannot be read"),
        ("redact: []\n", "1 to 1000 instructions"),
        ("format: odt\nredact:\n  - text: a\n    removes: b\n", "format is one of"),
    ):
        plan.write_text(text)
        code, _, err = gateway("redact", statement, "--plan", plan, "--out", tmp_path / "o")
        assert code == 2
        assert says in err


def test_a_plan_names_rows_lines_and_regions(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"redact": [{"rows": {"column": "id", "value": 2}, "removes": "x"}]}')
    (tmp_path / "t.csv").write_text("id,name\n1,Anna Kovač\n2,Boris\n")
    answer("redact", tmp_path / "t.csv", "--plan", plan, "--out", tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text() == "id,name\n1,Anna Kovač\n"
    plan.write_text('{"redact": [{"lines": 2, "removes": "x"}], "format": "text"}')
    answer("redact", tmp_path / "t.csv", "--plan", plan, "--out", tmp_path / "o.txt")
    assert (tmp_path / "o.txt").read_text() == "id,name\n[redacted]\n2,Boris\n"


def test_several_files_go_on_past_a_fault_and_the_fault_is_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    paths = [tmp_path / f"{n}.txt" for n in range(3)]
    for path in paths:
        path.write_text(f"so {NAME} said\n" if path.stem != "1" else "nothing\n")
    args = ("--text", NAME, "--removes", "witness_identity", "--out", out)
    code, said, err = gateway("redact", *paths, *args)
    assert code == 3
    assert "met nothing" in err
    assert "that was 1.txt" in err
    assert "Kova" not in said + err
    assert sorted(p.name for p in out.iterdir() if not p.name.endswith(record.SUFFIX)) == [
        "0.txt",
        "2.txt",
    ]
    paths[1].write_text(f"{NAME}\n")
    rows = answer("redact", *paths, *args)
    assert [row["state"] for row in rows] == ["kept", "made", "kept"]


def test_a_dry_run_checks_and_leaves_nothing(statement: Path, tmp_path: Path) -> None:
    args = (
        "--json-path",
        "witness.name",
        "--removes",
        "x",
        "--out",
        tmp_path / "o.json",
        "--dry-run",
    )
    assert answer("redact", statement, *args)[0]["state"] == "checked"
    assert [path.name for path in tmp_path.iterdir()] == ["statement.json"]


def test_the_original_is_never_written_to(statement: Path, tmp_path: Path) -> None:
    args = ("--json-path", "witness.name", "--removes", "x", "--force")
    link = tmp_path / "link.json"
    os.link(statement, link)
    for out in (statement, link, tmp_path):
        code, _, err = gateway("redact", statement, *args, "--out", out)
        assert (code, "original's place" in err) == (7, True)
    assert statement.read_text(encoding="utf-8") == STATEMENT


def test_what_to_say_is_said(statement: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "o.json")
    for args, says in (
        ((*out,), "by --plan, or by options"),
        (("--text", "x", *out), "a word such as witness_identity"),
        (("--text", "x", "--removes", "y"), "say --out"),
        ((tmp_path / "b.json", "--text", "x", "--removes", "y", *out), "a folder that is there"),
        (("--text", "x", "--removes", "y", "--out", tmp_path / "no" / "o"), "no folder to write"),
    ):
        code, _, err = gateway("redact", statement, *args)
        assert code == 2
        assert says in err
    code, _, err = gateway("redact", tmp_path / "a.docx", "--text", "x", "--removes", "y", *out)
    assert "say --format" in err


def test_a_marked_copy_is_made_read_and_attested(tmp_path: Path) -> None:
    path, copy, marks = (
        pdf(tmp_path / "a.pdf", [PLAIN_NAME, "x"]),
        tmp_path / "c.pdf",
        tmp_path / "marks",
    )
    (row,) = answer(
        "mark",
        path,
        "--for",
        XA,
        "--visible",
        "XA",
        "--forensic",
        "--register",
        marks,
        "--out",
        copy,
    )
    assert (row["mark"], row["recipient"]) == ("forensic", XA)
    (found,) = answer("mark", copy, "--read", "--register", marks)
    assert (found["party"], found["agree"]) == (XA, 192)
    act = build(
        answer(
            *("item", "derive", row["record"], "--original", ONE, "--item", TWO),
            *("--original-file", path, "--as", tmp_path, "--dry-run"),
        ),
        Derive,
    )
    assert (act.item, act.original, act.recipient) == (TWO, ONE, XA)
    assert all(check.passed for check in act.checks)
    for args, code, says in (
        (("--original-file", copy), 3, "the original is not the file"),
        (("--file", path), 3, "the derivative is not the file"),
    ):
        done = gateway(
            *("item", "derive", row["record"], "--original", ONE, "--item", TWO, *args),
            *("--as", tmp_path, "--dry-run"),
        )
        assert done[0] == code
        assert says in done[2]
    copy.write_bytes(b"another")
    done = gateway(
        "item",
        "derive",
        row["record"],
        "--original",
        ONE,
        "--item",
        TWO,
        "--as",
        tmp_path,
        "--dry-run",
    )
    assert done[0] == 3


def test_marks_need_a_party_and_a_register(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.pdf", ["x"])
    for args, says in (
        (("--forensic",), "say --for"),
        (("--for", "xa-prosecutor", "--forensic"), "say --for"),
        (("--for", "pty_x", "--forensic"), "expected an id"),
        (("--read",), "say --register"),
        (("--for", XA), "say --visible"),
    ):
        code, _, err = gateway("mark", path, *args, "--out", tmp_path / "o.pdf")
        assert code == 2
        assert says in err or "not an id" in err


def test_neither_a_record_nor_an_unfinished_derivative_is_deposited(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "a.txt").write_text("x")
    (folder / f"a.txt{record.SUFFIX}").write_text("{}")
    rows = answer("push", folder, "--as", tmp_path, "--rationale", "why", "--dry-run")
    assert [row["name"] for row in rows] == ["a.txt"]
    (folder / ".a.txt.unfinished").write_text("x")
    code, _, err = gateway("push", folder, "--as", tmp_path, "--rationale", "why", "--dry-run")
    assert (code, "not checked" in err) == (2, True)


def test_the_commands_start_without_the_libraries_of_the_desk() -> None:
    """In a process of its own: help imports neither Pillow nor PDFium."""
    code = (
        "import sys, gateway.cli.main, gateway.desk.redact, gateway.desk.mark;"
        "print([m for m in ('PIL', 'pypdfium2', 'reportlab') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert "look at the result before it leaves" in " ".join(
        run_cli("redact", "--help").stdout.replace("│", " ").split()
    )


def test_a_missing_library_says_what_to_install(tmp_path: Path) -> None:
    path = pdf(tmp_path / "a.pdf", ["x"])
    code = "import sys; sys.modules['pypdfium2'] = None; from gateway.__main__ import main; main()"
    args = ("redact", str(path), "--text", "x", "--removes", "y", "--out", str(tmp_path / "o.pdf"))
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)
    assert done.returncode == 2
    assert "evidence-gateway[desk]" in done.stderr
    assert not (tmp_path / "o.pdf").exists()
