"""RFAs on paper: entered by one person with the scan, confirmed by another."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import As, Json, explained, run, show, with_session
from gateway.cli.rfa.options import (
    Absentia,
    CrimeOption,
    Due,
    Investigation,
    Parent,
    Penalty,
    ProductOption,
    Purpose,
    Reason,
    RfaId,
    act_on,
    app,
    read_text,
    wanted_of,
)


@app.command("record")
def record(
    scan: Annotated[Path, typer.Argument(help="The scanned RFA; it is deposited as an item.")],
    authority: Annotated[str, typer.Option(help="Short name or id of the authority.")],
    investigation: Investigation,
    crime: CrimeOption,
    number: Annotated[str, typer.Option(help="The mechanism's number for it.")],
    received: Annotated[str, typer.Option(help="Day on which the paper came.")],
    due: Due,
    as_: Path = As,
    purpose: Purpose = "criminal",
    product: ProductOption = None,
    death_penalty: Penalty = "unknown",
    in_absentia: Absentia = False,
    parent: Parent = "",
    json: bool = Json,
) -> None:
    """Enter an RFA that came on paper, with its scan; a second person confirms it.

    It takes the roles sharer (for the scan) and rfa_officer.
    """
    from gateway.client import push as client
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory
    from gateway.exchange.acts import RecordRfa
    from gateway.kernel.ids import new_id

    async def work(session: Session) -> dict[str, Any]:
        directory = await refresh_directory(session)
        async with client.deposited(session, [source], lambda _: None) as (scanned,):
            party = directory.party(authority).id

            def make() -> RecordRfa:
                step, rfa = new_id("stp"), new_id("rfa")
                return RecordRfa(step, rfa, party, wanted, scanned.item, received, number, due)

            return await session.act_once("/v1/rfas/paper", make, number, scanned.item)

    with explained():
        read_text(scan)
        wanted = wanted_of(
            investigation, purpose, crime, product, death_penalty, in_absentia, "", parent
        )
        source = client.Source(scan, scan.name, _media_type(scan), number, {}, "standard", "pq")
    made = run(with_session(as_, work))
    show(
        made,
        f"entered as {made['rfa']}\nnext: gateway rfa confirm {made['rfa']} (another rfa_officer)",
        as_json=json,
    )


def _media_type(path: Path) -> str:
    import mimetypes

    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


@app.command("confirm")
def confirm(rfa: RfaId, as_: Path = As, json: bool = Json) -> None:
    """Confirm, as a second person, what another entered from paper; compare it with the scan first."""
    from gateway.exchange.acts import ConfirmRfa
    from gateway.kernel.ids import new_id

    act_on(
        as_, rfa, lambda shown, _: ConfirmRfa(new_id("stp"), rfa, shown["request"]), json, "confirm"
    )


@app.command("strike")
def strike(rfa: RfaId, reason: Reason, as_: Path = As, json: bool = Json) -> None:
    """Take back what was entered wrongly from paper and is not confirmed yet."""
    from gateway.exchange.acts import StrikeRfa
    from gateway.kernel.ids import new_id

    act_on(as_, rfa, lambda _, __: StrikeRfa(new_id("stp"), rfa, reason), json, "strike", reason)
