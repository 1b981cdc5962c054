"""`gateway history …`: what happened before the gateway, declared from CSV files."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import As, Json, explained, run, show, show_table, steps, with_session

app = typer.Typer(no_args_is_help=True, help="Earlier history, declared and marked as such.")

COLUMNS = {
    "rfa": ("number", "authority", "investigation", "received", "outcome"),
    "share": ("number", "authority", "product", "purpose", "shared", "rfa"),
    "holder": ("sha256", "authority", "purpose", "since"),
}


@app.command("import")
def import_history(
    kind: Annotated[str, typer.Argument(help="rfa, share or holder.")],
    file: Annotated[
        Path, typer.Argument(help="CSV file in UTF-8, its first line the names of the columns.")
    ],
    as_: Path = As,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check the file, and its authorities' names.")
    ] = False,
    json: bool = Json,
) -> None:
    """Declare earlier RFAs, shares or holders. Run it again after an interruption: nothing is twice.

    Columns: rfa: number, authority, investigation, received, outcome; share: number, authority,
    product, purpose, shared, rfa; holder: sha256, authority, purpose, since.
    """
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory
    from gateway.exchange.acts import Declare
    from gateway.exchange.history_acts import MAX_ROWS
    from gateway.kernel.ids import new_id

    with explained():
        digest, found = _read(kind, file)
    rows = [row for _, row in found]

    async def work(session: Session) -> dict[str, int]:
        _check_authorities(found, await refresh_directory(session))
        done = {"declared": 0, "known": 0}
        if dry_run:
            return {"rows": len(rows)}
        with steps("declare", len(rows)) as progress:
            for start in range(0, len(rows), MAX_ROWS):
                page = tuple(rows[start : start + MAX_ROWS])
                answer = await session.act("/v1/declarations", Declare(new_id("dcl"), digest, page))
                done = {name: done[name] + int(str(answer[name])) for name in done}
                progress(len(page))
        return done

    made = run(with_session(as_, work))
    if dry_run:
        show(made, f"{len(rows)} rows of {file.name} are sound", as_json=json)
        return
    text = f"declared {made['declared']} rows; {made['known']} were declared before"
    show(made, text, as_json=json)


def _read(kind: str, file: Path) -> tuple[str, list[tuple[str, Any]]]:
    """Read and check a CSV file: every row with its place, before anything is sent."""
    from gateway.exchange.history_acts import DeclaredHolder, DeclaredRfa, DeclaredShare
    from gateway.exchange.parse import build
    from gateway.kernel.encoding import hex_sha256
    from gateway.kernel.errors import MalformedError

    types: dict[str, Any] = {"rfa": DeclaredRfa, "share": DeclaredShare, "holder": DeclaredHolder}
    if kind not in types:
        raise MalformedError(f"history is one of {', '.join(types)}")
    try:
        data = file.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError:
        raise MalformedError(f"{file.name} cannot be read") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise MalformedError(f"{file.name}:{line}: not UTF-8: save the file as such") from None
    found = []
    for place, row in _rows(file.name, text, COLUMNS[kind]):
        try:
            found.append((place, build({**row, "type": kind}, types[kind])))
        except MalformedError as error:
            field = error.field.strip("/$.")
            what = f"{field}: {error}" if field else str(error)
            raise MalformedError(f"{place}: {what}", field=place) from None
    if not found:
        raise MalformedError(f"{file.name} holds no rows")
    return hex_sha256(data), found


def _rows(name: str, text: str, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows of a CSV text, each with `file:line`. Raises MalformedError naming the place."""
    from gateway.kernel.errors import MalformedError

    # The csv module splits lines itself: str.splitlines would also split at characters within a cell.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    seen = False
    try:
        for cells in reader:
            place = f"{name}:{reader.line_num}"
            if not seen:
                seen = True
                if tuple(cells) != columns:
                    message = f"{place}: the first line must be {','.join(columns)}"
                    raise MalformedError(message, field=place)
            elif cells:
                if len(cells) != len(columns):
                    message = f"{place}: expected {len(columns)} columns, found {len(cells)}"
                    raise MalformedError(message, field=place)
                yield place, dict(zip(columns, cells, strict=True))
    except csv.Error as error:
        place = f"{name}:{reader.line_num}"
        raise MalformedError(f"{place}: not CSV: {error}", field=place) from None


def _check_authorities(found: list[tuple[str, Any]], directory: Any) -> None:
    """Check that the directory has every authority named, so that a file is sent whole or not at all."""
    from gateway.exchange.parties import Kind
    from gateway.kernel.errors import MalformedError

    known = {
        name
        for party in directory.parties
        if party.kind is Kind.AUTHORITY
        for name in (party.id, party.short)
    }
    for place, row in found:
        if row.authority not in known:
            message = f"{place}: no authority {row.authority} in the directory"
            raise MalformedError(message, field=place)


@app.command("list")
def list_history(as_: Path = As, json: bool = Json) -> None:
    """List what was declared."""

    async def work(session: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await session.get("/v1/declarations")).json()["declared"]
        return found

    rows = run(with_session(as_, work))
    text = [
        {
            "what": row["type"],
            "number": str(row.get("number") or row.get("sha256", "")[:16]),
            "jurisdiction": str(row["jurisdiction"]),
            "when": str(row.get("received") or row.get("shared") or row.get("since")),
            "origin": "declared",
        }
        for row in rows
    ]
    show_table(rows, "Declared history", text, as_json=json)
