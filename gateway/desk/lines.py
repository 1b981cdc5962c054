"""Text by line: literals, expressions and ranges of lines; of a range one token is left."""

from collections.abc import Iterator
from pathlib import Path

from gateway.desk import files
from gateway.desk.patterns import patterns, replaced
from gateway.desk.plan import Instruction, Plan
from gateway.desk.removed import TOKEN, Removed


def redact(path: Path, out: Path, plan: Plan, removed: Removed) -> None:
    """Write *path* without what the plan names to *out*, in the same encoding, line ends kept."""
    wanted = patterns(plan.only("text", "regex", "lines"))
    ranges = [(i, *_range(i)) for i in plan.instructions if i.where == "lines"]
    encoding, mark = files.encoding_of(path, plan.encoding)
    with out.open("wb") as target:
        target.write(mark)
        for number, line in files.lines(path, encoding, mark):
            within = [entry for entry in ranges if entry[1] <= number <= entry[2]]
            if within:
                text = _taken_out(number, line, within, ranges, removed)
            else:
                text = replaced(line, wanted, removed, f"line {number}")
            target.write(text.encode(encoding))


def _taken_out(
    number: int,
    line: str,
    within: list[tuple[Instruction, int, int]],
    ranges: list[tuple[Instruction, int, int]],
    removed: Removed,
) -> str:
    removed.add_bulk(line.strip(), f"line {number}")
    for instruction, _, _ in within:
        removed.count(instruction.number)
    goes_on = any(first <= number - 1 <= last for _, first, last in ranges)
    end = line[len(line.rstrip("\r\n")) :]
    return "" if goes_on and number > 1 else TOKEN + end


def _range(instruction: Instruction) -> tuple[int, int]:
    first, dash, last = instruction.what.partition("-")
    try:
        found = int(first), int(last if dash else first)
    except ValueError:
        raise instruction.fail("a range of lines is spelt 10-25, or 10") from None
    if not 1 <= found[0] <= found[1]:
        raise instruction.fail("lines count from 1, the first before the last")
    return found


def parts(path: Path, said: str) -> Iterator[tuple[str, str]]:
    """Yield the lines with their places, for checks."""
    encoding, mark = files.encoding_of(path, said)
    for number, line in files.lines(path, encoding, mark):
        yield f"line {number}", line
