"""An authority's side: send, reply, withdraw; and what both sides look at: list, show."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import As, Json, explained, run, show, show_table, with_session
from gateway.cli.rfa.options import (
    Absentia,
    CrimeOption,
    Due,
    Investigation,
    Parent,
    Penalty,
    ProductOption,
    Purpose,
    RfaId,
    TextFile,
    app,
    read_text,
    wanted_of,
)


@app.command("send")
def send(
    text: TextFile,
    investigation: Investigation,
    crime: CrimeOption,
    as_: Path = As,
    purpose: Purpose = "criminal",
    product: ProductOption = None,
    death_penalty: Penalty = "unknown",
    in_absentia: Absentia = False,
    due: Due = "",
    parent: Parent = "",
    json: bool = Json,
) -> None:
    """Send an RFA as an authority; with --parent, a supplementary one."""
    from gateway.client import rfas

    with explained():
        content = read_text(text)
        wanted = wanted_of(
            investigation, purpose, crime, product, death_penalty, in_absentia, due, parent
        )
    made = run(with_session(as_, lambda session: rfas.send(session, wanted, content)))
    show(made, f"sent as {made['rfa']}; its receipt lies in the inbox", as_json=json)


@app.command("reply")
def reply(
    rfa: RfaId,
    text: TextFile,
    as_: Path = As,
    to: Annotated[str, typer.Option(help="Id of the message that it answers.")] = "",
    json: bool = Json,
) -> None:
    """Reply to a question about your RFA, or add something to it, as its authority."""
    from gateway.client import rfas

    with explained():
        content = read_text(text)
    made = run(with_session(as_, lambda session: rfas.add(session, rfa, content, to or None)))
    show(made, f"added to {rfa}, which is {made['state']}", as_json=json)


@app.command("withdraw")
def withdraw(rfa: RfaId, as_: Path = As, json: bool = Json) -> None:
    """Withdraw your RFA, as its authority."""
    from gateway.client import rfas

    made = run(with_session(as_, lambda session: rfas.withdraw(session, rfa)))
    show(made, f"{rfa} is {made['state']}", as_json=json)


@app.command("list")
def list_rfas(
    as_: Path = As,
    open_: Annotated[bool, typer.Option("--open", help="Only those that wait.")] = False,
    json: bool = Json,
) -> None:
    """List RFAs: your own as an authority, every one as the mechanism."""
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory
    from gateway.exchange.rfas import OPEN

    waiting = {state.value for state in OPEN} | {"in progress"}

    async def work(session: Session) -> list[dict[str, Any]]:
        directory = await refresh_directory(session)
        found: Any = (await session.get("/v1/rfas")).json()["rfas"]
        kept = [row for row in found if row["state"] in waiting or not open_]
        for row in kept:
            if "authority" in row:
                row["authority"] = directory.party(row["authority"]).short
        return kept

    rows = run(with_session(as_, work))
    names = ("rfa", "number", "authority", "state", "due")
    text = [{k: str(row.get(k) or "") for k in names if k in row} for row in rows]
    show_table(rows, "Requests for assistance", text, as_json=json)


@app.command("show")
def show_rfa(
    rfa: RfaId,
    as_: Path = As,
    read: Annotated[
        bool, typer.Option("--read", help="Decrypt the messages that are sealed to you.")
    ] = False,
    json: bool = Json,
) -> None:
    """Show an RFA: state, what is possible, checks, messages, shares."""
    from gateway.client import rfas
    from gateway.client.session import Session

    async def work(session: Session) -> dict[str, Any]:
        shown: dict[str, Any] = (await session.get(f"/v1/rfas/{rfa}")).json()
        if read:
            opened = await rfas.read(session, rfa)
            shown["messages"] = [
                {
                    "id": m.id,
                    "about": m.about,
                    "at": m.at,
                    "from": m.sender,
                    "text": m.content.decode("utf-8", "replace") if m.content else None,
                }
                for m in opened
            ]
        return shown

    made = run(with_session(as_, work))
    show(made, "\n".join(_lines(made)), as_json=json)


def _lines(made: dict[str, Any]) -> list[str]:
    lines = [f"{made['rfa']} {made['number'] or ''}: {made['state']}, due {made['due'] or 'never'}"]
    wanted = made.get("wanted")
    if wanted:
        lines.append(f"investigation {made['reference']}, purpose {wanted['purpose']}")
        lines.append(f"crimes: {', '.join(wanted['crimes'])}")
        lines.append(f"death penalty: {wanted['death_penalty']}")
    if made.get("possible"):
        lines.append(f"possible: {', '.join(made['possible'])}")
    assessment = made.get("assessment")
    lines += (
        f"  [{'met' if check['met'] else 'not met'}] {check['name']}: {check['evidence']}"
        for check in (assessment["checks"] if assessment else [])
    )
    for message in made["messages"]:
        lines.append(f"message {message['id']}  {message['at']}  {message['about']}")
        if message.get("text"):
            lines.append("  " + message["text"].rstrip().replace("\n", "\n  "))
    lines += (f"share {s['share']}: {s['state']}" for s in made.get("shares", []))
    return lines
