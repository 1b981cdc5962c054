"""Checking the ledger from outside: with the log's public key, and no trust in the gateway."""

from typing import Any

from gateway.client.session import Session
from gateway.client.trust import refresh_checkpoint
from gateway.kernel.encoding import b64url, un_b64url
from gateway.kernel.errors import ForbiddenError, MalformedError, VerificationError
from gateway.ledger import (
    Edge,
    Openings,
    check_openings,
    decode_openings,
    leaf_hash,
    parse_proof,
    verify_proof,
)

COLUMNS = ("index", "kind", "time", "subject", "outcome", "id")


async def _pages(session: Session, start: int, end: int | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    at = start
    while end is None or at < end:
        page = (await session.get(f"/v1/ledger/entries?start={at}")).json().get("entries")
        if not isinstance(page, list):
            raise MalformedError("not a page of entries")
        rows: list[Any] = page
        found += rows
        at += len(rows)
        if not rows:
            break
    return found


def _opened(row: dict[str, Any]) -> Openings | None:
    sealed = row.get("openings")
    return decode_openings(un_b64url(sealed)) if isinstance(sealed, str) else None


async def entries(session: Session, start: int) -> list[dict[str, Any]]:
    """Return entries from *start* on; what can be opened is checked against its leaf."""
    rows = []
    for row in await _pages(session, start, None):
        said: dict[str, Any] = dict.fromkeys(COLUMNS, "")
        openings = _opened(row)
        if openings is not None:
            check_openings(un_b64url(row["leaf"]), openings)
            said |= {slot.label: opening.value for slot, opening in openings.items()}
        rows.append({**said, "index": row["index"], "id": row["id"], "leaf": row["leaf"]})
    return rows


async def verify(session: Session) -> dict[str, Any]:
    """Rebuild the tree from every leaf and compare it with the signed checkpoint.

    Raises VerificationError naming what does not hold.
    """
    checkpoint = await refresh_checkpoint(session)
    edge, opened = Edge(), 0
    for row in (await _pages(session, 0, checkpoint.size))[: checkpoint.size]:
        leaf = un_b64url(row["leaf"])
        if row["index"] != edge.size:
            raise VerificationError(f"entry {edge.size} is missing")
        edge.append(leaf_hash(leaf))
        openings = _opened(row)
        if openings is not None:
            check_openings(leaf, openings)
            opened += 1
    if (edge.size, edge.root()) != (checkpoint.size, checkpoint.root):
        raise VerificationError("the entries are not the ones that the checkpoint commits to")
    return {"size": edge.size, "root": b64url(edge.root()), "openings": opened}


async def prove(session: Session, index: int) -> dict[str, Any]:
    """Fetch and check the proof of entry *index*."""
    page = await _pages(session, index, index + 1)
    text = (await session.get(f"/v1/ledger/proof?index={index}")).body.decode()
    proof = parse_proof(text)
    checkpoint = verify_proof(un_b64url(page[0]["leaf"]), proof, session.folder.log)
    if proof.index != index:
        raise VerificationError("the proof is of another entry")
    return {"index": index, "size": checkpoint.size, "proof": text, "leaf": page[0]["leaf"]}


async def figures(session: Session) -> dict[str, Any]:
    """Count RFAs, distinct investigations and jurisdictions from the ledger's entries alone.

    The whole ledger is checked first; what was declared is counted apart from what was signed here.
    Raises ForbiddenError for who cannot open every entry: what is not seen must not count as nothing.
    """
    held = await verify(session)
    if held["openings"] < held["size"]:
        raise ForbiddenError("figures are counted by compliance, who can open every entry")
    rfas: set[str] = set()
    investigations, jurisdictions = set[str](), set[str]()
    shares: set[str] = set()
    declared = {"rfa": 0, "share": 0, "holder": 0}
    for row in await entries(session, 0):
        kind, content = str(row["kind"]), row.get("content")
        if kind == "rfa.registered" and isinstance(content, dict):
            rfas.add(str(row["subject"]))
            investigations.add(str(content["investigation"]))
            jurisdictions.add(str(content["jurisdiction"]))
        elif kind == "share.released":
            shares.add(str(row["subject"]))
        elif kind.startswith("declared."):
            declared[kind.removeprefix("declared.")] += 1
    return {
        "size": held["size"],
        "root": held["root"],
        "rfas": len(rfas),
        "investigations": len(investigations),
        "jurisdictions": len(jurisdictions),
        "shares": len(shares),
        "declared": declared,
    }
