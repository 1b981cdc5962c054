"""Earlier history from CSV files: all of a file or nothing of it, nothing twice, and never taken for signed."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from gateway.cli import facts, history
from gateway.client import audit, pull
from gateway.client.session import Session
from gateway.kernel.errors import UnavailableError
from tests.world import (
    Process,
    World,
    build_world,
    package_of,
    propose,
    release,
    run_async,
    serving,
    session,
    source,
)

RFA = "number,authority,investigation,received,outcome"
SHARE = "number,authority,product,purpose,shared,rfa"
HOLDER = "sha256,authority,purpose,since"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One gateway for all: what a test declares has numbers of its own."""
    world = build_world(tmp_path_factory.mktemp("history"), ("xa", "xb"))
    with serving(world) as process:
        yield process


@pytest.fixture
def world(server: Process) -> World:
    return server.world


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def command(app: Any, *args: str) -> Said:
    done = CliRunner().invoke(app, list(args))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Said(done.exit_code, done.stdout, done.stderr)


def written(world: World, name: str, head: str, *rows: str, end: str = "\n") -> Path:
    path = world.root / name
    path.write_bytes(end.join((head, *rows, "")).encode())
    return path


def declare(world: World, kind: str, path: Path, *more: str, who: str = "officer") -> Said:
    folder = str(world.folder(who))
    return command(history.app, "import", kind, str(path), "--as", folder, "--json", *more)


def declared(world: World) -> list[dict[str, Any]]:
    """Return everything that was declared, as the command lists it."""
    said = command(history.app, "list", "--as", str(world.folder("officer")), "--json")
    return list(said.json())


def numbered(world: World, prefix: str) -> list[dict[str, Any]]:
    return [row for row in declared(world) if str(row.get("number", "")).startswith(prefix)]


def rfa_row(number: str, who: str = "xa-prosecutor", about: str = "inv-1") -> str:
    return f"{number},{who},{about},2019-03-01,answered"


# --- what goes well -----------------------------------------------------------------------------------
def test_each_kind_is_declared_and_listed_as_declared(world: World) -> None:
    digest = "ab" * 32
    files = (
        ("rfa", written(world, "a.csv", RFA, rfa_row("A-1"))),
        ("share", written(world, "b.csv", SHARE, "A-2,xb-prosecutor,evidence,criminal,2019-04-01,A-1")),
        ("holder", written(world, "c.csv", HOLDER, f"{digest},xa-prosecutor,criminal,2019-05-01")),
    )  # fmt: skip
    for kind, path in files:
        assert declare(world, kind, path).json() == {"declared": 1, "known": 0}
    rows = {(r["type"], r.get("number") or r.get("sha256")): r for r in declared(world)}
    assert {("rfa", "A-1"), ("share", "A-2"), ("holder", digest)} <= set(rows)
    assert {row["origin"] for row in rows.values()} == {"declared"}
    assert rows["rfa", "A-1"]["jurisdiction"] == "XA"
    assert rows["share", "A-2"]["authority"] == world.party("xb")
    assert rows["share", "A-2"]["rfa"] == "A-1"


def test_the_list_is_readable_too(world: World) -> None:
    declare(world, "rfa", written(world, "a.csv", RFA, rfa_row("T-1")))
    said = command(history.app, "list", "--as", str(world.folder("auditor")))
    assert "Declared history" in said.out
    assert "T-1" in said.out


def test_a_file_imported_twice_declares_nothing_twice(world: World) -> None:
    path = written(world, "twice.csv", RFA, rfa_row("B-1"), rfa_row("B-2"), rfa_row("B-1"))
    assert declare(world, "rfa", path).json() == {"declared": 2, "known": 1}
    assert declare(world, "rfa", path).json() == {"declared": 0, "known": 3}
    assert len(numbered(world, "B-")) == 2


