"""What tests of clearances, facts and suspension do again and again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gateway.client.session import Session
from gateway.exchange.acts import (
    Amend,
    Approve,
    Attest,
    Consult,
    EndAttestation,
    Evidence,
    ReleaseItem,
)
from gateway.exchange.parse import build
from gateway.exchange.parties import Role
from gateway.kernel.encoding import Json
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
