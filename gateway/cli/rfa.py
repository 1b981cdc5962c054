"""`gateway rfa …`: requests for assistance, as an authority sends them and as officers work on them."""

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import As, Json, explained, run, show, show_table, with_session

app = typer.Typer(no_args_is_help=True, help="Requests for assistance: send, register, answer.")
RfaId = Annotated[str, typer.Argument(help="RFA id.")]
TextFile = Annotated[
    Path, typer.Argument(help="File with the text; sealed here to the other side's people.")
]
Due = Annotated[str, typer.Option(help="Due date, such as 2027-01-31.")]
Reason = Annotated[str, typer.Option(help="Why; it stays with the mechanism.")]
Investigation = Annotated[
    str, typer.Option(help="The authority's own reference of the investigation.")
]
Purpose = Annotated[str, typer.Option(help="What it is for.")]
CrimeOption = Annotated[
    list[str],
    typer.Option(
        "--crime",
        help="genocide, crimes_against_humanity, war_crimes or aggression; may be repeated.",
    ),
]
ProductOption = Annotated[
    Optional[list[str]],
    typer.Option(
        "--product", help="information, evidence or analytical_product; default: all three."
    ),
]
Penalty = Annotated[
    str, typer.Option("--death-penalty", help="excluded, possible or unknown in this case.")
]
Absentia = Annotated[bool, typer.Option("--in-absentia", help="A trial in absentia is possible.")]
Parent = Annotated[str, typer.Option(help="The RFA that this one supplements.")]


def _text(path: Path) -> bytes:
    from gateway.kernel.errors import MalformedError

    try:
        return path.read_bytes()
    except OSError:
        raise MalformedError(f"{path.name} cannot be read") from None


def _mark(content: bytes) -> str:
    """Return what tells one text from another; sealed twice, it would look different each time."""
    from gateway.kernel.encoding import hex_sha256

    return hex_sha256(content)


