"""Files as they come to the desk, with names where a careless redaction leaves them."""

import io
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
from PIL import Image, ImageDraw
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo
from reportlab.pdfgen import canvas

from gateway.desk.plan import Plan, make_plan
from gateway.desk.record import Record
from gateway.desk.redact import Settings, redact
from gateway.exchange.derivation_acts import DerivationCheck

NAME = "Anna Kovačević"
PLAIN_NAME = "Anna Kovacevic"  # what the standard fonts of PDF can show
A4 = (595, 842)  # points


def plan(*said: tuple[str, str], removes: str = "witness_identity", **more: str) -> Plan:
    return make_plan([(where, what, removes) for where, what in said], more)


def made(path: Path, *said: tuple[str, str], out: str = "", **more: str) -> tuple[Path, Record]:
    """Redact a file beside itself; return the derivative and its record."""
    target = path.with_name(out or f"out-{path.name}")
    return target, redact(path, target, plan(*said, **more), Settings()).record


def by_name(record: Record) -> dict[str, DerivationCheck]:
    return {check.name: check for check in record.checks}


def pdf(path: Path, lines: Sequence[str], *, fields: bool = False) -> Path:
    """A PDF with text lines from the top, 30 points apart, and names in metadata and a note."""
    page = canvas.Canvas(str(path), pagesize=A4)
    page.setTitle(f"Statement of {PLAIN_NAME}")
    page.setAuthor(PLAIN_NAME)
    for number, line in enumerate(lines):
        page.drawString(72, 770 - 30 * number, line)
    if fields:
        page.acroForm.textfield(
            name="witness.name", value=PLAIN_NAME, x=72, y=300, width=200, height=20
        )
        page.acroForm.textfield(name="town", value="Visegrad", x=72, y=260, width=200, height=20)
        page.textAnnotation(f"ask {PLAIN_NAME}", Rect=[400, 300, 420, 320])
    page.showPage()
    page.save()
    return path


def with_attachment(path: Path, name: str, content: bytes) -> Path:
    document = pypdfium2.PdfDocument(path.read_bytes())
    document.new_attachment(name).set_data(content)
    document.save(str(path))
    document.close()
    return path


def with_update(path: Path, more: bytes) -> Path:
    """Append an incremental update: an object that the newest version no longer refers to."""
    data = path.read_bytes()
    start = data.rindex(b"startxref")
    before = int(data[start:].split()[1])
    at = len(data)
    body = b"99 0 obj\n(%s)\nendobj\n" % more
    xref = b"xref\n99 1\n%010d 00000 n \n" % at
    root = data[data.index(b"/Root") :].split()[1]
    tail = b"trailer\n<</Size 100/Root %s 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (
        root,
        before,
        at + len(body),
    )
    path.write_bytes(data + body + xref + tail)
    return path


def picture(size: tuple[int, int] = (320, 240), mode: str = "RGB") -> Image.Image:
    """A gradient with a line of text that is to be covered."""
    image = Image.linear_gradient("L").resize(size).convert(mode)
    ImageDraw.Draw(image).text((40, 40), PLAIN_NAME)
    return image


def jpeg(path: Path) -> Path:
    """A JPEG with EXIF, an EXIF thumbnail, a comment and an orientation."""
    image = picture()
    exif = Image.Exif()
    exif[Base.Artist.value] = PLAIN_NAME
    exif[Base.Orientation.value] = 6
    thumb = io.BytesIO()
    image.resize((64, 48)).save(thumb, "JPEG")
    image.save(path, "JPEG", exif=exif, comment=PLAIN_NAME.encode())
    data = path.read_bytes()
    segment = b"\xff\xe1" + (len(thumb.getvalue()) + 2).to_bytes(2, "big") + thumb.getvalue()
    path.write_bytes(data[:2] + segment + data[2:] + b"trailing " + PLAIN_NAME.encode())
    return path


def png(path: Path, mode: str = "RGBA") -> Path:
    notes = PngInfo()
    notes.add_text("Author", PLAIN_NAME)
    notes.add_itxt("XML:com.adobe.xmp", f"<x>{PLAIN_NAME}</x>")
    picture(mode=mode).save(path, "PNG", pnginfo=notes)
    return path


def text_of(path: Path) -> str:
    """The text layer of a PDF."""
    document = pypdfium2.PdfDocument(path.read_bytes())
    found = "".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    return str(found)


def shown(path: Path, dpi: int = 72) -> Image.Image:
    """The first page as a viewer shows it."""
    document = pypdfium2.PdfDocument(path.read_bytes())
    image: Image.Image = document[0].render(scale=dpi / 72).to_pil().convert("RGB")
    document.close()
    return image
