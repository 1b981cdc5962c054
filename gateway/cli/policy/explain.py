"""`gateway policy explain` and `gateway share explain`: why a decision is as it is, and what is missing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import As, Json, explained, note, run, show, with_session
from gateway.cli.policy.group import Folder, app, folder_of

Recipient = Annotated[
    bool, typer.Option("--recipient", help="Only what the authority may be told.")
]
Pdf = Annotated[
    Optional[Path],
    typer.Option("--pdf", help="Also write one page A4 for the file.", show_default=False),
]
_LOOK = 20_000  # decisions on items tried to find what is missing: some seconds at most


@app.command("explain")
def explain(
    facts: Annotated[
        Path,
        typer.Argument(
            help="YAML file of facts, such as `item.sgbv: true`; `items` lists several."
        ),
    ],
    folder: Folder = None,
    recipient: Recipient = False,
    json: bool = Json,
    pdf: Pdf = None,
) -> None:
    """Decide on facts given by hand, say why, and what is missing for a permit."""
    from gateway import policy as core
    from gateway import wiring

    with explained():
        policy, _ = wiring.load_policy(folder_of(folder))
        today, names, every = _read(facts, policy, wiring.now().date().isoformat())
        applied = core.apply(policy, every, today)
        told = core.explain_to_recipient(applied)
        found = core.explain(applied, names, look=0 if recipient else _LOOK)
        data = {"explanation": core.render_json(found), "told": told}
        if pdf is not None:
            _write(pdf, {**data, "items": len(every), "title": facts.name}, recipient=recipient)
    if recipient:
        show(told, _told(told), as_json=json)
    else:
        show({**applied.decision.to_json(), **data}, core.render_text(found), as_json=json)


def _read(path: Path, policy: Any, today: str) -> tuple[str, tuple[str, ...], list[dict[str, Any]]]:
    """Read a file of facts: the day, the items' names, and the facts of each."""
    from gateway.kernel.errors import MalformedError
    from gateway.policy import TODAY, read

    try:
        raw: Any = read(path.name, path.read_bytes()).json()
    except OSError:
        raise MalformedError(f"{path.name} cannot be read") from None
    if not isinstance(raw, dict):
        raise MalformedError(f"{path.name} maps facts to values")
    items = raw.pop("items", [{}])
    if not isinstance(items, list) or not items or not all(isinstance(i, dict) for i in items):
        raise MalformedError("items is a list of mappings of facts", field="items")
    names = tuple(str(item.pop("name", f"item {n + 1}")) for n, item in enumerate(items))
    every = [_known(policy, {TODAY: today, **raw, **item}) for item in items]
    days = {facts.pop(TODAY, today) for facts in every}
    if len(days) > 1:
        raise MalformedError(f"{TODAY} is the same for all items", field=TODAY)
    return str(days.pop()), names, every


def _known(policy: Any, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as the vocabulary has them. Raises MalformedError for one that it has not."""
    from gateway.kernel.errors import MalformedError

    found: dict[str, Any] = {}
    for path, value in raw.items():
        namespace = path.partition(".")[0]
        if namespace not in ("item", "recipient", "context"):
            raise MalformedError(f"unknown fact {path!r}", field=path)
        found |= policy.vocabulary.facts({path: value}, namespace)
    return found


def explain_share(
    share: Annotated[str, typer.Argument(help="Share id.")],
    as_: Path = As,
    recipient: Recipient = False,
    json: bool = Json,
    pdf: Pdf = None,
    decision: Annotated[
        int, typer.Option(help="Which recorded decision, from 0; default: the newest.")
    ] = -1,
) -> None:
    """Explain a recorded decision on a share: rules, facts, obligations, and what is missing."""
    from gateway.client.session import Session
    from gateway.client.trust import refresh_directory

    async def work(session: Session) -> dict[str, Any]:
        which = f"?decision={decision}" if decision >= 0 else ""
        found: dict[str, Any] = (await session.get(f"/v1/shares/{share}/explanation{which}")).json()
        directory = await refresh_directory(session)
        names = {party.id: party.short for party in directory.parties}
        return {**found, "recipient_short": names.get(found["recipient"], found["recipient"])}

    found = run(with_session(as_, work))
    if pdf is not None:
        with explained():
            _write(pdf, {**found, "title": share}, recipient=recipient)
    if recipient:
        show(found["told"], _told(found["told"]), as_json=json)
        return
    short = found.pop("recipient_short")
    head = (
        f"share {share} for {short}: decision {found['n']}, made to {found['stage']}, {found['at']}"
    )
    show(found, f"{head}\n{found['text']}", as_json=json)
    if not found["recomputed"]:
        note("warning: deciding again on the recorded facts does not lead to what is recorded")


def _told(told: Mapping[str, Any]) -> str:
    return f"{told['outcome']}" + (f": {', '.join(told['reasons'])}" if told["reasons"] else "")


def _write(path: Path, data: Mapping[str, Any], *, recipient: bool) -> None:
    """Write the page. Raises UnavailableError where the library for it is not installed."""
    from gateway.kernel.errors import MalformedError, UnavailableError

    try:
        from gateway.desk import explanation_pdf
    except ModuleNotFoundError:
        raise UnavailableError(
            "a PDF needs the extra `desk`: pip install 'evidence-gateway[desk]'"
        ) from None
    page = explanation_pdf.told_page(data) if recipient else explanation_pdf.page(data)
    try:
        path.write_bytes(page)
    except OSError:
        raise MalformedError(f"{path.name} cannot be written") from None
    note(f"wrote {path.name}")