def test_an_authority_by_name_or_by_id_is_the_same_one(world: World) -> None:
    assert declare(world, "rfa", written(world, "n.csv", RFA, rfa_row("N-1"))).code == 0
    by_id = written(world, "i.csv", RFA, rfa_row("N-1", world.party("xa")))
    assert declare(world, "rfa", by_id).json() == {"declared": 0, "known": 1}


@pytest.mark.parametrize("who", ["officer", "auditor"])
def test_rfa_officers_and_compliance_may_declare(world: World, who: str) -> None:
    path = written(world, f"{who}.csv", RFA, rfa_row(f"W-{who}"))
    assert declare(world, "rfa", path, who=who).json()["declared"] == 1


def test_a_sharer_may_not_declare(world: World) -> None:
    said = declare(world, "rfa", written(world, "s.csv", RFA, rfa_row("S-1")), who="sharer")
    assert said.code == 5
    assert "rfa_officer" in said.err
    assert numbered(world, "S-1") == []


# --- what people's programs write ---------------------------------------------------------------------
def test_bom_crlf_quoted_commas_and_any_script_are_read_as_written(world: World) -> None:
    about = 'Фронт, "Nord"; 北部 ‎'
    quoted = about.replace('"', '""')
    path = world.root / "excel.csv"
    lines = (RFA, f'C-1,xa-prosecutor,"{quoted}",2019-03-01,answered', "")
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert declare(world, "rfa", path).json()["declared"] == 1
    (row,) = numbered(world, "C-1")
    assert row["investigation"] == about


@pytest.mark.parametrize("mark", ["\u2028", "\u2029"])
def test_what_unicode_calls_a_line_break_stays_within_its_cell(world: World, mark: str) -> None:
    number = f"U-{ord(mark)}"
    path = written(world, "u.csv", RFA, rfa_row(number, about=f"one{mark}two"))
    assert declare(world, "rfa", path).json()["declared"] == 1
    (row,) = numbered(world, number)
    assert row["investigation"] == f"one{mark}two"


@pytest.mark.parametrize("about", ["one\x85two", "one\x0btwo", "one\x1ctwo", '"one\r\ntwo"'])
def test_control_characters_in_a_cell_are_refused_with_their_line(world: World, about: str) -> None:
    """A quoted line break too: one cell, and the next row is still counted right."""
    rows = (rfa_row("Q-1"), rfa_row("Q-2", about=about), rfa_row("Q-3"))
    done = declare(world, "rfa", written(world, "q.csv", RFA, *rows))
    assert "investigation holds no control characters" in done.err
    assert "q.csv:3" in done.err or "q.csv:4" in done.err
    assert numbered(world, "Q-") == []


def test_cells_that_look_like_formulas_are_kept_verbatim(world: World) -> None:
    cells = ("=1+1", "+SUM(A1)", "-2", "@cmd", "=HYPERLINK(1)", " padded ")
    rows = [rfa_row(f"F-{n}", about=cell) for n, cell in enumerate(cells)]
    assert declare(world, "rfa", written(world, "f.csv", RFA, *rows)).json()["declared"] == 6
    assert {row["investigation"] for row in numbered(world, "F-")} == set(cells)


