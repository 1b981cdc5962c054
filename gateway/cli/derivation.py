"""`gateway item derive`: a person attests what the desk recorded, for two deposited items."""

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import As, Json, explained, run, show, with_session


def derive(
    record: Annotated[Path, typer.Argument(help="The record: DERIVATIVE.derivation.json.")],
    original: Annotated[str, typer.Option("--original", help="Item id of the original.")],
    item: Annotated[str, typer.Option("--item", help="Item id of the derivative.")],
    as_: Path = As,
    derivative_file: Annotated[
        Optional[Path],
        typer.Option("--file", help="The derivative; default: beside the record, if it is there."),
    ] = None,
    original_file: Annotated[
        Optional[Path], typer.Option("--original-file", help="The original, to compare it.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be attested.")
    ] = False,
    json: bool = Json,
) -> None:
    """Attest, as a person, that one deposited item was made from another, and how it was checked."""
    import msgspec

    from gateway.client import derive as client
    from gateway.client.session import Session
    from gateway.desk import record as desk
    from gateway.exchange.parse import plain
    from gateway.kernel.encoding import digest_of
    from gateway.kernel.errors import GatewayError, RateLimitedError, UnavailableError

    with explained():
        found = desk.read(record)
        beside = record.with_name(record.name.removesuffix(desk.SUFFIX))
        if derivative_file is None and beside != record and beside.exists():
            derivative_file = beside
        _same(derivative_file, found.derivative_sha256, "derivative")
        _same(original_file, found.original_sha256, "original")
        act = desk.act_of(found, original, item)

    async def work(session: Session) -> dict[str, Any]:
        # Run again after a cut, the command sends the same act: its id is kept until it is answered.
        name = f"derive-{digest_of([original, item, found.derivative_sha256])[:32]}"
        kept = session.folder.state(name)
        session.folder.keep(name, kept or act.id.encode())
        once = msgspec.structs.replace(act, id=kept.decode()) if kept else act
        try:
            answer = await client.attest(session, once)
        except (UnavailableError, RateLimitedError):
            raise  # nobody knows whether it was done
        except GatewayError:
            session.folder.forget(name)
            raise
        session.folder.forget(name)
        return answer

    what = ", ".join(found.removed) or f"a {found.mark} mark"
    if dry_run:
        show(plain(act), f"would attest {item} of {original}: {what}", as_json=json)
        return
    made = run(with_session(as_, work))
    show(made, f"attested {item} as a derivative of {original}: {what}", as_json=json)


def _same(path: Path | None, digest: str, what: str) -> None:
    from gateway.desk.files import digest as of
    from gateway.kernel.errors import VerificationError

    if path is not None and of(path)[0] != digest:
        raise VerificationError(f"the {what} is not the file that the record speaks of")
