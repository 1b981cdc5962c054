"""The sharing team's commands: push, share, recall."""

import mimetypes
from collections.abc import Callable
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import (
    As,
    Json,
    bar,
    explained,
    note,
    run,
    show,
    show_table,
    steps,
    with_session,
)

share = typer.Typer(no_args_is_help=True, help="Shares: propose, clear, release, list.")
_DEFAULT_HANDLING = "standard"

Rfa = Annotated[str, typer.Option(help="Id of the RFA that the package answers.")]
Rationale = Annotated[str, typer.Option(help="Why it is shared unasked.")]
Case = Annotated[str, typer.Option(help="The case it is for; default: the RFA's.")]
Purpose = Annotated[
    str, typer.Option(help="What it may be used for; default: the RFA's, or criminal.")
]
ProductOption = Annotated[
    str, typer.Option("--product", help="information, evidence or analytical_product.")
]
Note = Annotated[str, typer.Option("--note", help="Note to the recipients.")]


def push(
    folder: Annotated[Path, typer.Argument(help="File, or folder of files, to deposit.")],
    as_: Path = As,
    facts: Annotated[
        Optional[Path], typer.Option(help="YAML file with the facts of the items.")
    ] = None,
    rfa: Rfa = "",
    rationale: Rationale = "",
    case: Case = "",
    purpose: Purpose = "",
    product: ProductOption = "evidence",
    text: Note = "",
    suite: Annotated[str, typer.Option(help="pq, or classic for X25519 alone.")] = "pq",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    json: bool = Json,
) -> None:
    """Deposit files and make a package of them. Run it again after an interruption: it goes on."""
    from gateway.client import push as client
    from gateway.client.session import Session
    from gateway.exchange.acts import MakePackage
    from gateway.kernel.ids import new_id

    async def work(session: Session) -> dict[str, Any]:
        basis = await _basis(session, rfa, rationale, case, purpose)
        with bar("deposit", sum(s.path.stat().st_size for s in sources)) as progress:
            async with client.deposited(session, sources, progress) as records:
                act = MakePackage(new_id("pkg"), kind, basis, tuple(r.item for r in records), text)
                made = await session.act("/v1/packages", act)
        items = [{"item": r.item, "name": s.name} for r, s in zip(records, sources, strict=True)]
        return {**made, "items": items}

    with explained():
        kind = _product(rfa, rationale, product)
        sources = _sources(folder, facts, suite)
    if dry_run:
        rows = [
            {"name": s.name, "bytes": str(s.path.stat().st_size), "type": s.media_type,
             "facts": ", ".join(f"{k}={v}" for k, v in s.facts.items())}
            for s in sources
        ]  # fmt: skip
        show_table(rows, "Would deposit", rows, as_json=json)
        return
    made = run(with_session(as_, work))
    count = len(made["items"])
    show(
        made,
        f"deposited {count} items as package {made['package']}\n"
        f"next: gateway share propose {made['package']} AUTHORITY",
        as_json=json,
    )


def package(
    items: Annotated[list[str], typer.Argument(help="Ids of deposited items.")],
    as_: Path = As,
    rfa: Rfa = "",
    rationale: Rationale = "",
    case: Case = "",
    purpose: Purpose = "",
    product: ProductOption = "evidence",
    text: Note = "",
    json: bool = Json,
) -> None:
    """Make another package of items that were deposited before."""
    from gateway.client.session import Session
    from gateway.exchange.acts import MakePackage
    from gateway.kernel.ids import new_id

    async def work(session: Session) -> dict[str, Any]:
        basis = await _basis(session, rfa, rationale, case, purpose)
        act = MakePackage(new_id("pkg"), kind, basis, tuple(items), text)
        return await session.act("/v1/packages", act)

    with explained():
        kind = _product(rfa, rationale, product)
    made = run(with_session(as_, work))
    text = f"made package {made['package']} of {len(items)} items"
    show(made, f"{text}\nnext: gateway share propose {made['package']} AUTHORITY", as_json=json)


def _product(rfa: str, rationale: str, product: str) -> Any:
    from gateway.exchange.acts import Product
    from gateway.kernel.errors import MalformedError

    if product not in set(Product):
        raise MalformedError(f"product is one of {', '.join(Product)}")
    if bool(rfa) == bool(rationale):
        raise MalformedError("say --rfa for an answer, or --rationale for sharing unasked")
    return Product(product)


