"""`gateway withheld …` and `gateway rfa withheld`: what authorities do not get, why, and its review."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import As, Json, explained, run, show, show_table, with_session
from gateway.cli.rfa.options import Reason, RfaId
from gateway.cli.rfa.options import app as rfa

app = typer.Typer(no_args_is_help=True, help="What is kept back from authorities, and its review.")


def _listing(as_: Path, target: str, title: str, *, json: bool) -> None:
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory

    async def work(session: Session) -> tuple[dict[str, Any], dict[str, str]]:
        directory = await refresh_directory(session)
        found: dict[str, Any] = (await session.get(target)).json()
        people = (member for party in directory.parties for member in party.members)
        return found, {member.id: member.name for member in people}

    found, names = run(with_session(as_, work))
    rows = [_row(one, names) for one in found["withheld"]]
    show_table(found, title, rows, as_json=json)


def _row(one: dict[str, Any], names: dict[str, str]) -> dict[str, str]:
    why = one["why"]
    named = one["reviewer"]
    return {
        "withheld": one["withheld"],
        "evidence": one["evidence_number"],
        "why": f"{one['cause']}: {', '.join(why['rules'] or why['reasons'])}",
        "exculpatory": {True: "YES", False: "no", None: "unknown"}[one["exculpatory"]],
        "stands": _stands(one) + (f", by {names.get(named, named)}" if named else ""),
        "since": one["at"][:10],
    }


def _stands(one: dict[str, Any]) -> str:
    if one["offered"]:
        return "offered since"
    if one["to_disclose"]:
        return "TO BE OFFERED"
    if one["due"]:
        return "REVIEW IS DUE"
    return str(one["review"]["finding"]) if one["review"] else "kept back"


@rfa.command("withheld")
def of_rfa(rfa_id: RfaId, as_: Path = As, json: bool = Json) -> None:
    """Show what the authority of an RFA does not get, and why. It sees none of this."""
    _listing(as_, f"/v1/rfas/{rfa_id}/withheld", "Kept back", json=json)


@app.command("list")
def listed(
    as_: Path = As,
    waiting: Annotated[
        bool, typer.Option("--open", help="Only what waits for a review, or must be offered.")
    ] = False,
    json: bool = Json,
) -> None:
    """Show what is kept back from authorities."""
    _listing(as_, f"/v1/withheld?open={int(waiting)}", "Kept back", json=json)


@app.command("review")
def review(
    withheld: Annotated[str, typer.Argument(help="Id of what is kept back (wth_…).")],
    finding: Annotated[
        str,
        typer.Option(help="upheld: it may stay so. disclose: it must be offered, in some form."),
    ],
    reason: Reason,
    as_: Path = As,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be reviewed; sign nothing.")
    ] = False,
    json: bool = Json,
) -> None:
    """Review that an item is kept back. A review is not taken back."""
    from gateway.client.session import Session
    from gateway.exchange.acts import ReviewWithheld
    from gateway.exchange.withheld_acts import Finding
    from gateway.kernel.errors import MalformedError, NotFoundError
    from gateway.kernel.ids import check_id, new_id

    with explained():
        check_id(withheld, "wth")
        if finding not in set(Finding):
            raise MalformedError(f"a finding is one of {', '.join(Finding)}")
        act = ReviewWithheld(new_id("rvw"), withheld, Finding(finding), reason)

    async def look(session: Session) -> dict[str, Any]:
        found: Any = (await session.get("/v1/withheld")).json()["withheld"]
        for one in found:
            if one["withheld"] == withheld:
                return dict(one)
        raise NotFoundError("no such item kept back")

    async def work(session: Session) -> dict[str, Any]:
        target = f"/v1/withheld/{withheld}/review"
        return await session.act_once(target, lambda: act, "review", withheld, finding, reason)

    if dry_run:
        one = run(with_session(as_, look))
        text = f"{one['evidence_number']} ({one['item']}), {one['cause']}: would be {finding}"
        show({"dry_run": True, "finding": finding, **one}, text, as_json=json)
        return
    made = run(with_session(as_, work))
    show(made, f"{withheld} is reviewed: {made['finding']}", as_json=json)
