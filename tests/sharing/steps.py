"""What tests of clearances, facts and suspension do again and again."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from gateway.client import derive as derivation
from gateway.client import push
from gateway.client.session import Session
from gateway.exchange.acts import (
    Amend,
    Approve,
    Attest,
    Basis,
    Consult,
    DerivationCheck,
    Derive,
    EndAttestation,
    Evidence,
    MakePackage,
    Product,
    Relation,
    ReleaseItem,
    relation_to,
)
from gateway.exchange.parse import build
from gateway.exchange.parties import Role
from gateway.kernel.encoding import Json, hex_sha256
from gateway.kernel.errors import ConflictError
from gateway.kernel.ids import new_id
from tests.world import World, in_days, package_of, propose, release, session, source

EVIDENCE = Evidence("document", "5" * 64, "a letter")


@dataclass(frozen=True)
class Proposed:
    """A proposal by `sharer`."""

    share: str
    item: str
    package: str
    answer: dict[str, Any]


async def proposed(world: World, authority: str = "xa", **facts: Json) -> Proposed:
    """Deposit a note with these facts, make a package of it and propose that, as `sharer`."""
    path = Path(world.root / f"note-{new_id('itm')[4:12]}.txt")
    path.write_text("a note that somebody wrote")
    async with session(world, "sharer") as sharer:
        package, (record,) = await package_of(sharer, [source(path, None, "pq", **facts)])
        answer = await propose(sharer, package, authority)
    return Proposed(str(answer["share"]), record.item, package, answer)


async def shown(person: Session, share: str) -> dict[str, Any]:
    return dict((await person.get(f"/v1/shares/{share}")).json())


async def approval(person: Session, share: str, role: Role, **over: Any) -> Approve:
    """Make the approval of a share as it stands now; *over* forges members of it."""
    at = await shown(person, share)
    said = {
        "id": new_id("clr"),
        "share": share,
        "recipient": at["recipient"],
        "role": role,
        "basis": at["bases"].get(f"approval:{role.value}", "0" * 64),
        "items": build(at["items"], tuple[ReleaseItem, ...]),
    }
    return Approve(**{**said, **over})


async def approve(world: World, who: str, share: str, role: Role, **over: Any) -> dict[str, Any]:
    """Approve a share as a person of staff."""
    async with session(world, who) as person:
        act = await approval(person, share, role, **over)
        return dict(await person.act(f"/v1/shares/{share}/approvals", act))


async def consult(world: World, who: str, share: str, whom: str, **over: Any) -> dict[str, Any]:
    """Record that somebody was consulted and agreed."""
    async with session(world, who) as person:
        at = await shown(person, share)
        said = {
            "id": new_id("clr"),
            "share": share,
            "recipient": at["recipient"],
            "whom": whom,
            "evidence": "6" * 64,
            "basis": at["bases"].get(f"consultation:{whom}", "0" * 64),
            "items": build(at["items"], tuple[ReleaseItem, ...]),
        }
        act = Consult(**{**said, **over})
        return dict(await person.act(f"/v1/shares/{share}/approvals", act))


async def amend(world: World, item: str, who: str = "liaison", **facts: Json) -> dict[str, Any]:
    """Amend facts of an item; None takes one away, `__` stands for a dot."""
    async with session(world, who) as person:
        at = (await person.get(f"/v1/items/{item}")).json()
        before: Any = at["facts"]
        changed = {f"item.{k.replace('__', '.')}": v for k, v in facts.items()}
        after = {k: v for k, v in {**before, **changed}.items() if v is not None}
        act = Amend(new_id("amd"), item, str(at["digest"]), after, EVIDENCE)
        return dict(await person.act(f"/v1/items/{item}/amendments", act))


async def attest(
    world: World,
    fact: str,
    value: Any,
    jurisdiction: str = "XA",
    *,
    days: tuple[int, int] = (0, 100),
    evidence: Evidence = EVIDENCE,
    authority: str | None = None,
    case: str | None = None,
) -> str:
    """Attest a fact as the legal adviser; return the attestation's id."""
    act = Attest(
        new_id("att"), fact, value, jurisdiction, evidence,
        in_days(days[0]), in_days(days[1]), authority, case,
    )  # fmt: skip
    async with session(world, "legal") as legal:
        return str((await legal.act("/v1/attestations", act))["attestation"])


