"""`gateway ledger …`: show, verify and prove, with nothing but the log's public key to trust."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import (
    As,
    Json,
    explained,
    folder,
    note,
    run,
    show,
    show_table,
    with_session,
)

app = typer.Typer(no_args_is_help=True, help="The ledger: show, verify, prove.")


@app.command("show")
def show_entries(
    as_: Path = As,
    start: Annotated[int, typer.Option(help="First index.")] = 0,
    json: bool = Json,
) -> None:
    """Show entries: what they say if you may open them, else that they are there."""
    from gateway.client import audit

    rows = run(with_session(as_, lambda session: audit.entries(session, start)))
    text = [{k: str(v) for k, v in row.items() if k in audit.COLUMNS} for row in rows]
    show_table(rows, "Ledger", text, as_json=json)


@app.command("verify")
def verify(as_: Path = As, json: bool = Json) -> None:
    """Check the whole ledger: signature, every leaf, the tree, every opening, growth since last seen."""
    from gateway.client import audit

    found = run(with_session(as_, audit.verify))
    text = (
        f"the ledger holds: {found['size']} entries, root {found['root']}, "
        f"{found['openings']} of them opened; it continues what was seen before"
    )
    show(found, text, as_json=json)


@app.command("figures")
def figures(as_: Path = As, json: bool = Json) -> None:
    """Count RFAs, investigations, jurisdictions and shares from the ledger; for compliance."""
    from gateway.client import audit

    found = run(with_session(as_, audit.figures))
    declared = ", ".join(f"{count} {kind}s" for kind, count in found["declared"].items())
    text = (
        f"{found['rfas']} RFAs, {found['investigations']} investigations, "
        f"{found['jurisdictions']} jurisdictions, {found['shares']} shares released\n"
        f"declared, and not counted above: {declared}\n"
        f"at {found['size']} entries, root {found['root']}"
    )
    show(found, text, as_json=json)


@app.command("accept-head")
def accept_head(
    instance: Annotated[
        Path, typer.Option("--instance", envvar="GATEWAY_INSTANCE", help="The stopped instance.")
    ],
    reason: Annotated[str, typer.Option(help="Why; it becomes an entry.")],
    as_: Path = As,
    json: bool = Json,
) -> None:
    """End the quarantine of a stopped instance, as a custodian who knows what happened."""
    from gateway import wiring

    with explained():
        made = wiring.accept_head(instance, folder(as_), reason)
    text = f"the ledger is accepted with {made['size']} entries and goes on from there"
    note("authorities that saw a longer or another ledger will go on refusing this one")
    show(made, text, as_json=json)


@app.command("prove")
def prove(
    index: Annotated[int, typer.Argument(help="Index of the entry.")],
    as_: Path = As,
    json: bool = Json,
) -> None:
    """Fetch the proof of one entry and check it."""
    from gateway.client import audit

    async def work(session: Any) -> dict[str, Any]:
        return await audit.prove(session, index)

    found = run(with_session(as_, work))
    show(found, str(found["proof"]), as_json=json)
