"""The sharing team's commands that make items and packages: push, package."""

import mimetypes
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from gateway.cli.output import (
    As,
    Json,
    bar,
    explained,
    run,
    show,
    show_table,
    with_session,
)

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
    found_in = (p for p in folder.rglob("*") if p.is_file())
    # The record of a derivation is for its attestation; it is no evidence, and names the original's digest.
    whole = sorted(p for p in found_in if not p.name.endswith(".derivation.json"))
    paths = [folder] if single else whole
    if any(p.name.startswith(".") and p.name.endswith(".unfinished") for p in paths):
        raise MalformedError(
            f"{folder.name} holds a derivative that was interrupted, and is not checked: run redact or "
            "mark again, or delete the file that ends in .unfinished"
        )
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