# --- what is wrong is named, and nothing is sent --------------------------------------------------------
BAD: dict[str, tuple[str, tuple[str, ...], str]] = {
    "another head": ("number,authority", (rfa_row("X-1"),), "bad.csv:1: the first line must be"),
    "columns in another order": (
        "authority,number,investigation,received,outcome", (rfa_row("X-1"),), "bad.csv:1: the first",
    ),
    "a column too many": (RFA, (rfa_row("X-1"), rfa_row("X-2") + ",x"), "bad.csv:3: expected 5"),
    "a column too few": (RFA, (rfa_row("X-1"), "X-2,xa-prosecutor"), "bad.csv:3: expected 5"),
    "an unknown outcome": (RFA, ("X-1,xa-prosecutor,inv,2019-03-01,lost",), "bad.csv:2: outcome"),
    "a day that is none": (RFA, ("X-1,xa-prosecutor,inv,2019-02-30,answered",), "bad.csv:2: "),
    "an empty number": (RFA, (rfa_row("X-1"), rfa_row("")), "bad.csv:3: number has 1 to 64"),
    "an unknown authority": (
        RFA, (rfa_row("X-1"), rfa_row("X-2", "xz-prosecutor")), "bad.csv:3: no authority xz-prosecutor",
    ),
    "the mechanism as authority": (
        RFA, (rfa_row("X-1"), rfa_row("X-2", "mechanism")), "bad.csv:3: no authority mechanism",
    ),
    "a quote left open": (RFA, (rfa_row("X-1"), 'X-2,"xa'), "bad.csv:3: not CSV"),
    "a quote in the middle": (RFA, (rfa_row("X-1"), 'X-2,"xa"x,i,2019-03-01,open'), "bad.csv:3: not"),
    "no rows": (RFA, (), "bad.csv holds no rows"),
    "an unknown authority behind a full page": (
        RFA, (*(rfa_row(f"X-{n}") for n in range(600)), rfa_row("X-9999", "xz")), "bad.csv:602: no auth",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("dry", [False, True])
def test_a_bad_file_is_named_with_its_line_and_nothing_of_it_is_sent(
    world: World, case: str, dry: bool
) -> None:
    head, rows, complaint = BAD[case]
    path = written(world, "bad.csv", head, *rows)
    said = declare(world, "rfa", path, *(["--dry-run"] if dry else []))
    assert said.code == 2
    assert complaint in said.err
    assert "Traceback" not in said.err
    assert numbered(world, "X-") == []


def test_another_encoding_is_named_with_its_line(world: World) -> None:
    path = world.root / "latin.csv"
    path.write_bytes(
        f"{RFA}\n{rfa_row('X-1')}\n{rfa_row('X-2', about='Kriegsführung')}\n".encode("latin-1")
    )
    said = declare(world, "rfa", path)
    assert said.code == 2
    assert "latin.csv:3: not UTF-8" in said.err
    path.write_text(f"{RFA}\n{rfa_row('X-1')}\n", encoding="utf-16")
    assert declare(world, "rfa", path).code == 2
    assert numbered(world, "X-") == []


def test_a_missing_file_and_an_unknown_kind_are_named(world: World) -> None:
    said = declare(world, "rfa", world.root / "nowhere.csv")
    assert (said.code, "nowhere.csv cannot be read" in said.err) == (2, True)
    said = declare(world, "cases", written(world, "k.csv", RFA, rfa_row("X-1")))
    assert (said.code, "rfa, share, holder" in said.err) == (2, True)


def test_a_dry_run_checks_and_declares_nothing(world: World) -> None:
    path = written(world, "dry.csv", RFA, rfa_row("D-1"), rfa_row("D-2"))
    assert declare(world, "rfa", path, "--dry-run").json() == {"rows": 2}
    assert numbered(world, "D-") == []


# --- much of it, and interruptions ----------------------------------------------------------------------
def test_1200_rows_go_in_several_orders(world: World) -> None:
    rows = [rfa_row(f"M-{n:04}", about=f"inv-{n % 300}") for n in range(1200)]
    path = written(world, "many.csv", RFA, *rows)
    assert declare(world, "rfa", path).json() == {"declared": 1200, "known": 0}
    found = numbered(world, "M-")
    assert [row["number"] for row in sorted(found, key=lambda r: str(r["number"]))] == [
        f"M-{n:04}" for n in range(1200)
    ]
    assert len({row["order"] for row in found}) == 3
    assert len({row["entry"] for row in found}) == 1200


def test_an_interrupted_import_goes_on_where_it_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(world, "cut.csv", RFA, *(rfa_row(f"I-{n:04}") for n in range(700)))
    sent: list[str] = []
    whole = Session.act

    async def cut(self: Session, target: str, act: object) -> dict[str, Any]:
        if sent:
            raise UnavailableError("the network is gone")
        sent.append(target)
        return await whole(self, target, act)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "act", cut)
        assert declare(world, "rfa", path).code == 9
    assert len(numbered(world, "I-")) == 500
    assert declare(world, "rfa", path).json() == {"declared": 200, "known": 500}
    assert len(numbered(world, "I-")) == 700


# --- never taken for signed -----------------------------------------------------------------------------
def test_declared_history_is_never_counted_as_signed(world: World) -> None:
    before = figures(world)
    rows = [rfa_row(f"G-{n}", about=f"unheard-{n}") for n in range(3)]
    declare(world, "rfa", written(world, "g.csv", RFA, *rows))
    share = "G-9,xb-prosecutor,information,criminal,2018-01-01,"
    declare(world, "share", written(world, "h.csv", SHARE, share))
    after = figures(world)
    for what in ("rfas", "investigations", "jurisdictions", "shares"):
        assert after[what] == before[what], what
    grown = {kind: after["declared"][kind] - before["declared"][kind] for kind in after["declared"]}
    assert grown == {"rfa": 3, "share": 1, "holder": 0}
    assert after["size"] == before["size"] + 4


def figures(world: World) -> dict[str, Any]:
    async def read() -> dict[str, Any]:
        async with session(world, "auditor") as auditor:
            return await audit.figures(auditor)

    found: dict[str, Any] = run_async(read())
    return found


def test_each_declared_row_is_an_entry_with_its_file_and_its_actor(world: World) -> None:
    path = written(world, "e.csv", RFA, rfa_row("E-1"))
    declare(world, "rfa", path)

    async def read() -> Sequence[dict[str, Any]]:
        async with session(world, "auditor") as auditor:
            return await audit.entries(auditor, 0)

    entries = [e for e in run_async(read()) if e["kind"] == "declared.rfa"]
    (entry,) = [e for e in entries if e["content"]["number"] == "E-1"]
    assert entry["content"]["file"] == hashlib.sha256(path.read_bytes()).hexdigest()
    profile = json.loads((world.folder("officer") / "profile.json").read_text())
    assert entry["actor"] == profile["actor"]


def test_holders_are_told_apart_by_origin(world: World) -> None:
    data = world.root / "held.txt"
    data.write_bytes(b"what both hold")
    item = run_async(shared_and_pulled(world, data))
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    rows = (
        f"{digest},xb-prosecutor,asylum,2018-01-01",
        f"{'00' * 32},xa-prosecutor,civil,2018-01-01",
    )
    declare(world, "holder", written(world, "holders.csv", HOLDER, *rows))
    said = command(
        facts.item, "holders", item, "--as", str(world.folder("officer")), "--json"
    ).json()
    assert {(row["authority"], row["purpose"], row["origin"]) for row in said} == {
        ("xa-prosecutor", "criminal", "signed"),
        ("xb-prosecutor", "asylum", "declared"),
    }
    (old,) = [row for row in said if row["origin"] == "declared"]
    assert (old["since"], old["share"], old["state"]) == ("2018-01-01", None, None)
    table = command(facts.item, "holders", item, "--as", str(world.folder("officer")))
    assert "declared" in table.out
    assert "signed" in table.out


async def shared_and_pulled(world: World, path: Path) -> str:
    async with session(world, "releaser") as releaser:
        package, records = await package_of(releaser, [source(path)])
        share = str((await propose(releaser, package, "xa"))["share"])
        await release(releaser, share)
    async with session(world, "xa") as endpoint:
        await pull.pull(endpoint, share, world.root / "pulled", lambda _: None)
    return str(records[0].item)


def test_the_database_keeps_what_was_declared_for_ever(world: World) -> None:
    declare(world, "rfa", written(world, "ever.csv", RFA, rfa_row("Z-1")))
    engine = create_engine(f"sqlite:///{world.instance}/data/gateway.db")
    try:
        for statement in ("DELETE FROM declared", "UPDATE declared SET kind = 'rfa'"):
            with pytest.raises(Exception, match="append-only"), engine.begin() as conn:
                conn.execute(text(statement))
    finally:
        engine.dispose()
