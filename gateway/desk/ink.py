"""What is put on a picture to mark it; apart from the code that draws, which needs Pillow."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ink:
    """Words to be seen, in a font of one's own if given; a tag; or both."""

    visible: str
    font: Path | None
    tag: bytes | None
