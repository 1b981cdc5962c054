"""`gateway cat`: a range of one item, without pulling the rest."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Optional

import typer

from gateway.cli.output import As, Json, note, run, show, with_session


def cat(
    share_id: Annotated[str, typer.Argument(help="Share id.")],
    item: Annotated[int, typer.Argument(help="Number of the item in its manifest, from 0.")],
    range_: Annotated[
        str,
        typer.Option("--range", help="Bytes A-B of the plaintext, both included; A- to the end."),
    ],
    as_: Path = As,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="First fetch the parts (64 MiB) that hold the range, and check them whole.",
        ),
    ] = False,
    file: Annotated[
        Optional[Path],
        typer.Option("--from", help="Read this sealed file of the item, not the gateway."),
    ] = None,
    out: Annotated[
        Optional[Path], typer.Option(help="New file to write to; else standard output.")
    ] = None,
    json: bool = Json,
) -> None:
    """Show a range of an item: only its header and the chunks that hold the range are fetched.

    Each range fetched is a pull that is logged. No receipt is signed. What is known of the bytes, and
    what is not, is said on standard error.
    """
    from gateway.client import excerpt as client
    from gateway.client import pull
    from gateway.client.session import Session
    from gateway.exchange.parse import plain
    from gateway.kernel.errors import MalformedError

    async def work(session: Session) -> client.Excerpt:
        if out is None and (json or sys.stdout.isatty()):
            raise MalformedError("name a file with --out: content is not for this terminal")
        if out is not None and out.exists():
            raise MalformedError(f"{out.name} exists already")
        manifest, inner, said = await pull.offered(session, share_id)
        for line in said.words():
            note(f"  {line}")
        with ExitStack() as stack:
            source: client.Sealed = client.Remote(session, share_id, item)
            if file is not None:
                source = client.local(file, stack)
            sink = _sink(out, stack)
            return await client.excerpt(
                source,
                (manifest, inner),
                item,
                range_,
                session.folder.identities(),
                sink.write,
                check=check,
            )

    done = run(with_session(as_, work))
    note(done.words)
    if out is not None:
        data: dict[str, Any] = {**plain(done), "out": str(out)}
        show(data, f"bytes {done.first} to {done.end - 1} are in {out}", as_json=json)


def _sink(out: Path | None, stack: ExitStack) -> BinaryIO:
    """Return where the range goes: a file gets its name only when all of it is there."""
    if out is None:
        stack.callback(sys.stdout.buffer.flush)
        return sys.stdout.buffer
    partial = out.with_name(f".{out.name}.partial")
    handle = partial.open("wb")
    stack.push(lambda kind, *_: _finish(handle, partial, None if kind else out))
    return handle


def _finish(handle: BinaryIO, partial: Path, out: Path | None) -> None:
    handle.close()
    if out is None:
        partial.unlink()
    else:
        partial.rename(out)
