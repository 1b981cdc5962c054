"""An explanation as one page A4 for the file; what does not fit is counted, never left out silently."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, Spacer, Table

from gateway.desk.fonts import fonts_for, written

_MARGIN = 18 * mm
_WIDTH, _HEIGHT = A4[0] - 2 * _MARGIN, A4[1] - 2 * _MARGIN - 8 * mm  # the footer has 8 mm
_TRIES = (
    *((size, 10_000, 10_000) for size in (9.0, 8.0, 7.0)),
    *((7.0, rows, 300) for rows in (60, 40, 30, 20, 15, 10, 8, 6, 4, 3, 2, 1)),
    *((7.0, 1, letters) for letters in (120, 70)),
)
"""Size in points, most rows of a section, most characters of a cell: what is tried, until all fits."""
_RULE = (0.22, 0.12, 0.32, 0.25, 0.09)
_FULL = 14_000  # characters: more never fit on the page, so it is not even tried
_TINT = {"permit": "#dcefdc", "hold": "#fbeecb", "deny": "#f6d9d5", "not available": "#f6d9d5"}


@dataclass(frozen=True)
class _Section:
    """A headed table: the shares of the width that its columns have, and its rows."""

    title: str
    widths: tuple[float, ...]
    rows: list[tuple[str, ...]]
    whole: bool = False  # no row is ever left out

    def within(self, most: int, letters: int) -> list[list[str]]:
        """Return the rows with at most *most* of them, and as many letters in a cell."""
        rows = self.rows if self.whole else self.rows[:most]
        return [[_cut(cell, letters) for cell in row] for row in rows]


def page(data: Mapping[str, Any]) -> bytes:
    """Return one page that explains a decision to the mechanism's own people, as PDF.

    *data* is what `GET /v1/shares/{share}/explanation` answers, or its `explanation` and `items` alone,
    with a `title` and, of a share, the `recipient_short`.
    """
    return _drawn(
        "Explanation of a disclosure decision",
        str(data["explanation"]["outcome"]),
        [_Section("", (0.2, 0.8), list(_head(data)), whole=True), *_sections(data["explanation"])],
        _footer(data),
    )


def told_page(data: Mapping[str, Any]) -> bytes:
    """Return one page with what a recipient may be told, and nothing else of *data* but that."""
    told = data["told"]
    why = ", ".join(told["reasons"]) or "none"
    rows: list[tuple[str, ...]] = [("Outcome", str(told["outcome"])), ("Reason", why)]
    return _drawn("Answer", str(told["outcome"]), [_Section("", (0.2, 0.8), rows, whole=True)], "")


def _head(data: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    said = data["explanation"]
    yield ("Share" if "share" in data else "Facts", str(data["title"]))
    if "share" in data:
        yield "Recipient", str(data["recipient_short"])
        yield "Decision", f"number {data['n']}, made to {data['stage']}, {data['at']}"
    names = [name for group in said["groups"] for name in group["names"]]
    yield "Items", f"{data['items']}: {', '.join(names)}"
    rules = said["rules_say"]
    more = "" if rules == said["outcome"] else f" (the rules alone say {rules})"
    yield "Outcome", f"{said['outcome']}{more}, on {said['today']}"
    if said["good_until"]:
        yield "To be decided again", str(said["good_until"])
    if data.get("recomputed") is False:
        yield "Warning", "deciding again on the recorded facts does not lead to what is recorded"
    yield "Policy set", str(said["policy"])
    yield "Facts digest", str(said["facts"])
    if "decision" in data:
        yield "Decision digest", str(data["decision"])
    yield "Engine", f"version {said['engine']}"


def _sections(said: Mapping[str, Any]) -> list[_Section]:
    fired = [(group, rule) for group in said["groups"] for rule in group["rules"]]
    silent = [(group, rule) for group in said["groups"] for rule in group["silent"]]
    made = [
        _Section("Rules that applied", _RULE, _rules(fired)),
        _Section("No rule permits it: the permits there are", _RULE, _rules(silent)),
        _Section("Facts that these rules read", (0.62, 0.2, 0.18), _facts([*fired, *silent])),
        _Section("Obligations", (0.2, 0.3, 0.15, 0.35), _obligations(said["obligations"])),
        _Section("Unmet, lacking, cleared", (0.3, 0.7), list(_standing(said))),
        _Section("What is missing", (0.08, 0.92), _missing(said["missing"])),
    ]  # fmt: skip
    return [section for section in made if section.rows]


def _rules(found: Sequence[tuple[Any, Any]]) -> list[tuple[str, ...]]:
    """Return each rule once, with the number of items of which it speaks."""
    rules: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for group, rule in found:
        rules[rule["rule"]] = rule
        counts[rule["rule"]] = counts.get(rule["rule"], 0) + len(group["items"])
    return [
        (name, _spoke(rule), rule["title"], rule["basis"], _items(counts[name]))
        for name, rule in rules.items()
    ]


def _spoke(rule: Mapping[str, Any]) -> str:
    """Say what a rule does, and whether as a precaution: some fact is missing."""
    unknown = rule["effect"] != "permit" and rule["condition"]["state"] == "cannot be established"
    return f"{rule['effect']}, as a precaution" if unknown else str(rule["effect"])


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _facts(found: Sequence[tuple[Any, Any]]) -> list[tuple[str, ...]]:
    lines = (leaf for _, rule in found for leaf in _leaves(rule["condition"]))
    rows = ((_asked(leaf), f"recorded: {leaf['recorded']}", leaf["state"]) for leaf in lines)
    return [*dict.fromkeys(rows)]


def _leaves(line: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if line["fact"] is not None:
        yield line
    for part in line["parts"]:
        yield from _leaves(part)


def _asked(leaf: Mapping[str, Any]) -> str:
    return str(leaf["says"]).removesuffix(f"; recorded: {leaf['recorded']}")


def _obligations(owed: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (
            one["label"],
            _term(one["term"]),
            f"{one['phase']} release",
            "; ".join(f"{by['rule']}: {_term(by['term'])}" for by in one["asked_by"]),
        )
        for one in owed
    ]


def _term(term: Any) -> str:
    if isinstance(term, dict):
        return ", ".join(f"{count} {role}" for role, count in term.items())
    return ", ".join(term) if isinstance(term, list) else str(term)


def _standing(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in said["nothing_left"]:
        yield "nothing left", f"together the items leave no {kind} that all of them allow"
    for kind, what in said["unmet"].items():
        yield f"unmet: {kind}", ", ".join(what)
    for what, count in said["lacking"].items():
        yield "lacking", f"{what} ({count})"
    for given in said["clearances"]:
        counts = "counts" if given["counts"] else f"does not count: {given['why_not']}"
        yield "cleared", f"{given['obligation']} by {given['person']}; {counts}"


def _missing(found: Mapping[str, Any] | None) -> list[tuple[str, ...]]:
    if found is None:
        return []
    if not found["ways"]:
        no = "nothing the mechanism could bring about would change this"
        within = f"no way to a permit was found within {found['tried']} decisions"
        return [("", no if found["complete"] else within)]
    rows: list[tuple[str, ...]] = []
    for number, way in enumerate(found["ways"]):
        first = "either" if len(found["ways"]) > 1 and not number else "or" if number else ""
        rows += [("and" if n else first, what) for n, what in enumerate(way)]
    return rows if found["complete"] else [*rows, ("", "there may be other ways")]


def _footer(data: Mapping[str, Any]) -> str:
    said = data["explanation"]
    by = f"Computed by the evidence gateway, engine {said['engine']}"
    if "decision" not in data:
        return f"{by}, from facts given by hand: nothing is recorded of it."
    return f"{by}; can be recomputed with: gateway policy recompute {data['decision']}"


# Drawing


def _drawn(title: str, outcome: str, sections: Sequence[_Section], footer: str) -> bytes:
    """Draw the sections, smaller and then abridged until they fit on the page."""
    text = "".join((title, footer, *(c for s in sections for row in s.rows for c in row)))
    fonts = fonts_for(text)
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1)
    canvas.setTitle(title)
    flow, height = list[Flowable](), 0.0
    for size, rows, letters in _TRIES:
        cells = (cell for s in sections for row in s.within(rows, letters) for cell in row)
        if sum(map(len, cells)) > _FULL:
            continue
        flow = list(_flow(title, outcome, sections, fonts, (size, rows, letters)))
        height = sum(each.wrapOn(canvas, _WIDTH, _HEIGHT)[1] for each in flow)
        if height <= _HEIGHT:
            break
    top = A4[1] - _MARGIN
    for each in flow:
        top -= each.wrapOn(canvas, _WIDTH, _HEIGHT)[1]
        each.drawOn(canvas, _MARGIN, top)
    note = _paragraph(footer, fonts[0], 6.5, colors.grey)
    below = note.wrapOn(canvas, _WIDTH, _HEIGHT)[1]
    note.drawOn(canvas, _MARGIN, _MARGIN - below)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _flow(
    title: str,
    outcome: str,
    sections: Sequence[_Section],
    fonts: tuple[str, str],
    within: tuple[float, int, int],
) -> Iterator[Flowable]:
    size, most, letters = within
    regular, bold = fonts
    heading = Table(
        [[_paragraph(title, bold, size + 5), _paragraph(outcome.upper(), bold, size + 5)]],
        colWidths=[_WIDTH * 0.72, _WIDTH * 0.28],
    )
    heading.setStyle(
        [
            ("LEFTPADDING", (0, 0), (0, 0), 0),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
            ("BACKGROUND", (1, 0), (1, 0), colors.HexColor(_TINT[outcome])),
        ]
    )
    yield heading
    for section in sections:
        yield Spacer(1, size * 0.8)
        if section.title:
            yield _paragraph(section.title, bold, size + 1)
            yield Spacer(1, size * 0.2)
        yield _table(section, regular, size, most, letters)


def _table(section: _Section, font: str, size: float, most: int, letters: int) -> Table:
    shown = section.within(most, letters)
    rows = [[_paragraph(cell, font, size) for cell in row] for row in shown]
    style: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.lightgrey),
        ("TOPPADDING", (0, 0), (-1, -1), 1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
    ]
    if len(section.rows) > len(shown):
        more = f"and {len(section.rows) - len(shown)} more, see the full text"
        blank = [""] * (len(section.widths) - 1)
        rows.append([_paragraph(more, font, size, colors.darkred), *blank])
        style.append(("SPAN", (0, -1), (-1, -1)))
    table = Table(rows, colWidths=[_WIDTH * share for share in section.widths])
    table.setStyle(style)
    return table


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[:letters]}… (see the full text)"


def _paragraph(text: str, font: str, size: float, color: Any = colors.black) -> Paragraph:
    style = ParagraphStyle("p", fontName=font, fontSize=size, leading=size * 1.2, textColor=color)
    style.wordWrap = "LTR"
    return Paragraph(escape(written(text, font)), style)
