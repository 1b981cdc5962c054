"""`gateway history …`: what happened before the gateway, declared from CSV files."""

import csv
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file.")] = False,
    json: bool = Json,
) -> None:
    """Declare earlier RFAs, shares or holders. Run it again after an interruption: nothing is twice.

    Columns: rfa: number, authority, investigation, received, outcome; share: number, authority,
    product, purpose, shared, rfa; holder: sha256, authority, purpose, since.
    """
    from gateway.client.session import Session
    from gateway.exchange.acts import Declare
    from gateway.exchange.history_acts import MAX_ROWS
    from gateway.kernel.ids import new_id

    with explained():
        digest, rows = _read(kind, file)
    if dry_run:
        show({"rows": len(rows)}, f"{len(rows)} rows of {file.name} are sound", as_json=json)
        return

    async def work(session: Session) -> dict[str, int]:
        done = {"declared": 0, "known": 0}
        with steps("declare", len(rows)) as progress:
            for start in range(0, len(rows), MAX_ROWS):
                page = tuple(rows[start : start + MAX_ROWS])
                answer = await session.act("/v1/declarations", Declare(new_id("dcl"), digest, page))
                done = {name: done[name] + int(str(answer[name])) for name in done}
                progress(len(page))
        return done

    made = run(with_session(as_, work))
    text = f"declared {made['declared']} rows; {made['known']} were declared before"
    show(made, text, as_json=json)


def _read(kind: str, file: Path) -> tuple[str, list[Any]]:
    """Read and check a CSV file: every row, before anything is sent. Errors name the line."""
    from gateway.exchange.history_acts import DeclaredHolder, DeclaredRfa, DeclaredShare
    from gateway.exchange.parse import build
    from gateway.kernel.encoding import hex_sha256
    from gateway.kernel.errors import MalformedError

    types: dict[str, Any] = {"rfa": DeclaredRfa, "share": DeclaredShare, "holder": DeclaredHolder}
    if kind not in types:
        raise MalformedError(f"history is one of {', '.join(types)}")
    try:
        data = file.read_bytes()
        lines = data.decode("utf-8-sig").splitlines()
    except OSError:
        raise MalformedError(f"{file.name} cannot be read") from None
    except UnicodeDecodeError:
        raise MalformedError(f"{file.name} is not UTF-8: save it as such") from None
    reader = csv.DictReader(lines, strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS[kind]:
        raise MalformedError(f"{file.name}: its first line must be {','.join(COLUMNS[kind])}")
    rows = []
    for row in reader:
        place = f"{file.name}:{reader.line_num}"
        if None in row or None in row.values():
            raise MalformedError(f"{place}: expected {len(COLUMNS[kind])} columns", field=place)
        try:
            rows.append(build({**row, "type": kind}, types[kind]))
        except MalformedError as error:
            raise MalformedError(f"{place}: {error}", field=place) from None
    if not rows:
        raise MalformedError(f"{file.name} holds no rows")
    return hex_sha256(data), rows


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
