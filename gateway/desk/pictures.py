"""Pictures: regions burnt in, and nothing kept but pixels.

A picture is decoded, turned as its orientation says, brought to grey or RGB (with alpha), and encoded anew:
no EXIF, XMP, thumbnail, comment, text or colour profile can come along.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from gateway.desk.boxes import Box, black_out, is_black, region_of
from gateway.desk.checks import check
from gateway.desk.picture_bytes import leftovers
from gateway.desk.plan import Plan
from gateway.desk.removed import Removed
from gateway.exchange.derivation_acts import DerivationCheck
from gateway.kernel.errors import MalformedError, TooLargeError

MAX_PIXELS = 100_000_000  # of one picture: 400 MB in memory
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")  # a JPEG may turn out to be MPO: several in one
SUFFIXES = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP",
}  # fmt: skip
_GRID = 8  # pixels: JPEG's block, so that no block is half black
_SAVE: dict[str, dict[str, object]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "TIFF": {"compression": "tiff_deflate"},
    "WEBP": {"lossless": True, "exact": True},
}


def redact(path: Path, out: Path, name: str, plan: Plan, removed: Removed) -> list[Box]:
    """Write *path* with the plan's regions black to *out*, in the format of *name*; return the boxes."""
    plan.only("region")
    picture = load(path)
    boxes = []
    for instruction in plan.instructions:
        page, (x, y, width, height) = region_of(instruction)
        if page != 1:
            raise instruction.fail("a picture has one page")
        if x + width > picture.width or y + height > picture.height:
            raise instruction.fail(
                f"it leaves the picture, which is {picture.width} x {picture.height}"
            )
        edges = Box(int(x), int(y), -int(-(x + width) // 1), -int(-(y + height) // 1))
        boxes.append(edges.grown(picture.size, _GRID))
        removed.count(instruction.number)
    black_out(picture, boxes)
    save(picture, out, name)
    return boxes


def load(path: Path) -> Image.Image:
    """Return a picture's pixels, upright, in mode L, LA, RGB or RGBA. Raises MalformedError, TooLargeError."""
    with _bounded(path.name), Image.open(path, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise TooLargeError(f"{path.name} has more than {MAX_PIXELS} pixels")
        # An MPO is what some cameras make of a JPEG: its further frames are previews, and are left out.
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            raise MalformedError(
                f"{path.name} has several frames or pages: split it, and redact each"
            )
        image.load()
        return _only_pixels(ImageOps.exif_transpose(image), path.name)


def _only_pixels(image: Image.Image, name: str) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        raise MalformedError(
            f"{name} has more than 8 bits for each colour: convert it to 8 bits first"
        )
    alpha = image.has_transparency_data
    grey = image.mode in ("1", "L", "LA")
    mode = ("LA" if alpha else "L") if grey else ("RGBA" if alpha else "RGB")
    return bare(image.convert(mode))


def bare(image: Image.Image) -> Image.Image:
    """Return the pixels of an image and nothing else that it carries."""
    fresh = Image.new(image.mode, image.size)
    fresh.paste(image, (0, 0))
    return fresh


@contextmanager
def _bounded(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    except Image.DecompressionBombError:
        raise TooLargeError(f"{name} has more than {MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise MalformedError(f"{name} is no PNG, JPEG, TIFF or WebP that can be read") from None
    except (OSError, SyntaxError, ValueError, EOFError):
        raise MalformedError(f"{name} is damaged, or cannot be read") from None


def format_of(name: str) -> str:
    """Return the format that a derivative's name asks for. Raises MalformedError."""
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise MalformedError(f"{name}: a picture's derivative ends in {', '.join(SUFFIXES)}")
    return SUFFIXES[suffix]


def save(picture: Image.Image, out: Path, name: str) -> None:
    """Write pixels to *out* in the format that *name* asks for; JPEG has no alpha and refuses it."""
    kind = format_of(name)
    if kind == "JPEG" and picture.mode in ("LA", "RGBA"):
        raise MalformedError(f"{name}: JPEG has no transparency; name the derivative .png")
    with out.open("wb") as handle:
        picture.save(handle, kind, **_SAVE[kind])


def checks(out: Path, name: str, boxes: list[Box]) -> Iterator[DerivationCheck]:
    """Read the derivative again: regions black in every pixel, and nothing in the file but pixels."""
    picture = load(out)
    faults = [
        f"region {n} is not all black"
        for n, box in enumerate(boxes, 1)
        if not is_black(picture, box)
    ]
    yield check("regions-uniform", faults, f"{len(boxes)} regions are black in every pixel")
    yield check("only-pixels", leftovers(out.read_bytes(), format_of(name)), "no metadata is left")