async def end(world: World, attestation: str) -> None:
    async with session(world, "legal") as legal:
        act = EndAttestation(attestation, "the letter was withdrawn")
        await legal.act(f"/v1/attestations/{attestation}/end", act)


async def released(world: World, authority: str = "xa", **facts: Json) -> Proposed:
    """Deposit, propose and release a note."""
    made = await proposed(world, authority, **facts)
    assert made.answer["outcome"] == "permit", made.answer["explanation"]
    async with session(world, "releaser") as releaser:
        await release(releaser, made.share)
    return made


async def outcome(world: World, share: str) -> tuple[str, str]:
    """Return a share's state and what would be decided now."""
    async with session(world, "sharer") as sharer:
        at = await shown(sharer, share)
    return at["state"], at["outcome"]


async def queue(person: Session) -> dict[str, list[str]]:
    """Return what a person could clear, by share."""
    found: Any = (await person.get("/v1/approvals")).json()["held"]
    return {row["share"]: row["yours"] for row in found}


async def suspended(world: World) -> dict[str, dict[str, Any]]:
    """Return why each suspended share is."""
    async with session(world, "sharer") as sharer:
        found: Any = (await sharer.get("/v1/suspensions")).json()["suspended"]
    return {row["share"]: row["why"] for row in found}


async def pull_status(world: World, share: str, authority: str = "xa") -> Literal["served", "no"]:
    """Tell whether the first byte of a share is served."""
    async with session(world, authority) as endpoint:
        try:
            await endpoint.request("GET", f"/v1/shares/{share}/items/0")
        except ConflictError:
            return "no"
    return "served"


@dataclass(frozen=True)
class File:
    """A deposited file; *act* attests what it was made from, if from anything."""

    item: str
    sha256: str
    act: Derive | None = None


async def deposited(
    world: World, data: bytes, relation: Relation | None = None, **facts: Json
) -> File:
    """Deposit some bytes with these facts as `sharer`."""
    path = Path(world.root / f"file-{new_id('itm')[4:12]}.txt")
    path.write_bytes(data)
    about = replace(source(path, None, "pq", **facts), relation=relation or Relation())
    async with session(world, "sharer") as sharer:
        record = await push.deposit(sharer, about, lambda _: None)
    return File(record.item, hex_sha256(data))


async def made_from(
    world: World,
    original: File,
    removed: tuple[str, ...] = (),
    *,
    to: str | None = None,
    mark: Literal["visible", "forensic"] = "visible",
    **facts: Json,
) -> File:
    """Deposit what was made from a file, marked for an authority if one is named; attest nothing yet."""
    data = f"without {removed}, for {to}, {new_id('drv')}".encode()
    made = await deposited(world, data, relation_to(original.item, removed), **facts)
    act = Derive(
        new_id("drv"), made.item, made.sha256, original.item, original.sha256, "by hand", removed,
        mark if to else "none", world.party(to) if to else None,
        (DerivationCheck("values absent", True, "3 values, 0 found"),),
    )  # fmt: skip
    return replace(made, act=act)


async def derive(world: World, made: File, who: str = "sharer", **over: Any) -> dict[str, Any]:
    """Attest what a file was made from; *over* forges members of the act."""
    assert made.act is not None
    async with session(world, who) as person:
        return await derivation.attest(person, msgspec.structs.replace(made.act, **over))


async def derived(world: World, original: File, removed: tuple[str, ...] = (), **more: Any) -> File:
    """Make something of a file, deposit and attest it."""
    made = await made_from(world, original, removed, **more)
    await derive(world, made)
    return made


async def offered(world: World, *files: File, to: str = "xa") -> dict[str, Any]:
    """Propose deposited files as one package, as `sharer`."""
    basis = Basis("proactive", "criminal", "case-1", rationale="It shows a chain of command")
    items = tuple(file.item for file in files)
    act = MakePackage(new_id("pkg"), Product.EVIDENCE, basis, items, "A note")
    async with session(world, "sharer") as sharer:
        await sharer.act("/v1/packages", act)
        return await propose(sharer, act.id, to)
