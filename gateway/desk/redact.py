"""Redaction: original and plan in, derivative and record out, or nothing at all.

The derivative is written aside, read again by other code than wrote it, checked, and only then put in
place. What the checks cannot see, a person must: content of pictures, and context that identifies.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.desk import files, json_file, lines, record, rows
from gateway.desk.checks import (
    absent_from_bytes,
    absent_from_text,
    check,
    demand,
    overlapping,
    searched,
    words_left,
)
from gateway.desk.plan import Plan
from gateway.desk.removed import Removed
from gateway.exchange.derivation_acts import DerivationCheck
from gateway.kernel.errors import MalformedError, VerificationError

_BY_SUFFIX = {
    ".json": "json", ".csv": "csv", ".tsv": "csv", ".pdf": "pdf", ".txt": "text", ".md": "text",
    ".log": "text", ".png": "image", ".jpg": "image", ".jpeg": "image", ".tif": "image",
    ".tiff": "image", ".webp": "image",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """How a plan is carried out: resolution of pages, and whether an instruction may meet nothing.

    *force* replaces what stands at the output; *dry* does and checks everything, and leaves nothing.
    """

    dpi: int = 200
    allow_unmatched: bool = False
    force: bool = False
    dry: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """What came of one file: its record, and whether it was there before already."""

    record: record.Record
    kept: bool


def redact(path: Path, out: Path, plan: Plan, settings: Settings) -> Made:
    """Make the derivative *out* of *path*, and its record beside it.

    If both are there and match this very original and plan, they are kept. Raises VerificationError if a
    check fails, ConflictError if another file stands at *out*.
    """
    kind = format_of(path, plan)
    secret = files.plan_secret(plan, f"{kind} {settings.dpi} {settings.allow_unmatched} {out.name}")
    source, sealed = files.digest(path, secret)
    before = record.before(path, source)
    original = before.original_sha256 if before else source
    if not settings.force and (found := kept(out, original, sealed)):
        return Made(found, kept=True)
    files.refuse_in_place(path, out, force=settings.force)
    with files.written(out, dry=settings.dry) as aside:
        checks = _made(path, aside, out.name, plan, kind, settings)
        if files.digest(path, secret)[0] != source:
            raise VerificationError("the original changed while it was read: nothing was written")
        made = record.Record(
            v=1,
            original_sha256=original,
            derivative_sha256=files.digest(aside)[0],
            method=record.joined(before, _method(kind, settings.dpi)),
            removed=tuple(sorted({*plan.removes, *(before.removed if before else ())})),
            mark="none",
            recipient=None,
            checks=(*(before.checks if before else ()), *checks),
            plan=sealed,
        )
        if made.derivative_sha256 in (original, source):
            raise VerificationError(
                "the derivative is the same as the original: nothing was written"
            )
        if not settings.dry:
            write_record(out, made)
    return Made(made, kept=False)


def kept(out: Path, original: str, sealed: str) -> record.Record | None:
    """Return the record of an earlier run if it speaks of these very files and this plan."""
    found = record.find(out) if out.exists() else None
    if found is None or (found.original_sha256, found.plan) != (original, sealed):
        return None
    return found if files.digest(out)[0] == found.derivative_sha256 else None


def write_record(out: Path, made: record.Record) -> None:
    """Put the record where its derivative will be: first the record, so that no derivative lacks one."""
    with files.written(record.place(out)) as aside:
        aside.write_bytes(record.spelt(made))


def _method(kind: str, dpi: int) -> str:
    how = {
        "json": "values replaced in the text",
        "csv": "cells and rows replaced in the text",
        "text": "texts and lines replaced",
        "pdf": f"every page drawn as a picture at {dpi} dpi with boxes burnt in, in a new file",
        "image": "regions burnt in, pixels encoded anew without metadata",
    }
    return f"gateway redact: {kind}: {how[kind]}"


def format_of(path: Path, plan: Plan) -> str:
    """Return the format as said, or by the file's name. Raises MalformedError."""
    kind = plan.format or _BY_SUFFIX.get(path.suffix.lower(), "")
    if not kind:
        raise MalformedError(f"{path.name}: say --format json, csv, text, pdf or image")
    return kind


def _made(
    path: Path, aside: Path, name: str, plan: Plan, kind: str, settings: Settings
) -> tuple[DerivationCheck, ...]:
    removed = Removed()
    work = {"json": _json, "csv": _csv, "text": _text, "pdf": _pdf, "image": _image}[kind]
    later = list(work(path, aside, name, plan, removed, settings))
    return demand([_matched(plan, removed, settings), searched(removed), *later])


def _matched(plan: Plan, removed: Removed, settings: Settings) -> DerivationCheck:
    missed = [i for i in plan.instructions if not removed.matches.get(i.number)]
    count = sum(removed.matches.values())
    told = [f"instruction {i.number} ({i.where}) met nothing" for i in missed]
    if settings.allow_unmatched and count:
        return check("something-removed", (), "; ".join([f"{count} places", *told]))
    return check("something-removed", told, f"{count} places")


Checks = Iterable[DerivationCheck]


def _json(
    path: Path, aside: Path, _name: str, plan: Plan, removed: Removed, _settings: Settings
) -> Checks:
    json_file.redact(path, aside, plan, removed)
    parts = list(json_file.parts(aside))
    yield absent_from_text(removed, parts)
    yield words_left(removed, parts)
    yield _bytes(removed, aside)
    yield check("still-parses", (), "valid JSON without duplicate names")


def _csv(
    path: Path, aside: Path, _name: str, plan: Plan, removed: Removed, _settings: Settings
) -> Checks:
    rows.redact(path, aside, plan, removed)
    yield absent_from_text(removed, rows.parts(aside, plan))
    yield words_left(removed, rows.parts(aside, plan))
    yield _bytes(removed, aside)
    yield check("still-parses", (), "every row has the cells of the first")
    count = rows.formulas(aside, plan)
    yield check(
        "formula-cells", (), f"{count} cells begin like formulas, and were left as they are"
    )


def _text(
    path: Path, aside: Path, _name: str, plan: Plan, removed: Removed, _settings: Settings
) -> Checks:
    lines.redact(path, aside, plan, removed)
    yield absent_from_text(removed, lines.parts(aside, plan.encoding), running=True)
    yield words_left(removed, lines.parts(aside, plan.encoding))
    yield _bytes(removed, aside)
    yield check("still-parses", (), "text in the encoding of the original")


def _pdf(
    path: Path, aside: Path, _name: str, plan: Plan, removed: Removed, settings: Settings
) -> Checks:
    from gateway.desk import pdf_file

    boxes, early = pdf_file.redact(path, aside, plan, removed, settings.dpi)
    yield from early
    yield _bytes(removed, aside)
    yield absent_from_bytes(removed, pdf_file.streams(aside), name="absent-from-streams")
    yield from pdf_file.checks(aside, boxes)


def _image(
    path: Path, aside: Path, name: str, plan: Plan, removed: Removed, _settings: Settings
) -> Checks:
    from gateway.desk import pictures

    boxes = pictures.redact(path, aside, name, plan, removed)
    yield from pictures.checks(aside, name, boxes)


def _bytes(removed: Removed, aside: Path) -> DerivationCheck:
    return absent_from_bytes(removed, _blocks(aside))


def _blocks(aside: Path) -> Iterator[tuple[str, bytes]]:
    return overlapping(files.blocks(aside), "the file")
