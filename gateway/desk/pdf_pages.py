"""Pages of a PDF: what stands where, and how it looks. The only file that speaks to PDFium.

Annotations and form fields are flattened into the page first, so that what is shown is also searched.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

from gateway.desk import files
from gateway.desk.boxes import Box
from gateway.kernel.errors import MalformedError, TooLargeError

MAX_FILE = 512 << 20  # bytes
MAX_PAGES = 2000
MAX_PIXELS = 100_000_000  # of one page
_XFA_FULL = 2
_PAD = 1.0  # points around what is burnt in


@dataclass(frozen=True, slots=True)
class Widget:
    """A form field as it stands on a page, in points from the page's own origin."""

    name: str
    value: str = field(repr=False)
    edges: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PicturePage:
    """A page: what it holds beside one picture, the picture if there is one, and its size in points."""

    strange: list[str]
    picture: Image.Image | None
    points: tuple[float, float]


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a PDF. Raises MalformedError for one that is damaged, protected or of a form that is code."""
    data = files.read_whole(path, MAX_FILE)
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError:
        raise MalformedError(
            f"{path.name} is no PDF that can be read: damaged, or protected by a password"
        ) from None
    try:
        if len(document) > MAX_PAGES:
            raise TooLargeError(f"{path.name} has more than {MAX_PAGES} pages: split it")
        if document.get_formtype() == _XFA_FULL:
            raise MalformedError(f"{path.name} is a dynamic XFA form: print it to PDF first")
        document.init_forms()
        yield document
    finally:
        document.close()


class Page:
    """One page at a resolution: its fields, its text with a box for every character, its look."""

    def __init__(self, document: Any, number: int, dpi: int) -> None:
        self.number = number
        page = document[number - 1]
        self.widgets = list(_widgets(document, page))
        if pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) == pdfium.FLATTEN_FAIL:
            raise MalformedError(f"page {number}: its fields and notes cannot be drawn")
        page.close()
        self._page = document[number - 1]
        self._text = self._page.get_textpage()
        self._scale = dpi / 72
        self.points = (self._page.get_width(), self._page.get_height())
        self.size = (self.pixels(self.points[0]), self.pixels(self.points[1]))
        if self.size[0] * self.size[1] > MAX_PIXELS:
            raise TooLargeError(f"page {number} has more than {MAX_PIXELS} pixels: lower --dpi")

    def close(self) -> None:
        """Free what PDFium holds of the page."""
        self._text.close()
        self._page.close()

    def pixels(self, points: float) -> int:
        """Return a length in pixels, rounded up."""
        return -int(-points * self._scale // 1)

    def text(self) -> str:
        """Return the text, one sign for each that PDFium knows, so that an index is a place."""
        count = self._text.count_chars()
        codes = (int(pdfium.FPDFText_GetUnicode(self._text, at)) for at in range(count))
        return "".join(chr(code) for code in codes)

    def box_of(self, start: int, end: int) -> Box | None:
        """Return the box around some characters, or None if they are nowhere."""
        edges = [self._text.get_charbox(at, loose=True) for at in range(start, end)]
        found = [e for e in edges if e[2] > e[0] and e[3] > e[1]]
        if not found:
            return None
        low, high = (
            [min(e[n] for e in found) for n in (0, 1)],
            [max(e[n] for e in found) for n in (2, 3)],
        )
        return self.box_at((low[0], low[1], high[0], high[1]), _PAD)

    def box_at(self, edges: tuple[float, float, float, float], pad: float = _PAD) -> Box:
        """Return the box of left, bottom, right, top in the page's own space, turned and cropped as shown."""
        left, bottom, right, top = edges
        first = self._to_device(left - pad, bottom - pad)
        second = self._to_device(right + pad, top + pad)
        (x0, x1), (y0, y1) = sorted((first[0], second[0])), sorted((first[1], second[1]))
        return Box(x0, y0, x1 + 1, y1 + 1).grown(self.size, 1)

    def _to_device(self, x: float, y: float) -> tuple[int, int]:
        found = ctypes.c_int(), ctypes.c_int()
        width, height = self.size
        pdfium.FPDF_PageToDevice(self._page, 0, 0, width, height, 0, x, y, *found)
        return found[0].value, found[1].value

    def picture(self) -> Image.Image:
        """Return the page as it looks, grey if it has no colour."""
        bitmap = self._page.render(scale=self._scale, may_draw_forms=False)
        image: Image.Image = bitmap.to_pil().convert("RGB")
        bitmap.close()
        red, green, blue = (band.tobytes() for band in image.split())
        return image.convert("L") if red == green == blue else image


def pages(document: Any, dpi: int) -> Iterator[Page]:
    """Yield the pages one after another; each is closed when the next is asked for."""
    for number in range(1, len(document) + 1):
        page = Page(document, number, dpi)
        try:
            yield page
        finally:
            page.close()


def _widgets(document: Any, page: Any) -> Iterator[Widget]:
    for at in range(pdfium.FPDFPage_GetAnnotCount(page)):
        note = pdfium.FPDFPage_GetAnnot(page, at)
        try:
            if pdfium.FPDFAnnot_GetSubtype(note) == pdfium.FPDF_ANNOT_WIDGET and document.formenv:
                yield _widget(document.formenv, note)
        finally:
            pdfium.FPDFPage_CloseAnnot(note)


def _widget(form: Any, note: Any) -> Widget:
    edges = pdfium.FS_RECTF()
    pdfium.FPDFAnnot_GetRect(note, edges)
    name = _wide(lambda room, size: pdfium.FPDFAnnot_GetFormFieldName(form, note, room, size))
    value = _wide(lambda room, size: pdfium.FPDFAnnot_GetFormFieldValue(form, note, room, size))
    left, right = sorted((edges.left, edges.right))
    bottom, top = sorted((edges.bottom, edges.top))
    return Widget(name, value, (left, bottom, right, top))


def _wide(ask: Callable[[Any, int], int]) -> str:
    """Return a text that PDFium gives as UTF-16 into room that is measured first."""
    size = int(ask(None, 0))
    room = ctypes.create_string_buffer(size)
    ask(ctypes.cast(room, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return room.raw[:size].decode("utf-16-le", "replace").rstrip("\0")


def only_pictures(path: Path) -> Iterator[PicturePage]:
    """Yield the pages of a PDF that is, or should be, of pictures alone."""
    with opened(path) as document:
        whole = [] if document.count_attachments() == 0 else ["attachments"]
        whole += [f"metadata {name}" for name, said in document.get_metadata_dict().items() if said]
        for number in range(len(document)):
            page = document[number]
            size = (page.get_width(), page.get_height())
            yield PicturePage(whole + _strange(page), _picture(page), size)
            page.close()


def _strange(page: Any) -> list[str]:
    text = page.get_textpage()
    found = ["a text layer"] if text.count_chars() else []
    text.close()
    if pdfium.FPDFPage_GetAnnotCount(page):
        found.append("annotations")
    kinds = [item.type for item in page.get_objects()]
    return found if kinds == [pdfium.FPDF_PAGEOBJ_IMAGE] else [*found, "something beside a picture"]


def _picture(page: Any) -> Image.Image | None:
    for item in page.get_objects():
        if item.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            try:
                image: Image.Image = item.get_bitmap(render=False).to_pil()
            except (pypdfium2.PdfiumError, ValueError):
                return None  # a kind of picture that this program never writes
            return image
    return None
