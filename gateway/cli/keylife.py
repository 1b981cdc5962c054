"""`gateway keys …` on the life of envelope keys: made, entered, proved, confirmed, activated, retired; exposure."""

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
    steps,
    with_session,
)

Instance = Annotated[
    Path, typer.Option("--instance", envvar="GATEWAY_INSTANCE", help="The instance folder.")
]
Fingerprint = Annotated[str, typer.Argument(help="Fingerprint, or its beginning.")]
Whole = Annotated[str, typer.Argument(help="The whole fingerprint, as gateway keys list shows it.")]
_IN_FORCE = "sign the directory and send SIGHUP to the gateway to put this into force"


def register(app: typer.Typer) -> None:
    """Add the commands to the group `keys`."""
    # A fingerprint may begin with a dash.
    dashes = {"ignore_unknown_options": True}
    app.command("rotate-envelope")(rotate_envelope)
    app.command("enter")(enter)
    app.command("activate", context_settings=dashes)(activate)
    app.command("retire", context_settings=dashes)(retire)
    app.command("revoke", context_settings=dashes)(revoke)
    app.command("challenge")(challenge)
    app.command("prove")(prove)
    app.command("confirm")(confirm)
    app.command("status")(status)
    app.command("exposure")(exposure)


def rotate_envelope(
    out: Annotated[Path, typer.Option(help="File for the offer that the mechanism enters.")],
    as_: Path = As,
    suite: Annotated[str, typer.Option(help="pq or classic.")] = "pq",
    json: bool = Json,
) -> None:
    """Make your next envelope key in your key folder, and the signed offer of its public half."""
    from gateway import wiring
    from gateway.client import key_ceremony
    from gateway.envelope import Suite
    from gateway.kernel.errors import MalformedError

    with explained():
        if suite not in set(Suite):
            raise MalformedError("suite is pq or classic")
        if out.exists():
            raise MalformedError(f"{out.name} exists already: name another file")
        offer, name = key_ceremony.rotate_envelope(folder(as_), Suite(suite), wiring.now())
        out.write_bytes(offer + b"\n")
    note("read the fingerprint to the mechanism over another channel; keep the old key as well")
    show({"offer": str(out), "key": name}, f"made {name}\noffer: {out}", as_json=json)


def enter(
    instance: Instance,
    offer: Annotated[Path, typer.Argument(help="The offer, as rotate-envelope wrote it.")],
    days: Annotated[int, typer.Option(help="Days for which the key is good.")] = 730,
    json: bool = Json,
) -> None:
    """Enter an offered key as its owner's next one in the directory's files."""
    from gateway import settings, wiring
    from gateway.client import key_ceremony
    from gateway.exchange.key_life import fingerprint
    from gateway.kernel.errors import MalformedError

    with explained():
        try:
            data = offer.read_bytes().strip()
        except OSError:
            raise MalformedError(f"{offer.name} cannot be read") from None
        where = instance / settings.read(instance).directory
        key = key_ceremony.enter(where, data, wiring.now(), days=days)
    note(f"{_IN_FORCE}; then gateway keys challenge {fingerprint(key)}")
    data_out = {"key": fingerprint(key), "status": key.status.value}
    show(data_out, f"entered {fingerprint(key)} as next", as_json=json)


def _change(instance: Path, beginning: str, step: str, says: str, *, as_json: bool) -> None:
    from gateway import settings
    from gateway.client import key_ceremony
    from gateway.exchange.key_life import Step, fingerprint

    with explained():
        where = instance / settings.read(instance).directory
        member, key = key_ceremony.change(where, beginning, Step(step))
    note(_IN_FORCE)
    data = {"owner": member.id, "key": fingerprint(key), "status": key.status.value}
    show(data, f"{says} of {member.id}", as_json=as_json)


def activate(instance: Instance, fingerprint: Fingerprint, json: bool = Json) -> None:
    """Make a next key active; the gateway wraps to it once two persons have confirmed it."""
    _change(instance, fingerprint, "activate", "activated a key", as_json=json)


def retire(instance: Instance, fingerprint: Fingerprint, json: bool = Json) -> None:
    """Retire an active key: nothing is wrapped to it any more, what was stays served."""
    _change(instance, fingerprint, "retire", "retired a key", as_json=json)


def revoke(instance: Instance, fingerprint: Fingerprint, json: bool = Json) -> None:
    """Revoke a key in the directory's files; sign the set to put it into force.

    Shares wrapped to it are suspended then, and what nobody fetched is deleted.
    """
    _change(instance, fingerprint, "revoke", "revoked a key", as_json=json)


