"""Regions of pictures and pages: rectangles that are burnt in, and must be uniform afterwards."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image, ImageDraw

from gateway.desk.plan import Instruction

_REGION = re.compile(r"(?:(\d+):)?(\d+(?:\.\d+)?(?:,\d+(?:\.\d+)?){3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels: left and top inside, right and bottom outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """The four numbers, as Pillow takes them."""
        return self.left, self.top, self.right, self.bottom

    @property
    def empty(self) -> bool:
        """Whether no pixel lies within: the box is outside the picture."""
        return self.left >= self.right or self.top >= self.bottom

    def grown(self, size: tuple[int, int], grid: int) -> "Box":
        """Return the box within a picture of *size*, its edges moved outwards to multiples of *grid*."""
        width, height = size
        return Box(
            max(0, self.left // grid * grid),
            max(0, self.top // grid * grid),
            min(width, -(-self.right // grid) * grid),
            min(height, -(-self.bottom // grid) * grid),
        )


def region_of(instruction: Instruction) -> tuple[int, tuple[float, float, float, float]]:
    """Read `page:x,y,w,h`, or `x,y,w,h` for page 1: counted from the top left. Raises MalformedError."""
    match = _REGION.fullmatch(instruction.what.replace(" ", ""))
    if match is None:
        raise instruction.fail("a region is spelt page:x,y,width,height, or x,y,width,height")
    x, y, width, height = (float(part) for part in match[2].split(","))
    if width <= 0 or height <= 0:
        raise instruction.fail("a region has a width and a height")
    return int(match[1] or 1), (x, y, width, height)


def black_out(picture: Image.Image, boxes: Iterable[Box]) -> None:
    """Paint every box black and opaque."""
    draw = ImageDraw.Draw(picture)
    for box in boxes:
        draw.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), fill=black(picture.mode))


def black(mode: str) -> tuple[int, ...] | int:
    """Return opaque black in one of the four modes that are worked in."""
    colours: dict[str, tuple[int, ...] | int] = {
        "L": 0,
        "LA": (0, 255),
        "RGB": (0, 0, 0),
        "RGBA": (0, 0, 0, 255),
    }
    return colours[mode]


def is_black(picture: Image.Image, box: Box) -> bool:
    """Tell whether every pixel of a box is black and opaque."""
    part = picture.crop(box.corners)
    return part.getcolors(1) == [(part.width * part.height, black(picture.mode))]
