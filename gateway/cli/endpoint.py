"""The authority's commands: inbox, pull, receipt, and those about terms."""

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import As, Json, bar, note, run, show, show_table, with_session
from gateway.client.terms import Told

app = typer.Typer(
    no_args_is_help=True, help="An authority's endpoint: what it supports, the terms of a share."
)


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
    """Pull a share: verify, decrypt, acknowledge. Run it again after an interruption: it goes on.

    Its terms are shown, and written to SHARE.terms.json beside its folder, before anything is fetched.
    """
    from gateway.client import pull as client
    from gateway.client.session import Session
    from gateway.exchange.messages import About

    def say(said: Told) -> None:
        note(_about(said))
        if said.to_be_signed:
            file = out / f"{said.share}.terms.json"
            note(
                f"to sign them: gateway endpoint sign-terms {said.share} --terms {file} --as OFFICER"
            )

    async def work(session: Session) -> list[dict[str, Any]]:
        wanted = [share_id]
        if share_id == "new":
            found = await client.inbox(session, everything=True)
            over = (About.SHARE_RECALLED, About.SHARE_EXPIRED)
            gone = {m.share for m in found if m.about in over}
            offered = [m.share for m in found if m.share and m.about is About.SHARE_AVAILABLE]
            wanted = [s for s in offered if s not in gone and not (out / s).exists()]
        with bar("pull", None) as progress:
            done = [await client.pull(session, share, out, progress, say, note) for share in wanted]
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
        f"{d['share']}: {len(d['items'])} items verified, in {d['folder']}; "
        f"its terms: {d['share']}.terms.json"
        for d in done
    ]
    show(done, "\n".join(lines) or "nothing new", as_json=json)


def _about(said: Told) -> str:
    return "\n".join([f"terms of {said.share}:", *(f"  {line}" for line in said.words())])


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


@app.command("supports")
def supports(json: bool = Json) -> None:
    """Print which kinds of obligation this program honours: the mechanism enters them in the directory."""
    from gateway.exchange.terms import SUPPORTS

    show({"supports": [*SUPPORTS]}, ",".join(SUPPORTS), as_json=json)


@app.command("terms")
def terms(
    share_id: Annotated[str, typer.Argument(help="Share id.")],
    as_: Path = As,
    out: Annotated[
        Optional[Path], typer.Option(help="File to write them to, for the officer who signs.")
    ] = None,
    json: bool = Json,
) -> None:
    """Show the terms of a share, decrypting nothing else. Exit code 11: an officer has to sign them."""
    from gateway.cli.output import EXIT
    from gateway.client import pull as client
    from gateway.client.session import Session
    from gateway.client.terms import write
    from gateway.exchange.parse import plain
    from gateway.exchange.terms import terms_digest
    from gateway.kernel.errors import TermsUnsignedError

    async def work(session: Session) -> tuple[Told, bool]:
        _, _, said = await client.offered(session, share_id)
        waits = said.to_be_signed and not await client.is_served(session, share_id)
        if out is not None:
            write(said, out)
        return said, waits

    said, waits = run(with_session(as_, work))
    data = {**plain(said), "digest": terms_digest(said.terms), "waits_for_signature": waits}
    how = ("not signed yet" if waits else "signed") if said.to_be_signed else "need no signature"
    show(data, f"{_about(said)}\n{how}", as_json=json)
    if waits:
        raise typer.Exit(EXIT[TermsUnsignedError])


@app.command("sign-terms")
def sign_terms(
    share_id: Annotated[str, typer.Argument(help="Share id.")],
    file: Annotated[
        Path, typer.Option("--terms", help="The terms, as `pull` or `endpoint terms` wrote them.")
    ],
    as_: Path = As,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be signed; sign nothing.")
    ] = False,
    json: bool = Json,
) -> None:
    """Accept the terms of a share as an officer, by a signature; after it the share can be pulled."""
    from gateway.client import terms as client
    from gateway.client.session import Session
    from gateway.exchange.terms import terms_digest
    from gateway.kernel.errors import MalformedError

    async def work(session: Session) -> Told:
        said = client.read(file)
        if said.share != share_id:
            raise MalformedError(f"{file.name} holds the terms of another share")
        note(_about(said))
        if not dry_run:
            await client.sign(session, said)
        return said

    said = run(with_session(as_, work))
    data = {"share": share_id, "terms": terms_digest(said.terms), "signed": not dry_run}
    done = "nothing was signed" if dry_run else f"signed the terms of {share_id}: pull it now"
    show(data, done, as_json=json)
