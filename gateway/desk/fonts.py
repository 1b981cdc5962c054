"""Fonts that are embedded in what the desk writes, and what happens to characters that none has."""

import unicodedata
from functools import lru_cache
from pathlib import Path

import reportlab
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont

_OWN = Path(reportlab.__file__).parent / "fonts"
_PAIRS = (
    (_OWN / "Vera.ttf", _OWN / "VeraBd.ttf"),  # always there; Latin only
    *(
        (Path(folder) / "DejaVuSans.ttf", Path(folder) / "DejaVuSans-Bold.ttf")
        for folder in ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/dejavu-sans-fonts")
    ),
)


def fonts_for(text: str) -> tuple[str, str]:
    """Return the names of a regular and a bold font that have most characters of *text*, registered.

    The first of two as good: reportlab's own Vera has what Latin alphabets need, a DejaVu of the machine
    also Cyrillic and Greek.
    """
    wanted = {ord(char) for char in text}
    lacking = [(len(wanted - _characters(pair)), n) for n, pair in enumerate(_PAIRS)]
    regular, bold = _PAIRS[min(lacking)[1]]
    return _register(regular), _register(bold)


def written(text: str, font: str) -> str:
    """Return *text* as a font can write it: a character that it lacks as its number, `[U+0416]`."""
    known = pdfmetrics.getFont(font).face.charToGlyph
    return "".join(char if ord(char) in known else _numbered(char) for char in text)


def _numbered(char: str) -> str:
    return " " if unicodedata.category(char) in ("Cc", "Zs") else f"[U+{ord(char):04X}]"


def _register(path: Path) -> str:
    if path.stem not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(path.stem, str(path)))
    return path.stem


@lru_cache(maxsize=8)
def _characters(pair: tuple[Path, Path]) -> frozenset[int]:
    """Return the characters that both fonts of a pair have; none of fonts that are not there."""
    try:
        faces = [TTFont(path.stem, str(path)).face.charToGlyph for path in pair]
    except (TTFError, OSError):
        return frozenset()
    return frozenset(faces[0]) & frozenset(faces[1])
