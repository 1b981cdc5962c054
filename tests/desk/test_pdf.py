"""PDF: pages become pictures in a file that holds nothing else; looked at with PDFium, poppler and bare zlib."""

import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.desk.pdf_bytes import inflated, strange_words
from gateway.desk.pdf_file import checks
from gateway.desk.redact import Settings, redact
from gateway.kernel.errors import MalformedError, VerificationError
from tests.desk.documents import (
    PLAIN_NAME,
    by_name,
    made,
    pdf,
    plan,
    shown,
    text_of,
    with_attachment,
    with_update,
)

LINES = (f"The witness {PLAIN_NAME} said", "that nothing had happened.")


def everything(path: Path) -> bytes:
    data = path.read_bytes()
    return data + b"".join(stream for _, stream in inflated(data))


def tool(name: str, *args: str) -> str:
    """Run one of poppler's tools, as an outsider's eye."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed: the derivative is not looked at from outside")
    done = subprocess.run([name, *args], capture_output=True, check=True)
    return done.stdout.decode(errors="replace")


def test_text_and_field_are_burnt_in_and_all_else_stays_behind(tmp_path: Path) -> None:
    path = pdf(tmp_path / "statement.pdf", LINES, fields=True)
    with_attachment(path, "names.txt", PLAIN_NAME.encode())
    with_update(path, PLAIN_NAME.encode())
    before = path.read_bytes()
    assert PLAIN_NAME in text_of(path)
    out, record = made(path, ("text", PLAIN_NAME), ("field", "witness.*"))
    assert text_of(out) == ""
    assert b"Kovacevic" not in everything(out)
    assert strange_words(out.read_bytes()) == []
    assert by_name(record)["something-removed"].detail == "3 places"
    assert path.read_bytes() == before
    assert out.stat().st_mode & 0o777 == 0o600
    image = shown(out)
    assert image.getpixel((160, 70)) == (0, 0, 0)  # the name in the first line
    assert image.getpixel((100, 532)) == (0, 0, 0)  # the field
    assert image.getpixel((60, 70)) == (255, 255, 255)


def test_outsiders_find_pictures_alone(tmp_path: Path) -> None:
    path = pdf(tmp_path / "statement.pdf", LINES, fields=True)
    with_attachment(path, "names.txt", PLAIN_NAME.encode())
    out, _ = made(path, ("text", PLAIN_NAME), ("field", "witness.name"))
    assert tool("pdftotext", str(out), "-").strip() == ""
    listed = tool("pdfimages", "-list", str(out)).splitlines()
    assert len(listed) == 3  # two lines of head, one page
    about = tool("pdfinfo", str(out))
    assert "JavaScript:      no" in about
    assert "Title" not in about
    assert "Metadata Stream: no" in about
    assert "0 embedded" in tool("pdfdetach", "-list", str(out))


@pytest.mark.parametrize(
    "other",
    [
        f"and {PLAIN_NAME.upper()} left",
        "and Anna Kova-|cevic left",
        "and A n n a  K o v a c e v i c left",
        "and Anna-Kovacevic left",
    ],
)
def test_a_spelling_that_the_instruction_missed_is_found_in_the_original(
    tmp_path: Path, other: str
) -> None:
    """What an expression overlooks on a page is found before anything is drawn."""
    path = pdf(tmp_path / "statement.pdf", [LINES[0], *other.split("|")])
    with pytest.raises(VerificationError, match="covered-in-original.* page 1") as refused:
        made(path, ("regex", "witness Anna Kovacevic"), ("regex", "(?-i:Anna Kovacevic)(?= said)"))
    assert "Anna" not in str(refused.value)
    assert [found.name for found in tmp_path.iterdir()] == ["statement.pdf"]


def test_a_literal_covers_case_and_broken_lines(tmp_path: Path) -> None:
    path = pdf(
        tmp_path / "s.pdf", [LINES[0], f"and {PLAIN_NAME.upper()} and Anna", "Kovacevic left"]
    )
    _, record = made(path, ("text", PLAIN_NAME))
    assert by_name(record)["something-removed"].detail == "3 places"
    assert by_name(record)["boxes-uniform"].detail.startswith("4 boxes")


def test_a_field_value_in_running_text_fails_until_it_is_named(tmp_path: Path) -> None:
    path = pdf(tmp_path / "s.pdf", LINES, fields=True)
    with pytest.raises(VerificationError, match="page 1"):
        made(path, ("field", "witness.name"))
    assert made(path, ("field", "witness.name"), ("text", PLAIN_NAME))[0].exists()


def test_regions_may_overlap_and_must_lie_on_the_page(tmp_path: Path) -> None:
    path = pdf(tmp_path / "s.pdf", LINES)
    out, _ = made(path, ("region", "1:10,10,100,50"), ("region", "60,30,100,50"))
    assert shown(out).getpixel((150, 75)) == (0, 0, 0)
    assert shown(out).getpixel((30, 30)) == (0, 0, 0)
    for region, says in (
        ("1:500,10,100,10", "leaves page 1"),
        ("1:10,840,10,10", "leaves page 1"),
        ("2:10,10,10,10", "there is no page 2"),
        ("0:10,10,10,10", "there is no page 0"),
        ("1:-5,0,10,10", "a region is spelt"),
        ("1:10,10,0,10", "a width and a height"),
    ):
        with pytest.raises(MalformedError, match=says):
            made(path, ("region", region), out="other.pdf")


def test_turned_and_cropped_pages_are_covered_where_they_show_it(tmp_path: Path) -> None:
    import pypdfium2

    path = pdf(tmp_path / "s.pdf", LINES)
    document = pypdfium2.PdfDocument(path.read_bytes())
    document[0].set_rotation(90)
    document[0].set_cropbox(50, 500, 400, 842)
    document.save(str(path))
    document.close()
    out, _ = made(path, ("text", PLAIN_NAME))
    before, after = shown(path), shown(out)
    assert before.size == after.size
    changed = [
        (x, y)
        for x in range(0, after.width, 3)
        for y in range(0, after.height, 3)
        if after.getpixel((x, y)) == (0, 0, 0) != before.getpixel((x, y))
    ]
    assert changed
    columns = {x for x, _ in changed}
    assert max(columns) - min(columns) < 25  # the line runs down the turned page


def test_a_page_without_text_is_named_for_a_person_to_look_at(tmp_path: Path) -> None:
    _, record = made(pdf(tmp_path / "s.pdf", []), ("region", "10,10,10,10"))
    assert by_name(record)["pictures-in-pages"].detail.endswith("by a person: 1")


def test_what_is_no_pdf_or_closed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "s.pdf"
    path.write_bytes(b"%PDF-1.7 nothing")
    with pytest.raises(MalformedError, match="damaged, or protected"):
        made(path, ("text", "x"))


def test_resolution_and_size_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pdf(tmp_path / "s.pdf", LINES)
    with pytest.raises(MalformedError, match="between 72 and 600"):
        redact(path, tmp_path / "o.pdf", plan(("text", PLAIN_NAME)), Settings(dpi=5000))
    monkeypatch.setattr("gateway.desk.pdf_pages.MAX_PIXELS", 1000)
    with pytest.raises(Exception, match="lower --dpi"):
        made(path, ("text", PLAIN_NAME))
    monkeypatch.setattr("gateway.desk.pdf_pages.MAX_PAGES", 0)
    with pytest.raises(Exception, match="more than 0 pages"):
        made(path, ("text", PLAIN_NAME))


def test_the_check_sees_a_derivative_that_was_tampered_with(tmp_path: Path) -> None:
    """The checks read the file again: a box that is not black, an attachment, a text layer are found."""
    path = pdf(tmp_path / "s.pdf", LINES)
    out, _ = made(path, ("region", "10,10,50,50"))
    from gateway.desk.boxes import Box

    results = {c.name: c for c in checks(out, [[Box(600, 600, 700, 700)]])}
    assert not results["boxes-uniform"].passed
    with_attachment(out, "x.txt", b"x")
    results = {c.name: c for c in checks(out, [[]])}
    assert "attachments" in results["only-pictures"].detail
    results = {c.name: c for c in checks(path, [[]])}
    assert "a text layer" in results["only-pictures"].detail
    assert "metadata Author" in results["only-pictures"].detail
