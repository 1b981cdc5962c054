"""CSV by record: columns by name, rows by the value of a column, texts within cells.

What is not taken out stays byte for byte as it was: quoting, line ends, formulas. RFC 4180, with the
delimiter of the file.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.desk import files
from gateway.desk.patterns import Pattern, patterns, replaced
from gateway.desk.plan import Instruction, Plan
from gateway.desk.removed import TOKEN, Removed
from gateway.kernel.errors import MalformedError, TooLargeError

MAX_RECORD = 1 << 20  # characters
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_FORMULA = ("=", "+", "-", "@")


class Record(NamedTuple):
    """A row: the line it begins at, its cells as spelt, and its line end."""

    line: int
    cells: list[str]
    end: str


class _Table(NamedTuple):
    names: list[str]
    columns: dict[int, list[Instruction]]
    rows: list[tuple[Instruction, int, str]]
    wanted: tuple[Pattern, ...]


def redact(path: Path, out: Path, plan: Plan, removed: Removed) -> None:
    """Write *path* without what the plan names to *out*. Raises MalformedError for a ragged row."""
    plan.only("column", "rows", "text", "regex")
    encoding, mark = files.encoding_of(path, plan.encoding)
    delimiter = delimiter_of(path, plan)
    with out.open("wb") as target:
        target.write(mark)
        table: _Table | None = None
        for record in records(path, plan):
            if table is None:
                table = _table(record, plan)
            elif any(record.cells):
                _regular(record, table)
                if _taken_out(record, table, removed):
                    continue
                _cells(record, table, removed)
            target.write((delimiter.join(record.cells) + record.end).encode(encoding))


def _table(header: Record, plan: Plan) -> _Table:
    names = [plain(cell) for cell in header.cells]
    columns: dict[int, list[Instruction]] = {}
    rows = []
    for instruction in plan.instructions:
        if instruction.where == "column":
            for at in _columns(names, instruction, instruction.what):
                columns.setdefault(at, []).append(instruction)
        elif instruction.where == "rows":
            name, equals, value = instruction.what.partition("=")
            if not equals:
                raise instruction.fail("rows are named as column=value")
            rows += [(instruction, at, value) for at in _columns(names, instruction, name)]
    return _Table(names, columns, rows, patterns(plan.instructions))


def _columns(names: list[str], instruction: Instruction, name: str) -> list[int]:
    found = [at for at, known in enumerate(names) if known == name]
    if not found:
        raise instruction.fail("the first row names no such column")
    return found


def _regular(record: Record, table: _Table) -> None:
    if len(record.cells) != len(table.names):
        raise MalformedError(
            f"line {record.line} has {len(record.cells)} cells, the first row {len(table.names)}: "
            "what belongs to which column is not sure, so nothing is written"
        )


def _taken_out(record: Record, table: _Table, removed: Removed) -> bool:
    met = [i for i, at, value in table.rows if plain(record.cells[at]) == value]
    if met:
        removed.add_bulk(" ".join(plain(cell) for cell in record.cells), f"line {record.line}")
        for instruction in met:
            removed.count(instruction.number)
    return bool(met)


def _cells(record: Record, table: _Table, removed: Removed) -> None:
    for at, cell in enumerate(record.cells):
        place = f"line {record.line}, column {table.names[at]}"
        if at in table.columns:
            removed.add(plain(cell), place)
            for instruction in table.columns[at]:
                removed.count(instruction.number)
            record.cells[at] = TOKEN
        elif table.wanted:
            before = plain(cell)
            after = replaced(before, table.wanted, removed, place)
            record.cells[at] = cell if after == before else quoted(after)


def records(path: Path, plan: Plan) -> Iterator[Record]:
    """Yield the records of a CSV file. Raises MalformedError with the line that is not CSV."""
    encoding, mark = files.encoding_of(path, plan.encoding)
    delimiter = delimiter_of(path, plan)
    held, first = "", 0
    for number, line in files.lines(path, encoding, mark):
        first = first if held else number
        held += line
        cells = _split(held, delimiter, first)
        if cells is not None:
            body = held.rstrip("\r\n")
            yield Record(first, cells, held[len(body) :])
            held = ""
        elif len(held) > MAX_RECORD:
            raise TooLargeError(f"the quotation that begins on line {first} does not end")
    if held:
        raise MalformedError(f"the quotation that begins on line {first} does not end")


def _split(text: str, delimiter: str, line: int) -> list[str] | None:
    """Return the cells as spelt, or None if a quotation is still open."""
    body, cells, at = text.rstrip("\r\n"), [], 0
    while True:
        if body.startswith('"', at):
            match = _QUOTED.match(body, at)
            if match is None:
                return None
            end = match.end()
            if end < len(body) and body[end] != delimiter:
                raise MalformedError(f"line {line}: text stands after a closing quotation mark")
        else:
            end = body.find(delimiter, at)
            end = len(body) if end < 0 else end
        cells.append(body[at:end])
        if end >= len(body):
            return cells
        at = end + 1


def delimiter_of(path: Path, plan: Plan) -> str:
    """Return the delimiter as said, or the one that stands most often in the first line."""
    if plan.delimiter:
        if len(plan.delimiter) != 1 or plan.delimiter in '"\r\n':
            raise MalformedError("a delimiter is one character")
        return plan.delimiter
    encoding, mark = files.encoding_of(path, plan.encoding)
    _, head = next(files.lines(path, encoding, mark), (0, ""))
    return max(",;\t|", key=head.count)


def plain(cell: str) -> str:
    """Return what a cell says."""
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def quoted(text: str) -> str:
    """Spell a cell so that it can hold anything."""
    return '"' + text.replace('"', '""') + '"'


def parts(path: Path, plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield every cell with its place, for checks."""
    names: Sequence[str] = ()
    for record in records(path, plan):
        told = [plain(cell) for cell in record.cells]
        names = names or told
        for at, text in enumerate(told):
            column = names[at] if at < len(names) else str(at + 1)
            yield f"line {record.line}, column {column}", text


def formulas(path: Path, plan: Plan) -> int:
    """Count the cells that a spreadsheet would read as formulas."""
    return sum(
        1 for _, text in parts(path, plan) if text.startswith(_FORMULA) and not _number(text)
    )


def _number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
