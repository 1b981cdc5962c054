"""Marks on pictures: the word in the lowest bit of one colour, in tiles; and words to be seen.

A tile is 24 x 8 pixels. Cropping keeps the mark, and so does anything that keeps every pixel (PNG, TIFF,
lossless WebP). JPEG, scaling, printing and a picture of the screen destroy it.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont

from gateway.desk.words import BITS, Votes, majority, number, word_of
from gateway.kernel.errors import MalformedError

WIDE, HIGH = 24, 8  # pixels of a tile: BITS of them
LEAST = 4  # tiles
_FAINT, _STRONG = 70, 170  # opacity of 255
_MARGIN = 8  # pixels


def embedded(picture: Image.Image, tag: bytes) -> Image.Image:
    """Return the picture with the word in the lowest bit of its carrier. Raises MalformedError if too small."""
    if (picture.width // WIDE) * (picture.height // HIGH) < LEAST:
        raise MalformedError("the picture is too small to carry a forensic mark")
    bands = list(picture.split())
    at = _carrier(picture)
    even = bands[at].point([value & 0xFE for value in range(256)])
    bands[at] = ImageChops.add(even, _tiled(word_of(tag), picture.size))
    return Image.merge(picture.mode, bands)


def _carrier(picture: Image.Image) -> int:
    return 2 if picture.mode in ("RGB", "RGBA") else 0  # blue is seen least


def _tiled(bits: Sequence[int], size: tuple[int, int]) -> Image.Image:
    tile = Image.frombytes("L", (WIDE, HIGH), bytes(bits))
    row = Image.new("L", (size[0], HIGH))
    for x in range(0, size[0], WIDE):
        row.paste(tile, (x, 0))
    whole = Image.new("L", size)
    for y in range(0, size[1], HIGH):
        whole.paste(row, (0, y))
    return whole


def votes_of(picture: Image.Image) -> Votes:
    """Count the lowest bits by their place in a tile; where the tiles begin is found by turning."""
    band = picture.split()[_carrier(picture)].point([value & 1 for value in range(256)])
    data, width = band.tobytes(), band.width
    ones, readings = [0] * BITS, [0] * BITS
    for y in range(band.height):
        row = data[y * width : (y + 1) * width]
        for x in range(min(WIDE, width)):
            part = row[x::WIDE]
            ones[y % HIGH * WIDE + x] += part.count(1)
            readings[y % HIGH * WIDE + x] += len(part)
    return Votes(ones, readings)


def turns(votes: Votes) -> Iterator[int]:
    """Yield the word for each place in a tile at which the picture may begin."""
    bits = majority(votes)
    for y, x in itertools.product(range(HIGH if bits else 0), range(WIDE)):
        yield number(
            bits[(row + y) % HIGH * WIDE + (at + x) % WIDE]
            for row, at in itertools.product(range(HIGH), range(WIDE))
        )


def lettered(picture: Image.Image, text: str, font: Path | None) -> tuple[Image.Image, Image.Image]:
    """Return the picture with *text* over it, and the mask of where it was changed."""
    small, large = max(12, picture.width // 60), max(16, picture.width // 22)
    mask = Image.new("L", picture.size)
    draw = ImageDraw.Draw(mask)
    line = _font(text, font, small)
    for top in (_MARGIN, picture.height - _MARGIN - 2 * small):
        draw.text((_MARGIN, top), text, fill=_STRONG, font=line)
    mask = ImageChops.lighter(mask, _across(text, _font(text, font, large), picture.size))
    grey: tuple[int, ...] = (128,) * 3
    ink = Image.new("RGB", picture.size, grey).convert(picture.mode)
    marked = picture.copy()
    marked.paste(ink, (0, 0), mask)
    return marked, mask


def _across(text: str, font: ImageFont.FreeTypeFont, size: tuple[int, int]) -> Image.Image:
    """Return a faint mask of *text* rising over the middle of the page."""
    around = Image.new("L", size)
    draw = ImageDraw.Draw(around)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    place = ((size[0] - (right - left)) / 2, (size[1] - (bottom - top)) / 2)
    draw.text(place, text, fill=_FAINT, font=font)
    return around.rotate(35, resample=Image.Resampling.BILINEAR)


def _font(text: str, path: Path | None, size: int) -> ImageFont.FreeTypeFont:
    if path is not None:
        try:
            return ImageFont.truetype(str(path), size)
        except OSError:
            raise MalformedError(f"{path.name} is no font that can be read") from None
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        raise MalformedError("the built-in font has Latin letters only: say --font FILE") from None
    found = ImageFont.load_default(size)
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise MalformedError("this Pillow has no built-in font of any size: say --font FILE")
    return found


def nearly_equal(one: Image.Image, other: Image.Image) -> bool:
    """Tell whether no colour of any pixel differs by more than 1."""
    if (one.size, one.mode) != (other.size, other.mode):
        return False
    return all(_most(a, b) <= 1 for a, b in zip(one.split(), other.split(), strict=True))


def _most(one: Image.Image, other: Image.Image) -> int:
    ends = ImageChops.difference(one, other).getextrema()
    return int(ends[1]) if isinstance(ends[1], int | float) else 255


def changed_only_under(one: Image.Image, other: Image.Image, mask: Image.Image) -> bool:
    """Tell whether the two are alike, but for 1, wherever the mask is empty, and differ somewhere below it."""
    clear = mask.point([255] + [0] * 255)
    pairs = list(zip(one.split(), other.split(), strict=True))
    apart = [ImageChops.difference(a, b) for a, b in pairs]
    outside = all(_most(ImageChops.multiply(d, clear), Image.new("L", d.size)) <= 1 for d in apart)
    return outside and any(_most(d, Image.new("L", d.size)) > 1 for d in apart)
