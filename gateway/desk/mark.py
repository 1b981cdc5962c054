"""Marks: a copy made for one recipient, to be seen, or found in the bytes, or both.

The tag is entered in the register before the copy exists. A copy of a redacted derivative carries its
record on: what it attests then leads from the original to the marked copy.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from gateway.desk import files, json_file, record, rows, text_marks, words
from gateway.desk.checks import check, demand
from gateway.desk.ink import Ink
from gateway.desk.plan import Plan
from gateway.desk.redact import Made, format_of, kept, write_record
from gateway.desk.register import Line, Register
from gateway.exchange.derivation_acts import DerivationCheck
from gateway.kernel.encoding import Json, canonical_json
from gateway.kernel.errors import MalformedError, NotFoundError, TooLargeError

_PLAIN = Plan(())
MAX_TEXT = 64 << 20  # bytes
Checks = Iterator[DerivationCheck]


@dataclass(frozen=True, slots=True)
class Wish:
    """How a copy is to be marked: *party* is the recipient's id, *visible* the words, *at* the time."""

    party: str
    visible: str
    forensic: bool
    at: str
    dpi: int = 200
    font: Path | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class _Work:
    """One file being marked; *tag* only for a forensic mark, *own* if the desk made the file."""

    path: Path
    aside: Path
    name: str
    wish: Wish
    tag: bytes | None
    own: bool


def mark(path: Path, out: Path, wish: Wish, register: Register | None) -> Made:
    """Make a marked copy *out* of *path* and its record; an earlier one of the same wish is kept.

    Raises ConflictError for a file that is marked already, VerificationError if the mark cannot be read back.
    """
    kind = format_of(path, _PLAIN)
    _possible(kind, out.name, wish, register)
    source, sealed = files.digest(path, _secret(wish, out.name))
    before = record.before(path, source)
    original = before.original_sha256 if before else source
    if not wish.force and (found := kept(out, original, sealed)):
        return Made(found, kept=True)
    files.refuse_in_place(path, out, force=wish.force)
    tag = register.enter(wish.party, source, wish.at) if register and wish.forensic else None
    with files.written(out) as aside:
        checks = demand(
            _BY_FORMAT[kind](_Work(path, aside, out.name, wish, tag, before is not None))
        )
        made = record.Record(
            v=1,
            original_sha256=original,
            derivative_sha256=files.digest(aside)[0],
            method=record.joined(before, _method(wish)),
            removed=before.removed if before else (),
            mark="forensic" if wish.forensic else "visible",
            recipient=wish.party,
            checks=(*(before.checks if before else ()), *checks),
            plan=sealed,
        )
        write_record(out, made)
    return Made(made, kept=False)


def _possible(kind: str, name: str, wish: Wish, register: Register | None) -> None:
    if not (wish.visible or wish.forensic):
        raise MalformedError("say --visible TEXT, --forensic, or both")
    if wish.forensic and register is None:
        raise MalformedError(
            "a forensic mark needs --register: without it nobody can tell whose it is"
        )
    if wish.visible and kind in ("json", "csv"):
        raise MalformedError(
            f"{kind} has no place for words to be seen: use --forensic, or a handling code in the terms"
        )
    if wish.forensic and name.lower().endswith((".jpg", ".jpeg")):
        raise MalformedError("a forensic mark does not survive JPEG: name the copy .png")


def _secret(wish: Wish, name: str) -> bytes:
    said: list[Json] = [wish.party, wish.visible, wish.forensic, wish.dpi, name]
    return sha256(canonical_json(said)).digest()


def _method(wish: Wish) -> str:
    how = [*(["words to be seen"] if wish.visible else []), *(["a tag"] if wish.forensic else [])]
    return f"gateway mark: {' and '.join(how)} for one recipient"


def _reads_back(tag: bytes | None, path: Path, kind: str) -> Checks:
    if tag is not None:
        found = words.read(_candidates(path, kind), ())
        good = found is not None and found.tag == tag
        faults = [] if good else ["the tag cannot be read back"]
        yield check("mark-reads-back", faults, f"all {words.BITS} bits agree")


def _equal(*, same: bool, what: str) -> DerivationCheck:
    return check("otherwise-equal", [] if same else ["something else changed"], what)


def _text(work: _Work) -> Checks:
    if work.path.stat().st_size > MAX_TEXT:
        raise TooLargeError(f"a text is marked in memory, up to {MAX_TEXT} bytes: split it")
    encoding, mark_ = files.encoding_of(work.path, "")
    end = _line_end(work.path, encoding, mark_)
    banner = work.wish.visible.strip() + end if work.wish.visible else ""
    lines = [text for _, text in files.lines(work.path, encoding, mark_)]
    marker = None
    if work.tag is not None:
        marker = text_marks.TextMarker(work.tag, text_marks.step_for(lines))
    body = "".join(marker.line(line) if marker else line for line in lines)
    last = "" if not banner or body.endswith(("\r", "\n")) else end
    work.aside.write_bytes(mark_ + (banner + body + last + banner).encode(encoding))
    again = "".join(text for _, text in files.lines(work.aside, encoding, mark_))
    inner = again.removeprefix(banner).removesuffix(last + banner) if banner else again
    same = text_marks.unmarked(inner) == "".join(lines)
    yield _equal(same=same, what="the text without the mark is the same")
    if banner:
        shown = again.startswith(banner) and again.endswith(banner)
        faults = [] if shown else ["the words do not stand there"]
        yield check("mark-is-seen", faults, "the words stand on the first and the last line")
    yield from _reads_back(work.tag, work.aside, "text")


