"""The officers' work on an RFA, from its registration to its end."""

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import As, Json, explained
from gateway.cli.rfa.options import (
    Due,
    Reason,
    RfaId,
    TextFile,
    act_on,
    app,
    mark,
    read_text,
    sealed_for,
)


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

    act_on(as_, rfa, make, json, "register", number, due, investigation, purpose)


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

    act_on(as_, rfa, make, json, "assess", valid_to, evidence, *sorted(failed))


@app.command("ask")
def ask(rfa: RfaId, text: TextFile, as_: Path = As, json: bool = Json) -> None:
    """Ask the authority for clarification."""
    from gateway.exchange.acts import AskRfa
    from gateway.kernel.ids import new_id

    with explained():
        content = read_text(text)
    act_on(
        as_,
        rfa,
        lambda s, d: AskRfa(new_id("stp"), rfa, sealed_for(s, d, content)),
        json,
        "ask",
        mark(content),
    )


@app.command("tell")
def tell(rfa: RfaId, text: TextFile, as_: Path = As, json: bool = Json) -> None:
    """Tell the authority something that asks nothing."""
    from gateway.exchange.acts import TellRfa
    from gateway.kernel.ids import new_id

    with explained():
        content = read_text(text)
    act_on(
        as_,
        rfa,
        lambda s, d: TellRfa(new_id("stp"), rfa, sealed_for(s, d, content)),
        json,
        "tell",
        mark(content),
    )


@app.command("extend")
def extend(rfa: RfaId, due: Due, reason: Reason, as_: Path = As, json: bool = Json) -> None:
    """Move the due date; the authority is told the new one."""
    from gateway.exchange.acts import ExtendRfa
    from gateway.kernel.ids import new_id

    act_on(
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
        content = read_text(text)
        if no_material and service:
            raise MalformedError("say --no-material or --service, not both")
    released = {state.value for state in RELEASED}

    def make(shown: dict[str, Any], directory: Any) -> AnswerRfa:
        shares = [s["share"] for s in shown["shares"] if s["state"] in released]
        if not shares and not (no_material or service):
            raise MalformedError("nothing is released for it: say --no-material or --service")
        named = () if no_material or service else tuple(shares)
        sealed = sealed_for(shown, directory, content)
        if no_material:
            return AnswerRfa(new_id("stp"), rfa, "no_material", named, sealed)
        return AnswerRfa(new_id("stp"), rfa, "service" if service else "packages", named, sealed)

    act_on(as_, rfa, make, json, "answer", mark(content))


@app.command("decline")
def decline(rfa: RfaId, text: TextFile, reason: Reason, as_: Path = As, json: bool = Json) -> None:
    """Decline an RFA of which a check is not met, with the text that the authority gets."""
    from gateway.exchange.acts import DeclineRfa
    from gateway.kernel.ids import new_id

    with explained():
        content = read_text(text)

    def make(shown: dict[str, Any], directory: Any) -> DeclineRfa:
        return DeclineRfa(new_id("stp"), rfa, sealed_for(shown, directory, content), reason)

    act_on(as_, rfa, make, json, "decline", mark(content), reason)


@app.command("reopen")
def reopen(rfa: RfaId, due: Due, reason: Reason, as_: Path = As, json: bool = Json) -> None:
    """Take an RFA up again; it passes admissibility anew."""
    from gateway.exchange.acts import ReopenRfa
    from gateway.kernel.ids import new_id

    act_on(
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

    act_on(as_, rfa, lambda _, __: CloseRfa(new_id("stp"), rfa), json, "close")
