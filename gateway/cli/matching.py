"""`gateway match`: who could lawfully receive packages, under which terms, and what others lack."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import As, Json, explained, note, run, show_table, steps, with_session

_OUTCOMES = ("permit", "hold", "deny")
_HEAD = ("package id", "item name")  # no short name has a space
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # with which a spreadsheet takes a cell for one
_UNFOUND = "nothing the mechanism could bring about would change this"


def match(
    package: Annotated[list[str], typer.Argument(help="Package ids.")],
    as_: Path = As,
    items: Annotated[
        bool, typer.Option("--items", help="Every item by every authority, as the rules alone say.")
    ] = False,
    out: Annotated[
        Optional[Path],
        typer.Option("--csv", help="Write the table to a CSV file.", show_default=False),
    ] = None,
    json: bool = Json,
) -> None:
    """Show who could lawfully receive packages, under which terms, and what is missing for others."""

    async def work(session: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        query = "?items=1" if items else ""
        with steps("match", len(package)) as progress:
            for name in package:
                found = (await session.get(f"/v1/packages/{name}/matches{query}")).json()
                rows += ({"package": name, **row} for row in found["matches"])
                progress(1)
        return rows

    rows = run(with_session(as_, work))
    table = _grid(rows) if items else _table(rows, several=len(package) > 1)
    if out is not None:
        with explained():
            _write(out, table)
    if items or json:
        text = [one for line in table for one in _folded(line)] if items else table
        show_table(rows, "What the rules say of every item", text, as_json=json)
        return
    for outcome in _OUTCOMES:
        some = [line for line in table if line["outcome"] == outcome]
        if some:
            show_table(some, f"{outcome}: {len(some)}", some, as_json=False)
    for name in package:
        _next(name, [row for row in rows if row["package"] == name])


def _next(package: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Say how to propose a package to those who may have it and have not."""
    able = [r["short"] for r in rows if r["outcome"] == "permit" and not r["share"] and r["short"]]
    if able:
        note(f"next: gateway share propose {package} {' '.join(able)}")


def _table(rows: Sequence[Mapping[str, Any]], *, several: bool) -> list[dict[str, str]]:
    """Return a line for each authority, those who could receive it first."""
    ordered = sorted(rows, key=lambda row: _OUTCOMES.index(row["outcome"]))
    return [
        {
            **({"package": row["package"]} if several else {}),
            "authority": _named(row),
            "outcome": row["outcome"],
            "terms": _terms(row["obligations"]),
            "missing": _missing(row),
            "share": f"{row['share']} ({row['state']})" if row["share"] else "",
        }
        for row in ordered
    ]


def _grid(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return a line for each item, with the outcome for every authority."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        for one in row["items"]:
            key = row["package"], one["item"]
            line = lines.setdefault(
                key, dict(zip(_HEAD, (row["package"], one["name"]), strict=True))
            )
            line[_named(row)] = one["outcome"]
    return [*lines.values()]


def _folded(line: Mapping[str, str]) -> list[dict[str, str]]:
    """Return a line of the grid as a terminal has room for it: one for each outcome, names whole."""
    head = {name: line[name] for name in _HEAD}
    found = {name: said for name, said in line.items() if name not in _HEAD}
    return [
        {**head, "outcome": outcome, "authorities": ", ".join(names)}
        for outcome in _OUTCOMES
        if (names := [name for name, said in found.items() if said == outcome])
    ]


def _named(row: Mapping[str, Any]) -> str:
    return str(row["short"] or f"{row['jurisdiction']} (none enrolled)")


def _terms(obligations: Mapping[str, Any]) -> str:
    from gateway.policy.wording import plain

    def said(term: Any) -> str:
        if isinstance(term, dict):
            return ", ".join(f"{count} {plain(role)}" for role, count in term.items())
        return ", ".join(map(plain, term)) if isinstance(term, list) else plain(str(term))

    return "; ".join(f"{plain(kind)}: {said(term)}" for kind, term in obligations.items())


def _missing(row: Mapping[str, Any]) -> str:
    """Say what is missing: the first way, and how many others there are."""
    ways = row["ways"]
    if row["outcome"] == "permit" and not ways:
        return ""
    if not ways:
        rules = f" ({', '.join(row['rules']) or 'no rule permits it'})"
        return (_UNFOUND if row["ways_complete"] else "no way was found") + rules
    others = len(ways) - 1
    more = f" (or {others} other way{'s' if others > 1 else ''})" if others else ""
    return "; ".join(ways[0]) + more


def _write(path: Path, table: Sequence[Mapping[str, str]]) -> None:
    """Write lines as CSV that no spreadsheet takes for formulas. Raises MalformedError."""
    from gateway.kernel.errors import MalformedError

    names = [*dict.fromkeys(name for line in table for name in line)]
    try:
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(map(harmless_cell, names))
            writer.writerows(
                [harmless_cell(line.get(name, "")) for name in names] for line in table
            )
    except OSError:
        raise MalformedError(f"{path.name} cannot be written") from None
    note(f"wrote {path.name}")


def harmless_cell(text: str) -> str:
    """Return a cell that a spreadsheet shows and never computes."""
    return f"'{text}" if text.startswith(_FORMULA) else text
