"""`gateway facts …` and `gateway item …`: what officers attest, and what is said of an item."""

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import As, Json, explained, run, show, show_table, with_session

app = typer.Typer(no_args_is_help=True, help="Facts about states and cases: attest, list, end.")
item = typer.Typer(no_args_is_help=True, help="Items: their facts, amendments, and who holds them.")
Document = Annotated[
    Path, typer.Option("--document", help="The document it rests on; only its digest is sent.")
]
ItemId = Annotated[str, typer.Argument(help="Item id.")]


def _evidence(document: Path) -> Any:
    import hashlib

    from gateway.exchange.acts import Evidence
    from gateway.kernel.errors import MalformedError

    try:
        with document.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        raise MalformedError(f"{document.name} cannot be read") from None
    return Evidence("document", digest, document.name)


def _value(text: str) -> Any:
    """Read a value as YAML spells it: true, 2027-01-31, [death_penalty], abolished."""
    from gateway.policy import read

    return read("value", text.encode()).json()


@app.command("attest")
def attest(
    fact: Annotated[str, typer.Argument(help="The fact, such as recipient.fair_trial.")],
    value: Annotated[str, typer.Argument(help="Its value, such as ok, true or [death_penalty].")],
    jurisdiction: Annotated[str, typer.Option(help="The state it is about.")],
    until: Annotated[str, typer.Option("--until", help="Last day on which it counts.")],
    as_: Path = As,
    document: Annotated[
        Optional[Path],
        typer.Option("--document", help="The document it rests on; only its digest is sent."),
    ] = None,
    rfa: Annotated[str, typer.Option(help="The RFA it is drawn from, instead.")] = "",
    authority: Annotated[str, typer.Option(help="Only for this authority.")] = "",
    case: Annotated[str, typer.Option(help="Only for this case.")] = "",
    since: Annotated[str, typer.Option("--since", help="First day; default: today.")] = "",
    json: bool = Json,
) -> None:
    """Attest a fact about a state or case, citing a document or RFA; it ends on a day."""
    from datetime import UTC, datetime

    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory
    from gateway.exchange.acts import Attest, Evidence
    from gateway.exchange.parse import build, plain
    from gateway.kernel.encoding import digest_of
    from gateway.kernel.errors import MalformedError
    from gateway.kernel.ids import new_id

    with explained():
        if (document is None) == (not rfa):
            raise MalformedError("say what it rests on: --document or --rfa")
        evidence = _evidence(document) if document is not None else None
        said = _value(value)

    async def work(session: Session) -> dict[str, Any]:
        directory = await refresh_directory(session)
        cited = evidence
        if cited is None:
            shown = (await session.get(f"/v1/rfas/{rfa}")).json()
            cited = Evidence("rfa", str(shown["request"]), rfa)
        stated = {
            "type": "fact.attest",
            "fact": fact,
            "value": said,
            "jurisdiction": jurisdiction,
            "evidence": plain(cited),
            "valid_from": since or datetime.now(UTC).date().isoformat(),
            "valid_to": until,
            "authority": directory.party(authority).id if authority else None,
            "case": case or None,
        }

        def make() -> Attest:
            return build({**stated, "id": new_id("att")}, Attest)

        return await session.act_once("/v1/attestations", make, digest_of(stated))

    made = run(with_session(as_, work))
    show(made, f"attested as {made['attestation']}, until {until}", as_json=json)


@app.command("list")
def list_facts(as_: Path = As, json: bool = Json) -> None:
    """List attestations with how they stand today."""

    async def work(session: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await session.get("/v1/attestations")).json()["attestations"]
        return found

    rows = run(with_session(as_, work))
    names = ("attestation", "jurisdiction", "fact", "value", "case", "valid_to", "state")
    text = [{k: str(row[k] if row[k] is not None else "") for k in names} for row in rows]
    show_table(rows, "Attestations", text, as_json=json)


