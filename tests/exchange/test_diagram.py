"""The diagram of a share's life in the documentation is the table it is drawn from."""

from gateway.exchange.shares import TRANSITIONS
from tests.vectors import ROOT

DOCUMENT = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- share-life:begin -->", "<!-- share-life:end -->"
REGENERATE = "the table changed: run `.venv/bin/python -m tests.exchange.test_diagram`"


def render() -> str:
    """Draw the table as a Mermaid state diagram, its edges in the order of the table."""
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += (
        f"    {'[*]' if before is None else before.value} --> {after.value}: {step.value}"
        for (before, step), after in TRANSITIONS.items()
    )
    # A state that nothing leaves is an end; the table knows, so the diagram says so.
    left = {before for before, _ in TRANSITIONS}
    ends = dict.fromkeys(after for after in TRANSITIONS.values() if after not in left)
    lines += (f"    {state.value} --> [*]" for state in ends)
    return "\n".join([*lines, "```"])


def _with_diagram(text: str) -> str:
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{render()}\n{END}{rest.split(END)[1]}"


def test_the_diagram_in_the_documentation_is_drawn_from_the_table() -> None:
    """Every edge of the table stands in the diagram, and no other."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert (text.count(BEGIN), text.count(END)) == (1, 1), "the markers stand once each"
    assert _with_diagram(text) == text, REGENERATE


if __name__ == "__main__":
    DOCUMENT.write_text(_with_diagram(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
