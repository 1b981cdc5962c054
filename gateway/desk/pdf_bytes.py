"""A PDF's bytes, read without a PDF library: every stream inflated, and words that have no place in it."""

import re
import zlib
from collections.abc import Iterator

_STREAM = re.compile(rb"stream\r?\n")
_END = b"endstream"
_NEVER = (
    b"/AcroForm", b"/AA", b"/Annots", b"/EmbeddedFile", b"/Encrypt", b"/Font", b"/Info", b"/JavaScript",
    b"/JS", b"/Metadata", b"/Names", b"/ObjStm", b"/OpenAction", b"/Outlines", b"/PieceInfo", b"/Prev",
    b"/StructTreeRoot", b"/XFA", b"/XRef",
)  # fmt: skip


def inflated(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield every stream of a PDF with its place, inflated if it can be, as it is if not."""
    for number, (start, end) in enumerate(_streams(data), 1):
        raw = data[start:end]
        try:
            yield f"stream {number}", zlib.decompressobj().decompress(raw)
        except zlib.error:
            yield f"stream {number}", raw


def strange_words(data: bytes) -> list[str]:
    """Return what stands outside the streams and has no place in a PDF of pictures."""
    outside, at = [], 0
    for start, end in _streams(data):
        outside.append(data[at:start])
        at = end
    text = b"".join([*outside, data[at:]])
    found = [word.decode() for word in _NEVER if re.search(re.escape(word) + rb"\b", text)]
    if text.count(b"%%EOF") != 1 or not data.endswith(b"%%EOF\n"):
        found.append("more than one version of the file")
    return found


def _streams(data: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while match := _STREAM.search(data, at):
        end = data.find(_END, match.end())
        end = len(data) if end < 0 else end
        yield match.end(), end
        at = end + len(_END)