def _wanted(
    investigation: str,
    purpose: str,
    crime: list[str],
    product: list[str] | None,
    death_penalty: str,
    in_absentia: bool,
    due: str,
    parent: str,
) -> Any:
    from gateway.exchange.acts import Product, Wanted
    from gateway.exchange.parse import build

    return build(
        {
            "investigation": investigation,
            "purpose": purpose,
            "crimes": crime,
            "products": product or [*Product],
            "death_penalty": death_penalty,
            "in_absentia": in_absentia,
            "due": due or None,
            "parent": parent or None,
        },
        Wanted,
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
        content = _text(text)
        wanted = _wanted(
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
        content = _text(text)
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
    names = ("rfa", "number", "authority", "state", "due", "origin")
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


def _act(as_: Path, rfa: str, make: Any, json: bool, *command: str) -> None:
    """Read an RFA, let *make* build an officer's act from it, and send that.

    The same *command* after a cut sends the same act again, so that nothing is done twice.
    """
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory

    async def work(session: Session) -> dict[str, Any]:
        directory = await refresh_directory(session)
        shown = (await session.get(f"/v1/rfas/{rfa}")).json()
        target = f"/v1/rfas/{rfa}/steps"
        return await session.act_once(target, lambda: make(shown, directory), *command)

    made = run(with_session(as_, work))
    show(made, f"{rfa} is {made['state']}", as_json=json)


def _sealed(shown: dict[str, Any], directory: Any, content: bytes) -> str:
    from datetime import UTC, datetime

    from gateway.client.rfas import seal_for

    return seal_for(directory.party(shown["authority"]), content, datetime.now(UTC))


@app.command("register")
def register(
    rfa: RfaId,
    number: Annotated[str, typer.Option(help="The mechanism's number for it.")],
    due: Due,
    as_: Path = As,
    investigation: Annotated[
        str, typer.Option(help="As attested; default: what the authority states.")
    ] = "",
    purpose: Annotated[
        str, typer.Option(help="As attested; default: what the authority states.")
    ] = "",
    json: bool = Json,
) -> None:
    """Register a received RFA: number, due date, and the facts that you attest from it."""
    from gateway.exchange.acts import RegisterRfa
    from gateway.kernel.ids import new_id

    def make(shown: dict[str, Any], _: Any) -> RegisterRfa:
        wanted = shown["wanted"]
        return RegisterRfa(
            new_id("stp"),
            rfa,
            shown["request"],
            number,
            investigation or wanted["investigation"],
            purpose or wanted["purpose"],
            due,
        )

    _act(as_, rfa, make, json, "register", number, due, investigation, purpose)


@app.command("assess")
def assess(
    rfa: RfaId,
    valid_to: Annotated[str, typer.Option(help="Last day on which the checks count.")],
    evidence: Annotated[
        str, typer.Option(help="What the checks rest on, such as a note's number.")
    ],
    as_: Path = As,
    not_met: Annotated[
        Optional[list[str]],
        typer.Option(
            "--not-met",
            help="authority, core_crimes, fair_trial, penalty or form; may be repeated.",
        ),
    ] = None,
    json: bool = Json,
) -> None:
    """Record the five checks of admissibility: all met, or those named not."""
    from gateway.exchange.acts import AssessRfa
    from gateway.exchange.rfa_acts import Check, CheckName
    from gateway.kernel.errors import MalformedError
    from gateway.kernel.ids import new_id

    failed = set(not_met or [])
    with explained():
        if not failed <= set(CheckName):
            raise MalformedError(f"a check is one of {', '.join(CheckName)}")

    def make(shown: dict[str, Any], _: Any) -> AssessRfa:
        checks = tuple(Check(name, name.value not in failed, evidence) for name in CheckName)
        return AssessRfa(new_id("stp"), rfa, shown["request"], checks, valid_to)

    _act(as_, rfa, make, json, "assess", valid_to, evidence, *sorted(failed))


@app.command("ask")
def ask(rfa: RfaId, text: TextFile, as_: Path = As, json: bool = Json) -> None:
    """Ask the authority for clarification."""
    from gateway.exchange.acts import AskRfa
    from gateway.kernel.ids import new_id

    with explained():
        content = _text(text)
    _act(
        as_,
        rfa,
        lambda s, d: AskRfa(new_id("stp"), rfa, _sealed(s, d, content)),
        json,
        "ask",
        _mark(content),
    )


@app.command("tell")
def tell(rfa: RfaId, text: TextFile, as_: Path = As, json: bool = Json) -> None:
    """Tell the authority something that asks nothing."""
    from gateway.exchange.acts import TellRfa
    from gateway.kernel.ids import new_id

    with explained():
        content = _text(text)
    _act(
        as_,
        rfa,
        lambda s, d: TellRfa(new_id("stp"), rfa, _sealed(s, d, content)),
        json,
        "tell",
        _mark(content),
    )


@app.command("extend")
def extend(rfa: RfaId, due: Due, reason: Reason, as_: Path = As, json: bool = Json) -> None:
    """Move the due date; the authority is told the new one."""
    from gateway.exchange.acts import ExtendRfa
    from gateway.kernel.ids import new_id

    _act(
        as_,
        rfa,
        lambda _, __: ExtendRfa(new_id("stp"), rfa, due, reason),
        json,
        "extend",
        due,
        reason,
    )


@app.command("answer")
def answer(
    rfa: RfaId,
    text: TextFile,
    as_: Path = As,
    no_material: Annotated[
        bool, typer.Option("--no-material", help="There is nothing to share.")
    ] = False,
    service: Annotated[
        bool, typer.Option("--service", help="An analysis or other service; no package.")
    ] = False,
    json: bool = Json,
) -> None:
    """Answer an RFA: with all that was released for it, a service, or no material."""
    from gateway.exchange.acts import AnswerRfa
    from gateway.exchange.shares import RELEASED
    from gateway.kernel.errors import MalformedError
    from gateway.kernel.ids import new_id

    with explained():
        content = _text(text)
        if no_material and service:
            raise MalformedError("say --no-material or --service, not both")
    released = {state.value for state in RELEASED}

    def make(shown: dict[str, Any], directory: Any) -> AnswerRfa:
        shares = [s["share"] for s in shown["shares"] if s["state"] in released]
        if not shares and not (no_material or service):
            raise MalformedError("nothing is released for it: say --no-material or --service")
        named = () if no_material or service else tuple(shares)
        sealed = _sealed(shown, directory, content)
        if no_material:
            return AnswerRfa(new_id("stp"), rfa, "no_material", named, sealed)
        return AnswerRfa(new_id("stp"), rfa, "service" if service else "packages", named, sealed)

    _act(as_, rfa, make, json, "answer", _mark(content))


@app.command("decline")
def decline(rfa: RfaId, text: TextFile, reason: Reason, as_: Path = As, json: bool = Json) -> None:
    """Decline an RFA of which a check is not met, with the text that the authority gets."""
    from gateway.exchange.acts import DeclineRfa
    from gateway.kernel.ids import new_id

    with explained():
        content = _text(text)

    def make(shown: dict[str, Any], directory: Any) -> DeclineRfa:
        return DeclineRfa(new_id("stp"), rfa, _sealed(shown, directory, content), reason)

    _act(as_, rfa, make, json, "decline", _mark(content), reason)


@app.command("reopen")
def reopen(rfa: RfaId, due: Due, reason: Reason, as_: Path = As, json: bool = Json) -> None:
    """Take an RFA up again; it passes admissibility anew."""
    from gateway.exchange.acts import ReopenRfa
    from gateway.kernel.ids import new_id

    _act(
        as_,
        rfa,
        lambda _, __: ReopenRfa(new_id("stp"), rfa, due, reason),
        json,
        "reopen",
        due,
        reason,
    )


@app.command("close")
def close(rfa: RfaId, as_: Path = As, json: bool = Json) -> None:
    """Close what is answered, declined or withdrawn."""
    from gateway.exchange.acts import CloseRfa
    from gateway.kernel.ids import new_id

    _act(as_, rfa, lambda _, __: CloseRfa(new_id("stp"), rfa), json, "close")


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
        _text(scan)
        wanted = _wanted(
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

    _act(
        as_, rfa, lambda shown, _: ConfirmRfa(new_id("stp"), rfa, shown["request"]), json, "confirm"
    )


@app.command("strike")
def strike(rfa: RfaId, reason: Reason, as_: Path = As, json: bool = Json) -> None:
    """Take back what was entered wrongly from paper and is not confirmed yet."""
    from gateway.exchange.acts import StrikeRfa
    from gateway.kernel.ids import new_id

    _act(as_, rfa, lambda _, __: StrikeRfa(new_id("stp"), rfa, reason), json, "strike", reason)
