"""Pictures: regions are uniform, and a file holds pixels and nothing else."""

from pathlib import Path

import pytest
from PIL import Image

from gateway.desk import pictures
from gateway.desk.picture_bytes import leftovers
from gateway.kernel.errors import MalformedError, TooLargeError
from tests.desk.documents import PLAIN_NAME, by_name, jpeg, made, picture, png

REGION = ("region", "35,35,120,30")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tiff", "a.webp"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_region_is_black_in_every_format(tmp_path: Path, name: str, mode: str) -> None:
    path = tmp_path / name
    picture(mode=mode).save(path)
    out, record = made(path, REGION)
    again = Image.open(out).convert("RGB").crop((35, 35, 155, 65))
    assert again.getcolors() == [(120 * 30, (0, 0, 0))]
    assert by_name(record)["regions-uniform"].passed
    assert by_name(record)["only-pixels"].passed


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_alpha_is_opaque_over_a_region_and_kept_elsewhere(tmp_path: Path, mode: str) -> None:
    image = picture(mode="RGBA")
    image.putalpha(100)
    path = tmp_path / "a.png"
    image.convert(mode).save(path)
    out, _ = made(path, REGION)
    again = Image.open(out).convert("RGBA")
    assert again.getpixel((50, 50)) == (0, 0, 0, 255)
    if mode != "P":
        assert again.getpixel((300, 200))[3] == 100  # type: ignore[index]


def test_exif_thumbnail_comment_and_trailing_bytes_are_gone_and_it_stands_upright(
    tmp_path: Path,
) -> None:
    path = jpeg(tmp_path / "a.jpg")
    found = leftovers(path.read_bytes(), "JPEG")
    assert {"JPEG segment 0xe1", "JPEG segment 0xfe", "bytes after the picture"} <= set(found)
    out, _ = made(path, REGION)
    data = out.read_bytes()
    assert leftovers(data, "JPEG") == []
    assert PLAIN_NAME.encode() not in data
    with Image.open(out) as image:
        assert not image.getexif()
        assert image.size == (240, 320)  # orientation 6: turned by 90 degrees


def test_text_chunks_of_png_are_gone(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png")
    assert "PNG chunk b'tEXt'" in leftovers(path.read_bytes(), "PNG")
    out, _ = made(path, REGION)
    assert leftovers(out.read_bytes(), "PNG") == []
    assert PLAIN_NAME.encode() not in out.read_bytes()


def test_a_picture_may_change_its_format_by_its_name(tmp_path: Path) -> None:
    out, _ = made(jpeg(tmp_path / "a.jpg"), REGION, out="b.png")
    assert out.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(MalformedError, match=r"ends in \.png"):
        made(tmp_path / "a.jpg", REGION, out="b.gif")
    with pytest.raises(MalformedError, match="JPEG has no transparency"):
        made(png(tmp_path / "c.png"), REGION, out="c.jpg")


@pytest.mark.parametrize("name", ["a.tiff", "a.webp", "a.png"])
def test_several_frames_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    picture().save(path, save_all=True, append_images=[picture(mode="L").convert("RGB").rotate(9)])
    with pytest.raises(MalformedError, match="several frames or pages"):
        made(path, REGION)


@pytest.mark.parametrize(
    ("region", "says"),
    [
        ("300,10,30,10", "leaves the picture, which is 320 x 240"),
        ("2:1,1,1,1", "a picture has one page"),
        ("1,2,3", "a region is spelt"),
    ],
)
def test_regions_outside_are_refused(tmp_path: Path, region: str, says: str) -> None:
    with pytest.raises(MalformedError, match=says):
        made(png(tmp_path / "a.png"), ("region", region))


def test_what_is_no_picture_or_too_large_or_too_deep_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"GIF89a not at all")
    with pytest.raises(MalformedError, match="no PNG, JPEG, TIFF or WebP"):
        made(path, REGION)
    picture().save(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(MalformedError, match="damaged"):
        made(path, REGION)
    Image.new("I;16", (400, 400)).save(path)
    with pytest.raises(MalformedError, match="8 bits"):
        made(path, REGION)
    picture().save(path)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 100)
    with pytest.raises(TooLargeError, match="more than 100 pixels"):
        made(path, REGION)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(TooLargeError, match="more than 100 pixels"):
        made(path, REGION)


def test_metadata_in_any_format_is_seen_by_its_bytes(tmp_path: Path) -> None:
    image = picture()
    exif = Image.Exif()
    exif[0x010E] = PLAIN_NAME
    for name, kind, word in (
        ("a.webp", "WEBP", "EXIF"),
        ("a.tiff", "TIFF", "TIFF tag 270"),
        ("a.png", "PNG", "eXIf"),
    ):
        image.save(tmp_path / name, exif=exif)
        assert any(word in left for left in leftovers((tmp_path / name).read_bytes(), kind))
    with pytest.raises(MalformedError, match="damaged"):
        leftovers(b"\xff\xd8\xff\xe0", "JPEG")