async def _basis(session: Any, rfa: str, rationale: str, case: str, purpose: str) -> Any:
    """Return the basis; what an RFA was registered for need not be said again."""
    from gateway.exchange.acts import Basis
    from gateway.exchange.parse import build

    if rfa:
        shown = (await session.get(f"/v1/rfas/{rfa}")).json()
        case, purpose = case or str(shown["reference"]), purpose or str(shown["purpose"])
    said = {"purpose": purpose or "criminal", "case": case or "none"}
    mode = "requested" if rfa else "proactive"
    return build({**said, "mode": mode, "rfa": rfa or None, "rationale": rationale or None}, Basis)


def _sources(folder: Path, facts: Path | None, suite: str) -> list[Any]:
    """List the files to deposit, with the facts that the facts file gives them by pattern."""
    from gateway.client.push import Source
    from gateway.exchange.acts import check_name
    from gateway.kernel.errors import MalformedError

    if suite not in ("pq", "classic"):
        raise MalformedError("suite is pq or classic")
    if not folder.exists():
        raise MalformedError(f"there is no {folder.name} to deposit")
    rules = _read_facts(facts)
    single = folder.is_file()
    paths = [folder] if single else sorted(p for p in folder.rglob("*") if p.is_file())
    if not paths:
        raise MalformedError(f"{folder.name} holds no files")
    found = []
    for n, path in enumerate(paths, 1):
        name = path.name if single else path.relative_to(folder).as_posix()
        try:
            check_name(name)
        except ValueError as error:
            raise MalformedError(f"{name!r} cannot be an item's name: {error}") from None
        said: dict[str, Any] = {}
        for pattern, more in rules:
            if fnmatch(name, pattern):
                said |= more
        number = str(said.pop("evidence_number", f"E-{n:04d}"))
        handling = str(said.pop("handling", _DEFAULT_HANDLING))
        media = mimetypes.guess_type(name)[0] or "application/octet-stream"
        # `suite` is one of the two words: checked at the top.
        found.append(Source(path, name, media, number, said, handling, suite))  # type: ignore[arg-type]
    return found


def _read_facts(path: Path | None) -> list[tuple[str, dict[str, Any]]]:
    from gateway.kernel.errors import MalformedError
    from gateway.policy import read

    if path is None:
        return []
    try:
        value = read(path.name, path.read_bytes()).json()
    except OSError:
        raise MalformedError(f"facts file {path.name} cannot be read") from None
    if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
        raise MalformedError(f"{path.name} maps patterns such as '*' to facts")
    return [(pattern, dict(more)) for pattern, more in value.items() if isinstance(more, dict)]


@share.command("propose")
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


@share.command("release")
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

    _show_each(
        run(with_session(as_, work)),
        lambda made: f"share {made['share']} is {made['state']}",
        as_json=json,
    )


@share.command("approve")
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
        act = Approve(
            new_id("clr"), share_id, str(shown["recipient"]), Role(role), str(shown["basis"]), items
        )
        return await session.act(f"/v1/shares/{share_id}/approvals", act)

    made = run(with_session(as_, work))
    show(made, _said(made), as_json=json)


@share.command("consult")
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
        recipient, basis = str(shown["recipient"]), str(shown["basis"])
        act = Consult(new_id("clr"), share_id, recipient, whom, digest, basis, items)
        return await session.act(f"/v1/shares/{share_id}/approvals", act)

    made = run(with_session(as_, work))
    show(made, _said(made), as_json=json)


@share.command("suspended")
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
            "why": ", ".join(row["why"].get("rules") or [row["why"]["cause"]]),
        }
        for row in rows
    ]
    show_table(rows, "Suspended", text, as_json=json)


@share.command("show")
def show_share(
    share_id: Annotated[str, typer.Argument(help="Share id.")], as_: Path = As, json: bool = Json
) -> None:
    """Show a share: state, decision, life, receipts."""

    async def work(session: Any) -> dict[str, Any]:
        return dict((await session.get(f"/v1/shares/{share_id}")).json())

    made = run(with_session(as_, work))
    life = "\n".join(f"  {e['at']}  {e['state']}" for e in made["life"])
    show(made, f"{_said(made)}\nlife:\n{life}", as_json=json)


@share.command("list")
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
