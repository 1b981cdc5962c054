"""Marking pictures and PDFs: pages become pictures, the mark is put over and into them, and read back."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from PIL import Image

from gateway.desk import pictures, words
from gateway.desk.checks import check
from gateway.desk.ink import Ink
from gateway.desk.pdf_bytes import strange_words
from gateway.desk.pdf_pages import only_pictures, opened, pages
from gateway.desk.pdf_writer import PictureBook
from gateway.desk.picture_marks import (
    changed_only_under,
    embedded,
    lettered,
    nearly_equal,
    turns,
    votes_of,
)
from gateway.exchange.derivation_acts import DerivationCheck
from gateway.kernel.errors import MalformedError


def inked(picture: Image.Image, ink: Ink) -> tuple[Image.Image, bool]:
    """Return the marked picture, and whether nothing but the mark changed it."""
    made, fair = picture, True
    if ink.visible:
        made, mask = lettered(picture, ink.visible, ink.font)
        fair = changed_only_under(picture, made, mask)
    if ink.tag is None:
        return made, fair
    tagged = embedded(made, ink.tag)
    return tagged, fair and nearly_equal(made, tagged)


def mark_image(path: Path, aside: Path, name: str, ink: Ink) -> Iterator[DerivationCheck]:
    """Write a marked copy of a picture, and check it."""
    made, fair = inked(pictures.load(path), ink)
    pictures.save(made, aside, name)
    again = pictures.load(aside)
    lossy = pictures.format_of(name) == "JPEG"
    same = again.size == made.size if lossy else again.tobytes() == made.tobytes()
    yield _equal(ink, fair=fair and same)
    yield from pictures.checks(aside, name, [])


def mark_pdf(
    path: Path, aside: Path, ink: Ink, dpi: int, *, own: bool
) -> Iterator[DerivationCheck]:
    """Write a marked copy of a PDF, every page a picture, and check it; *own*: the desk redacted it."""
    digests, fair = [], True
    with PictureBook(aside) as book:
        for picture, points in _pages_of(path, dpi, own=own):
            made, unchanged = inked(picture, ink)
            fair = fair and unchanged
            digests.append(sha256(made.tobytes()).digest())
            book.page(made, *points)
    strange, again = set(strange_words(aside.read_bytes())), []
    for page in only_pictures(aside):
        strange |= set(page.strange)
        again.append(sha256(page.picture.tobytes()).digest() if page.picture else b"")
    yield _equal(ink, fair=fair and again == digests)
    yield check(
        "only-pictures", sorted(strange), "no text layer, notes, metadata or earlier version"
    )


def _pages_of(
    path: Path, dpi: int, *, own: bool
) -> Iterator[tuple[Image.Image, tuple[float, float]]]:
    """Yield the pages as pictures: the very pixels, if this program made the file of pictures."""
    if own:
        for page in only_pictures(path):
            if page.picture is None or page.picture.mode not in ("L", "RGB"):
                raise MalformedError(f"{path.name} holds pictures that cannot be carried over")
            yield page.picture, page.points
        return
    with opened(path) as document:
        for drawn in pages(document, dpi):
            yield drawn.picture(), drawn.points


def _equal(ink: Ink, *, fair: bool) -> DerivationCheck:
    told = []
    if ink.visible:
        told.append("pixels differ only where the words stand")
    if ink.tag is not None:
        told.append("the tag changes no colour by more than 1")
    return check("otherwise-equal", [] if fair else ["more than the mark changed"], "; ".join(told))


def turns_of_image(path: Path) -> Iterator[int]:
    """Yield the words that a picture may hold."""
    return turns(votes_of(pictures.load(path)))


def turns_of_pdf(path: Path) -> Iterator[int]:
    """Yield the words that the pages may hold together, and then each alone."""
    votes = [votes_of(page.picture) for page in only_pictures(path) if page.picture is not None]
    for some in (words.added(votes), *votes):
        yield from turns(some)
