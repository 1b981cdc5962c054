"""Marks: they read back, lead to one recipient through the register, and change nothing else."""

import json
import os
import random
import zlib
from pathlib import Path

import pytest
from PIL import Image

from gateway.desk import mark as desk
from gateway.desk import text_marks, words
from gateway.desk.mark import Wish, mark, read
from gateway.desk.picture_marks import embedded, nearly_equal, turns, votes_of
from gateway.desk.register import Register
from gateway.kernel.errors import (
    ConflictError,
    GatewayError,
    MalformedError,
    NotFoundError,
    VerificationError,
)
from tests.desk.documents import PLAIN_NAME, by_name, made, pdf, picture, shown, text_of

XA, XB = "pty_" + "a" * 26, "pty_" + "b" * 25 + "a"
AT = "2027-01-31T10:00:00Z"
PROSE = "The convoy left the town at dawn and went north along the river road.\r\n" * 12


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "marks.jsonl", None, make=True)


def wish(party: str = XA, *, visible: str = "", forensic: bool = True, **more: object) -> Wish:
    return Wish(party, visible, forensic, AT, **more)  # type: ignore[arg-type]


def source(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    match path.suffix:
        case ".txt":
            path.write_bytes(PROSE.encode())
        case ".json":
            rows = [{"id": n, "note": "a, b: c", "more": [n, 1.50]} for n in range(80)]
            path.write_text(json.dumps(rows, indent=1 if "pretty" in name else None))
        case ".csv":
            rows_ = [f'{n},word {n} here,"a, b",other{n}\r\n' for n in range(300)]
            path.write_text("".join(["id,one,two,three\r\n", *rows_]), newline="")
        case ".pdf":
            pdf(path, [PLAIN_NAME, "and so on"])
        case _:
            picture().save(path)
    return path


ALL = ["a.txt", "a.json", "pretty.json", "a.csv", "a.png", "a.tiff", "a.webp", "a.pdf"]


@pytest.mark.parametrize("name", ALL)
def test_a_tag_leads_to_its_recipient_and_to_nobody_else(
    tmp_path: Path, register: Register, name: str
) -> None:
    path = source(tmp_path, name)
    copies = {}
    for party in (XA, XB):
        copies[party] = path.with_name(f"{party}-{name}")
        record = mark(path, copies[party], wish(party), register).record
        assert (record.mark, record.recipient, record.removed) == ("forensic", party, ())
        assert by_name(record)["mark-reads-back"].detail == "all 192 bits agree"
        assert by_name(record)["otherwise-equal"].passed
    for party, copy in copies.items():
        line, agree = read(copy, register)
        assert (line.party, line.at, agree) == (party, AT, 192)
    with pytest.raises(NotFoundError):
        read(path, register)
    assert copies[XA].read_bytes() != copies[XB].read_bytes()


def test_content_is_equal_but_for_the_mark(tmp_path: Path, register: Register) -> None:
    for name in ("a.json", "pretty.json", "a.csv", "a.txt", "a.png"):
        path, copy = source(tmp_path, name), tmp_path / f"copy-{name}"
        mark(path, copy, wish(), register)
        if name.endswith(".json"):
            assert json.loads(copy.read_text()) == json.loads(path.read_text())
        if name == "a.txt":
            assert text_marks.unmarked(copy.read_bytes().decode()) == PROSE
        if name == "a.png":
            assert nearly_equal(Image.open(path), Image.open(copy))


def test_a_mark_survives_cropping_and_saving_anew(tmp_path: Path, register: Register) -> None:
    copy = tmp_path / "copy.png"
    mark(source(tmp_path, "a.png"), copy, wish(), register)
    Image.open(copy).crop((13, 29, 250, 200)).save(tmp_path / "cropped.tiff")
    assert read(tmp_path / "cropped.tiff", register)[0].party == XA


def test_a_mark_with_faults_is_recognised_and_says_how_far_it_agrees(
    tmp_path: Path, register: Register
) -> None:
    tag = register.enter(XA, "0" * 64, AT)
    word = words.word_of(tag)
    for place in random.Random(1).sample(range(192), 15):
        word[place] ^= 1
    found = words.read(words.turns(words.count(word * 3)), [os.urandom(16), tag])
    assert found == words.Reading(tag, 177)
    assert words.read(words.turns(words.count(word * 3)), [os.urandom(16)]) is None


def test_jpeg_destroys_a_mark_and_nobody_is_accused(tmp_path: Path, register: Register) -> None:
    copy = tmp_path / "copy.png"
    mark(source(tmp_path, "a.png"), copy, wish(), register)
    Image.open(copy).save(tmp_path / "again.jpg", quality=80)
    with pytest.raises(NotFoundError, match="no mark can be read"):
        read(tmp_path / "again.jpg", register)


def test_a_tag_of_another_register_leads_nowhere(tmp_path: Path, register: Register) -> None:
    copy = tmp_path / "copy.png"
    mark(source(tmp_path, "a.png"), copy, wish(), register)
    other = Register(tmp_path / "other", None, make=True)
    with pytest.raises(NotFoundError, match="none of this register"):
        read(copy, other)


def test_the_register_is_secret_and_a_changed_line_is_found(
    tmp_path: Path, register: Register
) -> None:
    register.enter(XA, "0" * 64, AT)
    register.enter(XB, "0" * 64, AT)
    assert register.path.stat().st_mode & 0o777 == 0o600
    assert [line.party for line in Register(register.path, None).lines()] == [XA, XB]
    register.path.write_text(register.path.read_text().replace(XB, XA))
    with pytest.raises(VerificationError, match="line 2 of the register"):
        register.lines()
    register.path.chmod(0o644)
    with pytest.raises(MalformedError, match="chmod 600"):
        Register(register.path, None)


def test_words_to_be_seen_stand_on_pages_pictures_and_text(tmp_path: Path) -> None:
    seen = wish(visible="Copy for XA", forensic=False)
    text = tmp_path / "copy.txt"
    record = mark(source(tmp_path, "a.txt"), text, seen, None).record
    assert record.mark == "visible"
    assert text.read_bytes().decode() == f"Copy for XA\r\n{PROSE}Copy for XA\r\n"
    for name in ("a.png", "a.jpg", "a.pdf"):
        copy = tmp_path / f"copy-{name}"
        assert mark(source(tmp_path, name), copy, seen, None).record.checks
    page = shown(tmp_path / "copy-a.pdf")
    assert (
        page.crop((0, 0, 300, 40)).getextrema()
        != shown(tmp_path / "a.pdf").crop((0, 0, 300, 40)).getextrema()
    )
    assert text_of(tmp_path / "copy-a.pdf") == ""


def test_a_redacted_derivative_that_is_marked_attests_both(
    tmp_path: Path, register: Register
) -> None:
    path = source(tmp_path, "a.pdf")
    derivative, first = made(path, ("text", PLAIN_NAME), out="red.pdf")
    copy = tmp_path / "copy.pdf"
    both = mark(derivative, copy, wish(visible="Copy for XA"), register).record
    assert both.original_sha256 == first.original_sha256
    assert both.removed == ("witness_identity",)
    assert {"covered-in-original", "mark-reads-back"} <= {check.name for check in both.checks}
    with pytest.raises(ConflictError, match="marked already"):
        mark(copy, tmp_path / "again.pdf", wish(XB), register)
    assert mark(derivative, copy, wish(visible="Copy for XA"), register).kept
    assert len(register.lines()) == 1


@pytest.mark.parametrize(
    ("name", "wanted", "says"),
    [
        ("a.json", wish(visible="x"), "handling code"),
        ("a.csv", wish(visible="x"), "handling code"),
        ("a.jpg", wish(), "does not survive JPEG"),
        ("a.png", wish(forensic=False), "say --visible"),
        ("a.png", wish(visible="для", forensic=False), "--font"),
        ("a.png", wish(visible="x", font=Path("none.ttf")), "no font"),
    ],
)
def test_a_mark_that_cannot_be_is_said(
    tmp_path: Path, register: Register, name: str, wanted: Wish, says: str
) -> None:
    with pytest.raises(MalformedError, match=says):
        mark(source(tmp_path, name), tmp_path / f"copy-{name}", wanted, register)


@pytest.mark.parametrize(
    ("name", "content"),
    [("s.txt", "few words"), ("s.json", '{"a": 1}'), ("s.csv", "a,b\nx,y\n")],
)
def test_too_short_for_a_mark_is_said(
    tmp_path: Path, register: Register, name: str, content: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(MalformedError, match="too short"):
        mark(path, tmp_path / f"copy-{name}", wish(), register)
    with pytest.raises(MalformedError, match="needs --register"):
        mark(path, tmp_path / f"copy-{name}", wish(), None)
    Image.new("L", (30, 10)).save(tmp_path / "s.png")
    with pytest.raises(MalformedError, match="too small"):
        mark(tmp_path / "s.png", tmp_path / "c.png", wish(), register)


def test_a_marked_text_is_not_marked_again(tmp_path: Path, register: Register) -> None:
    copy = tmp_path / "copy.txt"
    mark(source(tmp_path, "a.txt"), copy, wish(), register)
    (tmp_path / "copy.txt.derivation.json").unlink()
    with pytest.raises(MalformedError, match="carries a mark already"):
        mark(copy, tmp_path / "again.txt", wish(XB), register)


def test_a_long_text_grows_little(
    tmp_path: Path, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy = tmp_path / "long.txt", tmp_path / "copy.txt"
    path.write_text(PROSE * 20)
    mark(path, copy, wish(), register)
    assert copy.stat().st_size < 4 * path.stat().st_size
    assert read(copy, register)[1] == 192
    monkeypatch.setattr(desk, "MAX_TEXT", 10)
    with pytest.raises(GatewayError, match="in memory"):
        mark(path, tmp_path / "other.txt", wish(), register)


def test_the_word_is_as_documented() -> None:
    tag = bytes(range(16))
    bits = "".join(map(str, words.word_of(tag)))
    whole = int(bits, 2).to_bytes(24, "big")
    assert whole == bytes.fromhex("d5a71ce9") + tag + zlib.crc32(tag).to_bytes(4, "big")
    image = embedded(Image.new("RGB", (48, 16)), tag)
    blue = image.getchannel("B").tobytes()
    assert "".join(map(str, [*blue[:24], *blue[48:72]])) == bits[:48]
    assert next(turns(votes_of(image))) == int(bits, 2)
