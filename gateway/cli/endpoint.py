"""The authority's commands: inbox, pull, receipt."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.output import As, Json, bar, run, show, show_table, with_session


def inbox(
    as_: Path = As,
    wait: Annotated[int, typer.Option(help="Seconds to wait for the first message.")] = 0,
    every: Annotated[bool, typer.Option("--all", help="From the first message on.")] = False,
    json: bool = Json,
) -> None:
    """Show new messages, each verified."""
    from gateway.client import pull as client
    from gateway.client.session import Session
    from gateway.exchange.parse import plain

    async def work(session: Session) -> list[dict[str, Any]]:
        found = await client.inbox(session, wait=wait, everything=every)
        return [plain(message) for message in found]

    found = run(with_session(as_, work))
    rows = [
        {"seq": str(m["seq"]), "at": m["at"], "about": m["about"], "of": m["share"] or m["rfa"]}
        for m in found
    ]
    show_table(found, "Inbox", rows, as_json=json)


def pull(
    share_id: Annotated[str, typer.Argument(help="Share id, or `new` for all in the inbox.")],
    out: Annotated[Path, typer.Option(help="Folder to put the share into.")],
    as_: Path = As,
    json: bool = Json,
) -> None:
    """Pull a share: verify, decrypt, acknowledge. Run it again after an interruption: it goes on."""
    from gateway.client import pull as client
    from gateway.client.session import Session
    from gateway.exchange.messages import About

    async def work(session: Session) -> list[dict[str, Any]]:
        wanted = [share_id]
        if share_id == "new":
            found = await client.inbox(session, everything=True)
            gone = {m.share for m in found if m.about is About.SHARE_RECALLED}
            offered = [m.share for m in found if m.share and m.about is About.SHARE_AVAILABLE]
            wanted = [s for s in offered if s not in gone and not (out / s).exists()]
        with bar("pull", None) as progress:
            done = [await client.pull(session, share, out, progress) for share in wanted]
        return [
            {
                "share": d.share,
                "folder": str(d.folder),
                "manifest": d.manifest,
                "items": [item.particulars.name for item in d.inner.items],
                "terms": d.inner.terms,
                "note": d.inner.note,
            }
            for d in done
        ]

    done = run(with_session(as_, work))
    lines = [
        f"{d['share']}: {len(d['items'])} items verified, in {d['folder']}\n  {_terms(d['terms'])}"
        for d in done
    ]
    show(done, "\n".join(lines) or "nothing new", as_json=json)


def _terms(terms: dict[str, Any]) -> str:
    said = (
        f"{name.replace('_', ' ')}: {', '.join(map(str, v)) if isinstance(v, list) else v}"
        for name, v in terms.items()
    )
    return f"terms: {'; '.join(said) or 'none'}"


def receipt(
    share_id: Annotated[str, typer.Argument(help="Share id.")],
    rung: Annotated[str, typer.Argument(help="opened, accepted or rejected.")],
    as_: Path = As,
    manifest: Annotated[
        str, typer.Option(help="Digest of the manifest, as `gateway pull --json` printed it.")
    ] = "",
    json: bool = Json,
) -> None:
    """Sign a receipt as an officer, for a share that was pulled."""
    from gateway.client import pull as client
    from gateway.client.session import Session
    from gateway.exchange.receipts import Rung
    from gateway.kernel.errors import MalformedError

    async def work(session: Session) -> dict[str, Any]:
        if rung not in set(Rung):
            raise MalformedError(f"rung is one of {', '.join(Rung)}")
        digest = manifest or client.manifest_digest(session.folder, share_id)
        state = await client.acknowledge(session, share_id, digest, Rung(rung))
        return {"share": share_id, "state": state}

    made = run(with_session(as_, work))
    show(made, f"share {share_id} is {made['state']}", as_json=json)
