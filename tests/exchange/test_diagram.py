"""The diagrams in the documentation are the tables that they are drawn from."""

from collections.abc import Mapping
from enum import StrEnum

import pytest

from gateway.exchange import rfas, shares
from tests.vectors import ROOT

Table = Mapping[tuple[StrEnum | None, StrEnum], StrEnum]

DOCUMENT = ROOT / "docs" / "architecture.md"
TABLES: dict[str, Table] = {"share": shares.TRANSITIONS, "rfa": rfas.TRANSITIONS}  # type: ignore[dict-item]
REGENERATE = "a table changed: run `.venv/bin/python -m tests.exchange.test_diagram`"


def marks(name: str) -> tuple[str, str]:
    """Return what stands before and after the diagram of a table."""
    return f"<!-- {name}-life:begin -->", f"<!-- {name}-life:end -->"


def render(table: Table) -> str:
    """Draw a table as a Mermaid state diagram: an arrow for each way, in the table's order.

    Steps that lead the same way share their arrow.
    """
    ways: dict[tuple[StrEnum | None, StrEnum], list[str]] = {}
    for (before, step), after in table.items():
        ways.setdefault((before, after), []).append(step.value)
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += (
        f"    {'[*]' if before is None else before.value} --> {after.value}: {', '.join(steps)}"
        for (before, after), steps in ways.items()
    )
    # A state that nothing leaves is an end; the table knows, so the diagram says so.
    left = {before for before, _ in table}
    ends = dict.fromkeys(after for after in table.values() if after not in left)
    lines += (f"    {state.value} --> [*]" for state in ends)
    return "\n".join([*lines, "```"])


def with_diagrams(text: str) -> str:
    """Return the document with every diagram drawn anew."""
    for name, table in TABLES.items():
        begin, end = marks(name)
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{render(table)}\n{end}{rest.split(end)[1]}"
    return text


def test_the_diagrams_in_the_documentation_are_drawn_from_the_tables() -> None:
    """Every way of a table stands in its diagram, and no other."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in TABLES:
        assert [text.count(mark) for mark in marks(name)] == [1, 1], "the markers stand once each"
    assert with_diagrams(text) == text, REGENERATE


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_diagram_shows_every_step_and_every_state(name: str) -> None:
    drawn = render(TABLES[name])
    edges = [line.strip().partition(": ") for line in drawn.splitlines() if ": " in line]
    shown = {(*way.split(" --> "), step) for way, _, steps in edges for step in steps.split(", ")}
    assert shown == {
        (before.value if before else "[*]", after.value, step.value)
        for (before, step), after in TABLES[name].items()
    }


if __name__ == "__main__":
    DOCUMENT.write_text(with_diagrams(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