def challenge(key: Whole, as_: Path = As, json: bool = Json) -> None:
    """Have a challenge sealed to a key that is new in the directory, for its owner to answer."""
    from gateway.client import key_ceremony

    made = run(with_session(as_, lambda session: key_ceremony.challenge(session, key)))
    show(made, f"challenge {made['challenge']}: its owner runs gateway keys prove", as_json=json)


def prove(as_: Path = As, json: bool = Json) -> None:
    """Answer the challenges to your own envelope keys: open them, and sign what they hold."""
    from gateway.client import key_ceremony

    made = run(with_session(as_, key_ceremony.prove))
    lines = [f"proved {one['key']}" for one in made]
    show(made, "\n".join(lines) or "nothing to prove", as_json=json)


def confirm(
    key: Whole,
    how: Annotated[str, typer.Option(help="How you made sure: over which channel, with whom.")],
    as_: Path = As,
    json: bool = Json,
) -> None:
    """Confirm, as a person of the mechanism, that a proved key is its owner's. It takes two."""
    from gateway.client import key_ceremony

    made = run(with_session(as_, lambda session: key_ceremony.confirm(session, key, how)))
    more = "it can be used now" if made["introduced"] else "another person confirms it next"
    show(made, f"confirmed {key}: {more}", as_json=json)


def status(as_: Path = As, json: bool = Json) -> None:
    """Show the envelope keys of the directory in force, how each was introduced, and what to do next."""

    async def work(session: Any) -> dict[str, Any]:
        return dict((await session.get("/v1/keys")).json())

    found = run(with_session(as_, work))
    lines = [
        f"{one['short']:<20} {one['status']:<8} {one['introduced'] or 'not introduced':<14} "
        f"until {one['not_after'][:10]}  {one['key']}"
        + (f"\n{'':<20} {one['next']}" if one["next"] else "")
        for one in found["keys"]
    ]
    show(found, "\n".join(lines) or "no envelope keys", as_json=json)


def exposure(key: Whole, as_: Path = As, json: bool = Json) -> None:
    """List which items a key could open: by share, whether they were fetched and when."""
    rows: list[dict[str, Any]] = []

    async def work(session: Any) -> dict[str, Any]:
        target = f"/v1/keys/{key}/exposure"
        found = (await session.get(target)).json()
        with steps("exposure", found["headers"]) as progress:
            while True:
                rows.extend(found["opens"])
                progress(len(found["opens"]))
                if found["next"] is None:
                    return {**found, "opens": rows}
                found = (await session.get(f"{target}?after={found['next']}")).json()

    found = run(with_session(as_, work))
    fetched = [row for row in rows if row["fetched"]]
    counts = f"{len(fetched)} fetched, {found['deleted']} deleted unfetched"
    lines = [
        f"key {key} ({found['status'] or 'not in the directory'}) of {found['party']}",
        f"{found['headers']} headers were wrapped to it: {counts}",
        *(f"  {r['item']}  {r['share']}  fetched {r['fetched']}" for r in fetched),
        *(f"  {r['item']}  {r['share']}  {_never(r)}" for r in rows if not r["fetched"]),
    ]
    show(found, "\n".join(lines), as_json=json)


def _never(row: dict[str, Any]) -> str:
    return f"deleted {row['deleted']}" if row["deleted"] else "not fetched"


def rewrap(
    share_id: Annotated[str, typer.Argument(help="Share id; none with --authority.")] = "",
    authority: Annotated[
        str, typer.Option(help="Short name or id: every open share of it that needs it.")
    ] = "",
    as_: Path = As,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List which shares would be, and wrap none.")
    ] = False,
    json: bool = Json,
) -> None:
    """Have open shares wrapped anew to their authority's keys of today; bodies stay as they are.

    An authority's endpoint asks for one of its own; the sharing team for one, or all of an authority.
    """
    from gateway.client import rewrap as client
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory
    from gateway.kernel.errors import MalformedError

    async def work(session: Session) -> list[dict[str, Any]]:
        if bool(share_id) is bool(authority):
            raise MalformedError("name one share, or --authority")
        if share_id and not dry_run:
            return [await client.rewrap(session, share_id)]
        shares = [share_id]
        if authority:
            party = (await refresh_directory(session)).party(authority)
            shares = await client.due(session, party.id)
        if dry_run:
            return [{"share": share} for share in shares]
        with steps("rewrap", len(shares)) as progress:
            return list(await client.rewrap_all(session, shares, progress))

    made = run(with_session(as_, work))
    show(made, "\n".join(map(_rewrapped, made)) or "nothing needs it", as_json=json)


def _rewrapped(made: dict[str, Any]) -> str:
    if "refused" in made:
        return f"{made['share']}: not wrapped anew: {made['refused']}"
    if "rewrap" not in made:
        return f"{made['share']}: would be wrapped anew"
    return f"{made['share']}: wrapped anew, manifest {made['manifest']}"
