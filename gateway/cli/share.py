"""The commands on shares: propose, clear, release, list, recall."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import As, Json, note, run, show, show_table, steps, with_session
from gateway.cli.policy.explain import explain_share

app = typer.Typer(no_args_is_help=True, help="Shares: propose, clear, release, list.")


@app.command("propose")
def propose(
    package: Annotated[str, typer.Argument(help="Package id.")],
    authority: Annotated[
        list[str], typer.Argument(help="Short names or ids of the authorities, one share each.")
    ],
    as_: Path = As,
    json: bool = Json,
) -> None:
    """Propose a package to authorities, a share and a signed order for each, and see the decisions."""
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory

    async def work(session: Session) -> list[dict[str, Any]]:
        directory = await refresh_directory(session)
        parties = [directory.party(name).id for name in authority]  # all of them, before any
        with steps("propose", len(parties)) as progress:
            made = []
            for party in parties:
                act = partial(_proposal, package, party)
                made.append(await session.act_once("/v1/shares", act, package, party))
                progress(1)
        return made

    _show_each(run(with_session(as_, work)), _said, as_json=json)


def _proposal(package: str, party: str) -> Any:
    from gateway.exchange.acts import Propose
    from gateway.kernel.ids import new_id

    return Propose(new_id("shr"), package, party)


def _show_each(
    made: list[dict[str, Any]], say: Callable[[dict[str, Any]], str], *, as_json: bool
) -> None:
    """Print one result as itself, several as a list."""
    data = made[0] if len(made) == 1 else made
    show(data, "\n\n".join(say(one) for one in made), as_json=as_json)


def _said(made: dict[str, Any]) -> str:
    lines = [f"share {made['share']}: {made['state']}", str(made["explanation"])]
    if made["state"] == "proposed":
        lines.append(f"next: gateway share release {made['share']} (a person with role releaser)")
    for what, count in made["missing"].items():
        lines.append(f"missing: {what} ({count})")
    return "\n".join(lines)


@app.command("release")
def release(
    share_id: Annotated[
        list[str], typer.Argument(help="Share ids, each released by its own order.")
    ],
    as_: Path = As,
    json: bool = Json,
) -> None:
    """Release shares: a person's signed order for each, over every item's digests."""
    from gateway.client.session import Session
    from gateway.exchange.acts import Release, ReleaseItem
    from gateway.exchange.parse import build

    async def work(session: Session) -> list[dict[str, Any]]:
        made = []
        with steps("release", len(share_id)) as progress:
            for name in share_id:
                shown = (await session.get(f"/v1/shares/{name}")).json()
                items = build(shown["items"], tuple[ReleaseItem, ...])
                act = Release(name, str(shown["recipient"]), items)
                made.append(await session.act(f"/v1/shares/{name}/release", act))
                progress(1)
        return made

    made = run(with_session(as_, work))
    _show_each(made, lambda one: f"share {one['share']} is {one['state']}", as_json=json)
    for kept in sorted({name for one in made for name in one["withheld_unreviewed"]}):
        note(f"kept back on the same RFA or case, and not reviewed: {kept}")


@app.command("approve")
def approve(
    share_id: Annotated[str, typer.Argument(help="Share id.")],
    role: Annotated[str, typer.Option(help="Role in which you approve.")],
    as_: Path = As,
    json: bool = Json,
) -> None:
    """Approve a held share in one role, bound to its items and the basis of its decision."""
    from gateway.client.session import Session
    from gateway.exchange.acts import Approve, ReleaseItem
    from gateway.exchange.parse import build
    from gateway.exchange.parties import Role
    from gateway.kernel.errors import MalformedError
    from gateway.kernel.ids import new_id

    async def work(session: Session) -> dict[str, Any]:
        if role not in set(Role):
            raise MalformedError(f"role is one of {', '.join(Role)}")
        shown = (await session.get(f"/v1/shares/{share_id}")).json()
        items = build(shown["items"], tuple[ReleaseItem, ...])
        basis = _basis(shown, f"approval:{role}")
        act = Approve(new_id("clr"), share_id, str(shown["recipient"]), Role(role), basis, items)
        return await session.act(f"/v1/shares/{share_id}/approvals", act)

    made = run(with_session(as_, work))
    show(made, _said(made), as_json=json)


def _basis(shown: dict[str, Any], what: str) -> str:
    """Return the basis on which a share asks for this clearance.

    Raises ConflictError if it does not ask for it.
    """
    from gateway.kernel.errors import ConflictError

    if what not in shown["bases"]:
        asked = ", ".join(shown["bases"]) or "nothing"
        raise ConflictError(f"the share does not ask for {what}; it asks for {asked}")
    return str(shown["bases"][what])


@app.command("consult")
def consult(
    share_id: Annotated[str, typer.Argument(help="Share id.")],
    whom: Annotated[str, typer.Option(help="Who was consulted: source or originator.")],
    document: Annotated[
        Path, typer.Option(help="The record of the consultation; only its digest is sent.")
    ],
    as_: Path = As,
    json: bool = Json,
) -> None:
    """Record that a source was consulted about a held share and agreed."""
    import hashlib

    from gateway.client.session import Session
    from gateway.exchange.acts import Consult, ReleaseItem
    from gateway.exchange.parse import build
    from gateway.kernel.errors import MalformedError
    from gateway.kernel.ids import new_id

    async def work(session: Session) -> dict[str, Any]:
        try:
            digest = hashlib.sha256(document.read_bytes()).hexdigest()
        except OSError:
            raise MalformedError(f"{document.name} cannot be read") from None
        shown = (await session.get(f"/v1/shares/{share_id}")).json()
        items = build(shown["items"], tuple[ReleaseItem, ...])
        recipient, basis = str(shown["recipient"]), _basis(shown, f"consultation:{whom}")
        act = Consult(new_id("clr"), share_id, recipient, whom, digest, basis, items)
        return await session.act(f"/v1/shares/{share_id}/approvals", act)

    made = run(with_session(as_, work))
    show(made, _said(made), as_json=json)


@app.command("suspended")
def suspended(as_: Path = As, json: bool = Json) -> None:
    """List released shares that are suspended: since when, and why."""
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory

    async def work(session: Session) -> list[dict[str, Any]]:
        directory = await refresh_directory(session)
        found: Any = (await session.get("/v1/suspensions")).json()["suspended"]
        return [{**row, "recipient": directory.party(row["recipient"]).short} for row in found]

    rows = run(with_session(as_, work))
    text = [
        {
            "share": row["share"],
            "recipient": row["recipient"],
            "since": row["since"],
            "why": _why(row["why"]),
        }
        for row in rows
    ]
    show_table(rows, "Suspended", text, as_json=json)


def _why(why: dict[str, Any]) -> str:
    """Say why a share is suspended: what is unmet, else the rules that fired, else the cause."""
    unmet = [f"{kind}: {', '.join(what)}" for kind, what in why.get("unmet", {}).items()]
    if why["cause"] == "key":
        return "its key was revoked: gateway share rewrap, once another one is introduced"
    stricter = [f"stricter now: {', '.join(why['kinds'])}"] if why["cause"] == "terms" else []
    return ", ".join(unmet or stricter or why.get("rules") or [why["cause"]])


@app.command("show")
def show_share(
    share_id: Annotated[str, typer.Argument(help="Share id.")], as_: Path = As, json: bool = Json
) -> None:
    """Show a share: state, decision, life, receipts."""

    async def work(session: Any) -> dict[str, Any]:
        return dict((await session.get(f"/v1/shares/{share_id}")).json())

    made = run(with_session(as_, work))
    life = "\n".join(f"  {e['at']}  {e['state']}" for e in made["life"])
    show(made, f"{_said(made)}\nlife:\n{life}", as_json=json)


app.command("explain")(explain_share)


@app.command("list")
def list_shares(as_: Path = As, json: bool = Json) -> None:
    """List every share with its state."""
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory

    async def work(session: Session) -> list[dict[str, str]]:
        directory = await refresh_directory(session)
        found: Any = (await session.get("/v1/shares")).json()["shares"]
        return [{**row, "recipient": directory.party(row["recipient"]).short} for row in found]

    rows = run(with_session(as_, work))
    show_table(rows, "Shares", rows, as_json=json)


def recall(
    share_id: Annotated[str, typer.Argument(help="Share id.")],
    reason: Annotated[str, typer.Option(help="Why; it stays with the mechanism.")],
    as_: Path = As,
    json: bool = Json,
) -> None:
    """Recall a share: pulls stop at once and the authority is asked to sequester what it has."""
    from gateway.client.session import Session
    from gateway.exchange.acts import Ask, Recall

    async def work(session: Session) -> dict[str, Any]:
        return await session.act(
            f"/v1/shares/{share_id}/recall", Recall(share_id, Ask.SEQUESTER, reason)
        )

    made = run(with_session(as_, work))
    note("a recall cannot force anyone; what was pulled may have been read")
    show(made, f"share {share_id} is recalled", as_json=json)