@app.command("end")
def end(
    attestation: Annotated[str, typer.Argument(help="Attestation id.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    as_: Path = As,
    json: bool = Json,
) -> None:
    """End an attestation at once; what rests on it is suspended."""
    from gateway.client.session import Session
    from gateway.exchange.acts import EndAttestation

    async def work(session: Session) -> dict[str, Any]:
        act = EndAttestation(attestation, reason)
        return await session.act(f"/v1/attestations/{attestation}/end", act)

    made = run(with_session(as_, work))
    show(made, f"ended {attestation}; see gateway share suspended", as_json=json)


@item.command("facts")
def item_facts(item_id: ItemId, as_: Path = As, json: bool = Json) -> None:
    """Show an item's facts as they stand, what it was made from and what was made from it."""

    async def work(session: Any) -> dict[str, Any]:
        return dict((await session.get(f"/v1/items/{item_id}")).json())

    made = run(with_session(as_, work))
    lines = [f"{name}: {value}" for name, value in sorted(made["facts"].items())]
    lines = lines or ["nothing is stated of it"]
    if made["derivation"]:
        lines.append(f"made from {made['derivation']['original']}: {_done(made['derivation'])}")
    lines += [f"{one['item']} was made from it: {_done(one)}" for one in made["derivatives"]]
    show(made, "\n".join(lines), as_json=json)


def _done(derivation: dict[str, Any]) -> str:
    """Return in words what was done to a derivative."""
    removed = ", ".join(derivation["removed"])
    parts = [f"without {removed}"] if removed else []
    if derivation["recipient"]:
        parts.append(f"{derivation['mark']} mark for {derivation['recipient']}")
    return "; ".join([*parts, f"attested by {derivation['actor']}"])


@item.command("amend")
def amend(
    item_id: ItemId,
    document: Document,
    as_: Path = As,
    set_: Annotated[
        Optional[list[str]],
        typer.Option("--set", help="Fact and value, such as consent.status=refused; repeatable."),
    ] = None,
    unset: Annotated[
        Optional[list[str]], typer.Option("--unset", help="A fact that is unknown from now on.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be stated.")
    ] = False,
    json: bool = Json,
) -> None:
    """Amend an item's facts, such as its consent; every share of it is decided again."""
    from gateway.client.session import Session
    from gateway.exchange.acts import Amend
    from gateway.kernel.encoding import digest_of
    from gateway.kernel.errors import MalformedError
    from gateway.kernel.ids import new_id

    with explained():
        evidence = _evidence(document)
        changes: dict[str, Any] = {}
        for said in set_ or []:
            name, equals, value = said.partition("=")
            if not equals:
                raise MalformedError("say --set fact=value, such as consent.status=refused")
            changes[_path(name)] = _value(value)
        changes |= {_path(name): None for name in unset or []}
        if not changes:
            raise MalformedError("say what changes: --set or --unset")

    async def work(session: Session) -> dict[str, Any]:
        shown: Any = (await session.get(f"/v1/items/{item_id}")).json()
        after = {k: v for k, v in {**shown["facts"], **changes}.items() if v is not None}
        if dry_run:
            return {"item": item_id, "before": shown["facts"], "after": after}

        def make() -> Amend:
            return Amend(new_id("amd"), item_id, shown["digest"], after, evidence)

        target = f"/v1/items/{item_id}/amendments"
        return await session.act_once(target, make, digest_of(after), evidence.digest)

    made = run(with_session(as_, work))
    text = (
        "would state: " + ", ".join(f"{k}={v}" for k, v in sorted(made["after"].items()))
        if dry_run
        else f"amended {item_id}; see gateway share suspended"
    )
    show(made, text, as_json=json)


def _path(name: str) -> str:
    return name if name.startswith("item.") else f"item.{name}"


@item.command("holders")
def holders(item_id: ItemId, as_: Path = As, json: bool = Json) -> None:
    """Show which authorities hold an item already, and for which purposes."""
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory

    async def work(session: Session) -> list[dict[str, Any]]:
        directory = await refresh_directory(session)
        found: Any = (await session.get(f"/v1/items/{item_id}/holders")).json()["holders"]
        return [{**row, "authority": directory.party(row["authority"]).short} for row in found]

    rows = run(with_session(as_, work))
    names = ("authority", "purpose", "since", "state", "origin")
    text = [{k: str(row[k] or "") for k in names} for row in rows]
    show_table(rows, "Who holds it", text, as_json=json)
