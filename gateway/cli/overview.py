"""What stands where: `gateway approvals`, `status` and `watch`."""

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import As, Json, harmless, note, run, show_table, with_session


def approvals(
    as_: Path = As,
    every: Annotated[bool, typer.Option("--all", help="Also what waits for other people.")] = False,
    json: bool = Json,
) -> None:
    """Show what waits for your approval, and how to give it."""

    async def work(session: Any) -> dict[str, Any]:
        return dict((await session.get("/v1/approvals")).json())

    found = run(with_session(as_, work))
    held = [row for row in found["held"] if row["yours"] or every]
    rows = [
        {
            "share": row["share"],
            "missing": ", ".join(row["missing"]),
            "yours": ", ".join(row["yours"]),
            "expires": row["expires"][:10],
        }
        for row in held
    ]
    rows += [
        {"share": row["rfa"], "missing": "confirmation", "yours": "confirm", "expires": ""}
        for row in found["confirm"]
    ]
    rows += [
        {
            "share": row["withheld"],
            "missing": "review",
            "yours": "review" if row["yours"] else "",
            "expires": "",
        }
        for row in found["review"]
    ]
    data = {"held": held, "confirm": found["confirm"], "review": found["review"]}
    show_table(data, "Waiting for approval", rows, as_json=json)
    for row in found["review"][:1] if not json else []:
        note(f"next: gateway withheld review {row['withheld']} --finding upheld --reason TEXT")
    for row in held[:1] if not json else []:
        for what in row["yours"]:
            kind, _, role = what.partition(":")
            how = "approve" if kind == "approval" else "consult"
            flag = f"--role {role}" if kind == "approval" else f"--whom {role} --document FILE"
            note(f"next: gateway share {how} {row['share']} {flag}")


def status(as_: Path = As, json: bool = Json) -> None:
    """Show everything that is open, and what it waits for."""
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory

    async def work(session: Session) -> tuple[dict[str, Any], dict[str, str]]:
        directory = await refresh_directory(session)
        found: dict[str, Any] = (await session.get("/v1/status")).json()
        return found, {party.id: party.short for party in directory.parties}

    found, names = run(with_session(as_, work))
    rows = [
        {
            "what": row["withheld"],
            "authority": names.get(row["recipient"], row["recipient"]),
            "state": "KEPT BACK",
            "waits for": row["waits_for"] + ("" if row["reviewer"] else " (NO REVIEWER)"),
        }
        for row in found["withheld"]
    ]
    rows += [
        {
            "what": row["rfa"],
            "authority": names.get(row["authority"], row["authority"]),
            "state": row["state"],
            "waits for": row["waits_for"] + (" (OVERDUE)" if row["overdue"] else ""),
        }
        for row in found["rfas"]
    ]
    rows += [
        {
            "what": row["share"],
            "authority": names.get(row["recipient"], row["recipient"]),
            "state": row["state"],
            "waits for": row["waits_for"] + (" (LATE)" if row["late"] else ""),
        }
        for row in found["shares"]
    ]
    rows += [
        {
            "what": row["share"],
            "authority": names.get(row["recipient"], row["recipient"]),
            "state": "expiring",
            "waits for": f"its last day, {row['expires']}",
        }
        for row in found["expiring"]
    ]
    rows += [
        {
            "what": row["share"],
            "authority": names.get(row["recipient"], row["recipient"]),
            "state": "suspended",
            "waits for": f"{row['why']['cause']}, since {row['since']}",
        }
        for row in found["suspended"]
    ]
    show_table(found, "What waits for whom", rows, as_json=json)
    if not json:
        _warn(found)


def _warn(found: dict[str, Any]) -> None:
    if found["quarantine"]:
        note(f"read-only quarantine: {found['quarantine']}")
    if found["withheld"]:
        note(f"exculpatory items kept back, unreviewed or to be offered: {len(found['withheld'])}")
    for share, why in found["stuck"].items():
        note(f"release of {share} is stuck: {why}")
    note(f"the directory expires on {found['directory_expires'][:10]}")


def watch(
    as_: Path = As,
    start: Annotated[int, typer.Option(help="Index to begin at; default: now.")] = -1,
    count: Annotated[int, typer.Option(help="Stop after so many events; 0: never.")] = 0,
    json: bool = Json,
) -> None:
    """Follow what happens, line by line, until you press Ctrl-C: the ledger for the mechanism's people,
    the inbox for an authority.
    """
    from gateway.client import pull as client
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory
    from gateway.exchange.parse import plain
    from gateway.exchange.parties import Kind

    def say(event: dict[str, Any]) -> None:
        names = ("time", "kind", "subject", "outcome", "at", "about", "share", "rfa")
        words = (str(event[name]) for name in names if event.get(name))
        sys.stdout.write(
            (jsonlib.dumps(event, ensure_ascii=False) if json else harmless("  ".join(words)))
            + "\n"
        )
        sys.stdout.flush()

    async def ledger(session: Session) -> None:
        seen, after = 0, start
        if after < 0:
            after = int(str((await session.get("/v1/events")).json()["next"]))
        while not count or seen < count:
            page: Any = (await session.get(f"/v1/events?after={after}&wait=50")).json()
            for event in page["events"][: count - seen if count else None]:
                say(event)
                seen += 1
            after = int(page["next"])

    async def messages(session: Session) -> None:
        seen, every = 0, start >= 0
        while not count or seen < count:
            found = await client.inbox(session, wait=50, everything=every)
            every = False
            for message in found[: count - seen if count else None]:
                say(plain(message))
                seen += 1

    async def work(session: Session) -> None:
        directory = await refresh_directory(session)
        mine = directory.party(session.folder.profile.party)
        await (ledger if mine.kind is Kind.MECHANISM else messages)(session)

    run(with_session(as_, work))