def _line_end(path: Path, encoding: str, mark_: bytes) -> str:
    _, first = next(files.lines(path, encoding, mark_), (0, ""))
    return first[len(first.rstrip("\r\n")) :] or "\n"


def _json(work: _Work) -> Checks:
    source = json_file.read(work.path)
    made = text_marks.marked_json(source, work.tag or b"")
    work.aside.write_text(made, encoding="utf-8", newline="")
    same = list(json_file.parts(work.aside)) == list(json_file.parts(work.path))
    yield _equal(same=same, what="the same values under the same names in the same order")
    yield from _reads_back(work.tag, work.aside, "json")


def _csv(work: _Work) -> Checks:
    encoding, mark_ = files.encoding_of(work.path, "")
    delimiter = rows.delimiter_of(work.path, _PLAIN)
    bits, at = words.word_of(work.tag or b""), 0
    with work.aside.open("wb") as target:
        target.write(mark_)
        for number, row in enumerate(rows.records(work.path, _PLAIN)):
            for place, cell in enumerate(row.cells if number else ()):
                if text_marks.carries(cell, delimiter):
                    row.cells[place] = text_marks.marked_cell(cell, bits[at % words.BITS])
                    at += 1
            target.write((delimiter.join(row.cells) + row.end).encode(encoding))
    if at < 2 * words.BITS:
        raise MalformedError(
            f"fewer than {2 * words.BITS} cells of text: too short for a forensic mark"
        )
    pairs = (rows.parts(path, Plan((), delimiter=delimiter)) for path in (work.path, work.aside))
    same = list(next(pairs)) == list(next(pairs))
    yield _equal(same=same, what="every cell says the same")
    yield from _reads_back(work.tag, work.aside, "csv")


def _image(work: _Work) -> Checks:
    from gateway.desk.mark_pictures import mark_image

    yield from mark_image(work.path, work.aside, work.name, _ink(work))
    yield from _reads_back(work.tag, work.aside, "image")


def _pdf(work: _Work) -> Checks:
    from gateway.desk.mark_pictures import mark_pdf

    yield from mark_pdf(work.path, work.aside, _ink(work), work.wish.dpi, own=work.own)
    yield from _reads_back(work.tag, work.aside, "pdf")


def _ink(work: _Work) -> Ink:
    return Ink(work.wish.visible, work.wish.font, work.tag)


_BY_FORMAT: dict[str, Callable[[_Work], Checks]] = {
    "text": _text, "json": _json, "csv": _csv, "image": _image, "pdf": _pdf,
}  # fmt: skip


def _candidates(path: Path, kind: str) -> Iterator[int]:
    """Yield the words that a file may hold."""
    from gateway.desk import mark_pictures

    readers: dict[str, Callable[[Path], Iterator[int]]] = {
        "text": _turns_of_text,
        "json": lambda path: words.turns(
            words.count(text_marks.bits_of_json(json_file.read(path)))
        ),
        "csv": lambda path: words.turns(words.count(_bits_of_csv(path))),
        "pdf": mark_pictures.turns_of_pdf,
        "image": mark_pictures.turns_of_image,
    }
    return readers[kind](path)


def _turns_of_text(path: Path) -> Iterator[int]:
    encoding, mark_ = files.encoding_of(path, "")
    lines = (text for _, text in files.lines(path, encoding, mark_))
    return words.turns(text_marks.votes_of_text(lines))


def _bits_of_csv(path: Path) -> Iterator[int]:
    delimiter = rows.delimiter_of(path, _PLAIN)
    for number, row in enumerate(rows.records(path, _PLAIN)):
        for cell in row.cells if number else ():
            if text_marks.carries(cell, delimiter):
                yield int(cell.startswith('"'))


def read(path: Path, register: Register) -> tuple[Line, int]:
    """Return whose copy a file is, and how many of 192 bits agree. Raises NotFoundError."""
    lines = {bytes.fromhex(line.tag): line for line in register.lines()}
    found = words.read(_candidates(path, format_of(path, _PLAIN)), lines)
    if found is None:
        raise NotFoundError(f"no mark can be read in {path.name}")
    if found.tag not in lines:
        raise NotFoundError(f"{path.name} carries a mark, but none of this register")
    return lines[found.tag], found.agree
