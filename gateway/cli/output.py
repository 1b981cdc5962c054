"""How commands speak: tables or JSON, progress bars, and errors that say what to do next."""

import asyncio
import json
import os
import re
import sys
import unicodedata
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from gateway import keyfiles
from gateway.client.profile import KeyFolder, open_folder
from gateway.client.session import Session, connect
from gateway.kernel import errors

T = TypeVar("T")
EXIT: dict[type[errors.GatewayError], int] = {
    errors.MalformedError: 2,
    errors.TooLargeError: 2,
    errors.VerificationError: 3,
    errors.UnauthorizedError: 4,
    errors.ForbiddenError: 5,
    errors.NotFoundError: 6,
    errors.ConflictError: 7,
    errors.TermsUnsignedError: 11,
    errors.RateLimitedError: 8,
    errors.UnavailableError: 9,
    errors.QuarantinedError: 10,
}
HINT: dict[type[errors.GatewayError], str] = {
    errors.VerificationError: "do not trust this data; keep it and tell your compliance contact",
    errors.UnauthorizedError: "check the key folder (--as), the clock, and whether the key is active",
    errors.UnavailableError: "nothing was lost; run the same command again",
    errors.RateLimitedError: "wait a minute, then run the same command again",
    errors.TermsUnsignedError: "run the same command again after the signature",
    errors.QuarantinedError: "see the gateway's log; a custodian must decide",
}
_ID = re.compile(r"\b[a-z]{3}_[a-z2-7]{26}\b")
_stdout, _stderr = Console(), Console(stderr=True)

Json = typer.Option(False, "--json", help="Print JSON instead of text.")
As = typer.Option(
    ..., "--as", envvar="GATEWAY_AS", help="Key folder of the one who acts.", show_default=False
)


def show(data: object, text: str, *, as_json: bool) -> None:
    """Print *data* as JSON, or *text* for people."""
    if as_json:
        sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
    else:
        _stdout.print(harmless(text), markup=False, highlight=False, soft_wrap=True)


def harmless(text: str) -> str:
    """Return *text* without what a terminal would obey: it may have been written by another party."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _controls(char) else char for char in text)


def _controls(char: str) -> bool:
    return (unicodedata.category(char) == "Cc" and char not in "\n\t") or char in _TURNING


_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # the direction of writing


def show_table(data: object, title: str, rows: list[dict[str, str]], *, as_json: bool) -> None:
    """Print rows as a table, or *data* as JSON."""
    if as_json:
        sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
        return
    # Without vertical lines, so that an id stays in one piece on a terminal of 80 columns.
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in rows[0] if rows else ("nothing here",):
        # An id that is cut in two cannot be copied into the next command.
        whole = any(_ID.search(row.get(name, "")) for row in rows)
        table.add_column(name, overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(escape(harmless(value)) for value in row.values()))
    _stdout.print(table)


def note(text: str) -> None:
    """Say something on standard error, where it disturbs no script."""
    _stderr.print(harmless(text), markup=False, highlight=False, soft_wrap=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; turn its error into a message and an exit code."""
    with explained():
        return asyncio.run(work)


@contextmanager
def explained() -> Iterator[None]:
    """Turn a GatewayError into a message that says what to do, and an exit code."""
    try:
        yield
    except errors.GatewayError as error:
        kind = next(k for k in type(error).__mro__ if k in EXIT)
        field = (
            f" ({error.field})" if isinstance(error, errors.MalformedError) and error.field else ""
        )
        note(f"error: {error}{field if field.strip(' ()') not in str(error) else ''}")
        if kind in HINT:
            note(f"       {HINT[kind]}")
        raise typer.Exit(EXIT[kind]) from None
    except ValueError as error:
        if not _of_an_act(error):
            raise
        note(f"error: {error}")
        raise typer.Exit(EXIT[errors.MalformedError]) from None
    except KeyboardInterrupt:
        note("interrupted; run the same command again to go on")
        raise typer.Exit(130) from None


def _of_an_act(error: ValueError) -> bool:
    """Tell whether an act refused what it was made of: a mistake of who typed it, and no defect."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and str(trace.tb_frame.f_globals["__name__"]).startswith(
        "gateway.exchange."
    )


def folder(path: Path) -> KeyFolder:
    """Open a key folder with the passphrase of the environment."""
    return open_folder(path, os.environ.get(keyfiles.PASSPHRASE))


async def with_session(path: Path, work: Callable[[Session], Awaitable[T]]) -> T:
    """Open a session as the owner of a key folder and do *work* in it."""
    async with connect(folder(path)) as session:
        return await work(session)


@contextmanager
def bar(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar of bytes on standard error, if that is a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=_stderr, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(label, total=total)
        yield lambda count: progress.advance(task, count)


@contextmanager
def steps(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar of things done on standard error, if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=_stderr, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(label, total=total)
        yield lambda count: progress.advance(task, count)
