"""PDF: every page becomes a picture, with what the plan names under black boxes, in a new file.

Three passes over the pages: find what is named; see that no removed value stands outside the boxes, under
any spelling; draw. Text layer, fields, notes, attachments, scripts, metadata and earlier versions stay
behind, because nothing but pixels is carried over.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from gateway.desk.boxes import Box, black_out, is_black, region_of
from gateway.desk.checks import absent_from_text, check, demand, words_left
from gateway.desk.patterns import Pattern, patterns, spans
from gateway.desk.pdf_bytes import inflated, strange_words
from gateway.desk.pdf_pages import Page, only_pictures, opened, pages
from gateway.desk.pdf_writer import PictureBook
from gateway.desk.plan import Instruction, Plan
from gateway.desk.removed import Removed
from gateway.exchange.derivation_acts import DerivationCheck
from gateway.kernel.errors import MalformedError

DPI = 200
MIN_DPI, MAX_DPI = 72, 600
_COVERED = "\ua000"  # stands for a sign under a box: a letter, so that nothing is read across it
_NEED_EYES = 12  # signs: a page with fewer is likely a scan


@dataclass(slots=True)
class _Found:
    """What is burnt in on each page, and the text that stays to be seen."""

    boxes: list[list[Box]] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list, repr=False)
    scans: list[int] = field(default_factory=list)


def redact(
    path: Path, out: Path, plan: Plan, removed: Removed, dpi: int
) -> tuple[list[list[Box]], list[DerivationCheck]]:
    """Write *path* as pictures without what the plan names; return the boxes by page, and the checks so far.

    Raises VerificationError, before anything is drawn, if a removed value stands outside the boxes.
    """
    plan.only("text", "regex", "field", "region")
    _sane(dpi)
    with opened(path) as document:
        found = _find(document, plan, removed, dpi)
        early = [absent_from_text(removed, found.left, running=True, name="covered-in-original")]
        demand(early)
        draw(document, out, found.boxes, dpi)
    names = ", ".join(map(str, found.scans[:20])) + (", …" if len(found.scans) > 20 else "")
    fine = f"pages with hardly any text, to be looked at by a person: {names or 'none'}"
    looked = [words_left(removed, found.left), check("pictures-in-pages", (), fine)]
    return found.boxes, [*early, *looked]


def _sane(dpi: int) -> None:
    if not MIN_DPI <= dpi <= MAX_DPI:
        raise MalformedError(f"--dpi is between {MIN_DPI} and {MAX_DPI}")


def _find(document: Any, plan: Plan, removed: Removed, dpi: int) -> _Found:
    found = _Found()
    wanted = patterns(plan.instructions, broken=True)
    regions = [(i, *region_of(i)) for i in plan.instructions if i.where == "region"]
    for instruction, number, _ in regions:
        if not 1 <= number <= len(document):
            raise instruction.fail(f"there is no page {number}; there are {len(document)}")
    for page in pages(document, dpi):
        text = page.text()
        boxes = [
            *_of_regions(page, regions, removed),
            *_of_fields(page, plan.instructions, removed),
            *_of_text(page, text, wanted, removed),
        ]
        found.boxes.append(boxes)
        found.left.append((f"page {page.number}", _uncovered(page, text, boxes)))
        if len(text.strip()) < _NEED_EYES:
            found.scans.append(page.number)
    return found


def _of_regions(
    page: Page,
    regions: Sequence[tuple[Instruction, int, tuple[float, float, float, float]]],
    removed: Removed,
) -> Iterator[Box]:
    width, height = page.points
    for instruction, number, (x, y, wide, high) in regions:
        if number != page.number:
            continue
        if x + wide > width + 0.5 or y + high > height + 0.5:
            size = f"{width:.0f} x {height:.0f} points"
            raise instruction.fail(f"it leaves page {number}, which is {size}, from the top left")
        removed.count(instruction.number)
        corner = page.pixels(x + wide), page.pixels(y + high)
        yield Box(page.pixels(x) - 1, page.pixels(y) - 1, *corner).grown(page.size, 1)


def _of_fields(page: Page, instructions: Sequence[Instruction], removed: Removed) -> Iterator[Box]:
    for instruction in instructions:
        for widget in page.widgets if instruction.where == "field" else ():
            if fnmatchcase(widget.name, instruction.what):
                removed.count(instruction.number)
                removed.add(widget.value, f"page {page.number}, a field")
                box = page.box_at(widget.edges)
                if not box.empty:
                    yield box


def _of_text(page: Page, text: str, wanted: Sequence[Pattern], removed: Removed) -> Iterator[Box]:
    for start, end, instruction in spans(text, wanted):
        removed.count(instruction.number)
        removed.add(text[start:end], f"page {page.number}")
        for first, last in _by_line(text, start, end):
            box = page.box_of(first, last)
            if box and not box.empty:
                yield box


def _by_line(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a span's parts on each line: a box goes around each, not around all of them."""
    at = start
    for here in range(start, end + 1):
        if here == end or text[here] in "\r\n":
            if here > at:
                yield at, here
            at = here + 1


def _uncovered(page: Page, text: str, boxes: Sequence[Box]) -> str:
    """Return the text with a stand-in for each sign under a box, or outside what the page shows."""
    return "".join(
        _COVERED if not char.isspace() and _under(page.box_of(at, at + 1), boxes) else char
        for at, char in enumerate(text)
    )


def _under(char: Box | None, boxes: Sequence[Box]) -> bool:
    if char is None or char.empty:
        return char is not None
    x, y = (char.left + char.right) / 2, (char.top + char.bottom) / 2
    return any(b.left <= x < b.right and b.top <= y < b.bottom for b in boxes)


def draw(document: Any, out: Path, boxes: Sequence[Sequence[Box]], dpi: int) -> None:
    """Write the pages as pictures with their boxes black."""
    with PictureBook(out) as book:
        for page, burnt in zip(pages(document, dpi), boxes, strict=True):
            picture = page.picture()
            black_out(picture, burnt)
            book.page(picture, *page.points)


def checks(out: Path, boxes: Sequence[Sequence[Box]]) -> Iterator[DerivationCheck]:
    """Read the derivative again: pictures alone, as many as there were pages, the boxes black."""
    strange, faults, count = set[str](), [], 0
    for number, found in enumerate(only_pictures(out), 1):
        count += 1
        strange |= set(found.strange)
        picture = found.picture
        burnt = boxes[number - 1] if number <= len(boxes) else ()
        if picture is None or not all(is_black(picture, box) for box in burnt):
            faults.append(f"a box on page {number} is not all black")
    if count != len(boxes):
        faults.append(f"{count} pages, and there were {len(boxes)}")
    total = sum(map(len, boxes))
    yield check("boxes-uniform", faults, f"{total} boxes on {count} pages are black in every pixel")
    strange |= set(strange_words(out.read_bytes()))
    fine = "no text layer, fields, notes, attachments, scripts, metadata or earlier version"
    yield check("only-pictures", sorted(strange), fine)


def streams(out: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every stream of the derivative, inflated, for the search of bytes."""
    return inflated(out.read_bytes())
