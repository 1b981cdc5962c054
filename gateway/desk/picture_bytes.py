"""What a picture file holds beside pixels, read from its bytes: no library has to know of it.

Each format is a chain of named parts; whatever is not on the short list of parts that pixels need is named.
"""

import struct
from collections.abc import Iterator

from gateway.kernel.errors import MalformedError

_PNG = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_WEBP = {b"VP8L", b"VP8 "}
# Size, layout, compression and place of the strips (TIFF 6.0, part 1); the sample format, the predictor.
_TIFF = {256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 284, 296, 317, 338, 339}
_JPEG = {0xD8, 0xD9, 0xDA, 0xDB, 0xC0, 0xC1, 0xC2, 0xC4, 0xDD}
_JFIF = b"JFIF\0"


def leftovers(data: bytes, kind: str) -> list[str]:
    """Return the names of parts that hold something else than pixels."""
    readers = {"PNG": _png, "JPEG": _jpeg, "TIFF": _tiff, "WEBP": _webp}
    try:
        return list(readers[kind](data))
    except (struct.error, IndexError):
        raise MalformedError("the derivative is damaged") from None


def _png(data: bytes) -> Iterator[str]:
    at = 8
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if name not in _PNG:
            yield f"PNG chunk {name!r}"
        at += 12 + size
        if name == b"IEND" and at < len(data):
            yield "bytes after the picture"
            return


def _webp(data: bytes) -> Iterator[str]:
    size, at = struct.unpack_from("<I", data, 4)[0], 12
    if size + 8 + size % 2 < len(data):
        yield "bytes after the picture"
    while at + 8 <= size + 8:
        name, length = struct.unpack_from("<4sI", data, at)
        # ALPH is the alpha channel, VP8X says that there is one; its flags for other parts must be off.
        if (name == b"VP8X" and data[at + 8] & ~0x10) or name not in (*_WEBP, b"ALPH", b"VP8X"):
            yield f"WebP chunk {name!r}"
        at += 8 + length + length % 2


def _tiff(data: bytes) -> Iterator[str]:
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    for n in range(count):
        (tag,) = struct.unpack_from(order + "H", data, at + 2 + 12 * n)
        if tag not in _TIFF:
            yield f"TIFF tag {tag}"
    if struct.unpack_from(order + "I", data, at + 2 + 12 * count)[0]:
        yield "a second TIFF page"


def _jpeg(data: bytes) -> Iterator[str]:
    at = 0
    while at < len(data):
        marker = data[at + 1]
        if marker == 0xD9:
            if at + 2 < len(data):
                yield "bytes after the picture"
            return
        if marker == 0xD8:
            at += 2
            continue
        (size,) = struct.unpack_from(">H", data, at + 2)
        plain = marker == 0xE0 and data[at + 4 : at + 9] == _JFIF and size == 16
        if marker not in _JPEG and not plain:
            yield f"JPEG segment {marker:#x}"
        at += 2 + size
        if marker == 0xDA:
            at = _after_scan(data, at)


def _after_scan(data: bytes, at: int) -> int:
    """Return where the next marker stands; within a scan 0xFF is followed by 0 or a restart marker."""
    while data[at] != 0xFF or data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
        at = data.index(b"\xff", at + 1)
    return at
