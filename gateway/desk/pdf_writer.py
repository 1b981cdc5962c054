"""A PDF of pictures and nothing else, written page by page.

Catalogue, pages, one picture each (ISO 32000-1, sections 7.7 and 8.9): no fonts, information, annotations,
names, scripts or earlier versions. It is written here because then nothing else can be in it, and memory
holds one page at a time.
"""

import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from PIL import Image

_HEAD = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
_SPACES = {"L": b"/DeviceGray", "RGB": b"/DeviceRGB"}
_CATALOGUE, _PAGES = 1, 2


class PictureBook:
    """An open PDF file; `page` adds to it, leaving the block ends it."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")
        self._offsets: dict[int, int] = {}
        self._pages: list[int] = []
        self._at = self._file.write(_HEAD)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._end()
        self._file.close()

    def page(self, picture: Image.Image, width: float, height: float) -> None:
        """Add a page of *width* and *height* points that shows *picture*, in mode L or RGB."""
        number = 3 * len(self._pages) + 3
        content = f"q {width:.2f} 0 0 {height:.2f} 0 0 cm /P Do Q".encode()
        self._object(
            number,
            b"<</Type/Page/Parent %d 0 R/MediaBox[0 0 %.2f %.2f]/Contents %d 0 R"
            b"/Resources<</XObject<</P %d 0 R>>>>>>"
            % (_PAGES, width, height, number + 1, number + 2),
        )
        self._stream(number + 1, b"", content)
        self._stream(
            number + 2,
            b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace%s/BitsPerComponent 8"
            % (picture.width, picture.height, _SPACES[picture.mode]),
            picture.tobytes(),
        )
        self._pages.append(number)

    def _stream(self, number: int, entries: bytes, content: bytes) -> None:
        packed = zlib.compress(content)
        head = b"<<%s/Filter/FlateDecode/Length %d>>\nstream\n" % (entries, len(packed))
        self._object(number, head + packed + b"\nendstream")

    def _object(self, number: int, body: bytes) -> None:
        self._offsets[number] = self._at
        self._at += self._file.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))

    def _end(self) -> None:
        kids = b" ".join(b"%d 0 R" % number for number in self._pages)
        self._object(_CATALOGUE, b"<</Type/Catalog/Pages %d 0 R>>" % _PAGES)
        self._object(_PAGES, b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(self._pages), kids))
        start, count = self._at, len(self._offsets) + 1
        self._file.write(b"xref\n0 %d\n0000000000 65535 f \n" % count)
        for number in range(1, count):
            self._file.write(b"%010d 00000 n \n" % self._offsets[number])
        self._file.write(
            b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n"
            % (count, _CATALOGUE, start)
        )
