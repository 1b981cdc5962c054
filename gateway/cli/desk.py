"""`gateway redact` and `gateway mark`: derivatives, made and checked on this machine; nothing is sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import Json, explained, folder, note, show, show_table, steps

Files = Annotated[list[Path], typer.Argument(help="Files to make derivatives of; never changed.")]
Out = Annotated[
    Optional[Path], typer.Option("--out", help="Where to; a folder, if there are several files.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace what stands there.")]
Dpi = Annotated[int, typer.Option(help="Dots per inch at which pages of PDF are drawn.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Do and check everything, and leave nothing.")
]
Many = Optional[list[str]]


def redact(
    files: Files,
    out: Out = None,
    plan: Annotated[
        Optional[Path], typer.Option(help="YAML or JSON file that says what to take out.")
    ] = None,
    removes: Annotated[
        str, typer.Option(help="What the options below take out, such as witness_identity.")
    ] = "",
    json_path: Annotated[Many, typer.Option(help="JSON: witnesses[*].name, or /a/0/b.")] = None,
    column: Annotated[Many, typer.Option(help="CSV: a column by its name.")] = None,
    rows: Annotated[Many, typer.Option(help="CSV: rows where column=value.")] = None,
    text: Annotated[Many, typer.Option(help="A text, in any case; --text-file is safer.")] = None,
    text_file: Annotated[
        Optional[Path], typer.Option(help="File of texts, one a line; not kept by a shell.")
    ] = None,
    regex: Annotated[Many, typer.Option(help="A regular expression.")] = None,
    lines: Annotated[Many, typer.Option(help="Text: lines, such as 10-25.")] = None,
    field: Annotated[Many, typer.Option(help="PDF: a form field by name; * is any text.")] = None,
    region: Annotated[
        Many,
        typer.Option(
            help="PDF: page:x,y,w,h in points. Pictures: x,y,w,h in pixels. From top left."
        ),
    ] = None,
    format: Annotated[str, typer.Option(help="json, csv, text, pdf or image.")] = "",
    encoding: Annotated[str, typer.Option(help="Of text and CSV, if not UTF-8.")] = "",
    delimiter: Annotated[str, typer.Option(help="Of CSV, if not told by the first line.")] = "",
    dpi: Dpi = 200,
    allow_unmatched: Annotated[
        bool, typer.Option("--allow-unmatched", help="An instruction may meet nothing.")
    ] = False,
    force: Force = False,
    dry_run: DryRun = False,
    json: bool = Json,
) -> None:
    """Make a derivative without what must not be disclosed, check it, and write a record of it.

    Every value taken out is looked for in the result, under other spellings too; if one is found, or an
    instruction meets nothing, nothing is written. PDFs become pictures. No check sees what is shown within
    pictures, or what identifies a person by context: look at the result before it leaves.
    """
    from gateway.desk import redact as desk
    from gateway.desk.plan import Plan, make_plan, read_plan, read_texts
    from gateway.kernel.errors import MalformedError

    def planned() -> Plan:
        texts = [*(text or ()), *(read_texts(text_file) if text_file else ())]
        said = {
            "json_path": json_path, "column": column, "rows": rows, "text": texts, "regex": regex,
            "lines": lines, "field": field, "region": region,
        }  # fmt: skip
        direct = [(where, what, removes) for where, all_ in said.items() for what in all_ or ()]
        if bool(direct) == bool(plan):
            raise MalformedError("say what to take out: by --plan, or by options with --removes")
        if plan:
            return read_plan(plan)
        return make_plan(direct, {"format": format, "encoding": encoding, "delimiter": delimiter})

    with _needed():
        what = planned()
        settings = desk.Settings(dpi, allow_unmatched, force, dry_run)
        pairs = list(_pairs(files, out))
    _each(
        "redact", pairs, lambda path, to: desk.redact(path, to, what, settings), json, dry=dry_run
    )


def mark(
    files: Files,
    out: Out = None,
    for_: Annotated[
        str, typer.Option("--for", help="The authority: its id, or its short name with --as.")
    ] = "",
    visible: Annotated[str, typer.Option(help="Words over every page, or around a text.")] = "",
    forensic: Annotated[
        bool, typer.Option("--forensic", help="A hidden tag that the register leads back from.")
    ] = False,
    register: Annotated[
        Optional[Path], typer.Option(help="Register of marks: whose copy is which. Keep it secret.")
    ] = None,
    read: Annotated[bool, typer.Option("--read", help="Say whose copy a file is.")] = False,
    font: Annotated[
        Optional[Path], typer.Option(help="Font file, for words that are not Latin.")
    ] = None,
    dpi: Dpi = 200,
    as_: Annotated[
        Optional[Path],
        typer.Option("--as", envvar="GATEWAY_AS", help="Key folder whose directory knows names."),
    ] = None,
    force: Force = False,
    json: bool = Json,
) -> None:
    """Make a copy for one recipient, marked to be seen, with a hidden tag, or both; or read a tag.

    A tag survives copying, and cropping of pictures. It does not survive JPEG, scaling, printing, pictures of
    the screen, or another program writing the text, CSV or JSON anew. PDFs become pictures.
    """
    from datetime import UTC, datetime

    from gateway.desk import mark as desk
    from gateway.kernel.time import spell

    with _needed():
        if read:
            _read(files, register, json)
            return
        at = spell(datetime.now(UTC))
        wish = desk.Wish(_party(for_, as_), visible, forensic, at, dpi, font, force)
        known = _register(register, make=True) if register else None
        pairs = list(_pairs(files, out))
    _each("mark", pairs, lambda path, to: desk.mark(path, to, wish, known), json)


def _read(files: list[Path], register: Path | None, json: bool) -> None:
    from gateway.desk import mark as desk
    from gateway.kernel.errors import MalformedError

    if register is None:
        raise MalformedError("say --register: a tag alone leads to nobody")
    known = _register(register, make=False)
    found = []
    for path in files:
        line, agree = desk.read(path, known)
        found.append(
            {"file": path.name, "party": line.party, "at": line.at,
             "source_sha256": line.source_sha256, "agree": agree, "of": 192}
        )  # fmt: skip
    rows = [{k: str(v) for k, v in row.items() if k != "source_sha256"} for row in found]
    show_table(found, "Whose copy it is", rows, as_json=json)


def _register(path: Path, *, make: bool) -> Any:
    import os

    from gateway import keyfiles
    from gateway.desk.register import Register

    return Register(path, os.environ.get(keyfiles.PASSPHRASE), make=make)


def _party(name: str, as_: Path | None) -> str:
    from gateway.kernel.errors import MalformedError
    from gateway.kernel.ids import check_id

    if name.startswith("pty_"):
        return check_id(name, "pty", field="--for")
    directory = folder(as_).directory() if name and as_ else None
    if directory is None:
        raise MalformedError("say --for with the id of a party (pty_…), or its short name and --as")
    return str(directory.party(name).id)


def _pairs(files: list[Path], out: Path | None) -> Iterator[tuple[Path, Path]]:
    """Yield each file with where its derivative goes. Raises MalformedError."""
    from gateway.kernel.errors import MalformedError

    if out is None:
        raise MalformedError("say --out: the file to write, or a folder for several")
    if len(files) == 1 and not out.is_dir():
        yield files[0], out
        return
    if not out.is_dir():
        raise MalformedError("--out is a folder that is there, if there are several files")
    names = [path.name for path in files]
    if len(set(names)) != len(names):
        raise MalformedError("two of the files have the same name: give each its own --out")
    yield from ((path, out / path.name) for path in files)


def _each(
    label: str,
    pairs: list[tuple[Path, Path]],
    work: Callable[[Path, Path], Any],
    json: bool,
    *,
    dry: bool = False,
) -> None:
    """Do the work for every file, show what came of it, and fail at the end if one failed."""
    rows, code = [], 0
    with steps(label, len(pairs)) as progress:
        for path, to in pairs:
            try:
                with _needed():
                    rows.append(_row(to, work(path, to), dry=dry))
            except typer.Exit as failed:
                note(f"       that was {path.name}")
                code = code or failed.exit_code
            progress(1)
    if rows or json:
        _show(rows, json)
    if code:
        raise typer.Exit(code)


def _row(to: Path, made: Any, *, dry: bool) -> dict[str, Any]:
    from gateway.desk import record
    from gateway.exchange.parse import plain

    state = "kept" if made.kept else "checked" if dry else "made"
    return {
        "file": str(to),
        "state": state,
        "record": str(record.place(to)),
        **plain(made.record),
    }


def _show(rows: list[dict[str, Any]], json: bool) -> None:
    lines = []
    for row in rows:
        lines.append(f"{row['state']} {row['file']}: {', '.join(row['removed']) or row['mark']}")
        lines += [f"  {check['name']}: {check['detail']}" for check in row["checks"]]
        lines.append(f"  next: look at it, push it, then gateway item derive {row['record']}")
    show(rows, "\n".join(lines), as_json=json)


@contextmanager
def _needed() -> Iterator[None]:
    """Explain errors, and what to install if the libraries of the desk are not there."""
    from gateway.kernel.errors import MalformedError

    with explained():
        try:
            yield
        except ModuleNotFoundError as missing:
            if (missing.name or "").partition(".")[0] not in ("PIL", "pypdfium2"):
                raise
            raise MalformedError(
                "PDF and pictures need Pillow and pypdfium2: install evidence-gateway[desk]"
            ) from None
