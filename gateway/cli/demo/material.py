"""The demo's own evidence: a small realistic set of files, made up, the same for the same seed."""

import csv
import io
import random
import struct
import zlib
from pathlib import Path

_STATEMENT = """WITNESS STATEMENT (fictional)

Reference: DEMO/{number}
Taken on: 14 March 2026

I am {age} years old. On the morning in question I stood at the well, about two hundred metres from
the bridge. I counted {trucks} lorries without number plates. Two men in grey uniforms ...

I have read this statement and it is true to the best of my knowledge.
"""
VIDEO_BYTES = 3_000_000


def make(folder: Path, seed: int = 1) -> None:
    """Write the set into *folder*: statement, image, PDF, CSV, video, an empty file, deep folders."""
    draw = random.Random(seed)  # noqa: S311 - made-up evidence, not a secret
    made = {
        "statements/statement-014.txt": _statement(draw),
        "statements/déclaration №15 — Zeugin.txt": _statement(draw),
        "protected/interview-b.txt": _statement(draw),
        "images/bridge.png": png(draw),
        "documents/duty-roster.pdf": pdf(["Duty roster, 3rd company", "Fictional document"]),
        "phones/extraction/calls/2026/03/14/calls.csv": _calls(draw),
        "video/clip-0007.mp4": video(draw, VIDEO_BYTES),
        "notes/empty.txt": b"",
    }
    for name, data in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _statement(draw: random.Random) -> bytes:
    text = _STATEMENT.format(
        number=draw.randint(100, 999), age=draw.randint(20, 80), trucks=draw.randint(3, 30)
    )
    return text.encode()


def _calls(draw: random.Random) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["time", "from", "to", "seconds"])
    for n in range(400):
        numbers = (f"+000{draw.randint(10**7, 10**8)}" for _ in range(2))
        rows.writerow([f"2026-03-14T{n // 60:02}:{n % 60:02}:00Z", *numbers, draw.randint(1, 900)])
    return out.getvalue().encode()


def png(draw: random.Random, side: int = 128) -> bytes:
    """Return a PNG with text metadata: where and when it is said to have been taken."""
    rows = b"".join(
        b"\0" + bytes((x * y + draw.randint(0, 9)) % 256 for x in range(side) for _ in range(3))
        for y in range(side)
    )
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"tEXt", b"Creation Time\0002026-03-14T07:12:00Z"),
        (b"tEXt", b"Location\0000.0000 N, 0.0000 E (fictional)"),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def pdf(lines: list[str]) -> bytes:
    """Return a one-page PDF (ISO 32000-1) that shows *lines*."""
    shown = " T* ".join(f"({line}) Tj" for line in lines).encode()
    text = b"BT /F1 14 Tf 72 760 Td 20 TL " + shown + b" ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources 6 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Font << /F1 5 0 R >> >>",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for n, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (n, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(out)


def video(draw: random.Random, size: int) -> bytes:
    """Return bytes shaped like an MP4: a file type box, then *size* bytes of incompressible media."""
    head = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 512, b"isom", b"mp41")
    return head + struct.pack(">I4s", 8 + size, b"mdat") + draw.randbytes(size)
