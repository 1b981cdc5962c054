"""Clearing a hold: one person counts once, and whatever way of counting is enough is enough."""

from dataclasses import replace

import pytest

from gateway.exchange.acts import Approve, ReleaseItem
from gateway.exchange.parse import build
from gateway.exchange.parties import Role
from gateway.kernel.ids import new_id
from tests.web.conftest import Scene
from tests.web.harness import Answer
from tests.world import package_of, propose, session, source


@pytest.fixture
async def held(scene: Scene) -> str:
    """A share that wants a legal adviser and the victims unit; `both` is a person with either role."""
    scene.world.add_staff("both", Role.LEGAL_ADVISER, Role.VICTIMS_UNIT)
    scene.world.sign()
    assert scene.live.reload() == []
    (scene.world.root / "held.txt").write_bytes(b"what happened to her")
    async with session(scene.world, "sharer") as sharer:
        guarded = source(scene.world.root / "held.txt", sgbv=True)
        package, _ = await package_of(sharer, [guarded])
        share = await propose(sharer, package, "xa")
    assert share["missing"] == {"approval:legal_adviser": 1, "approval:victims_unit": 1}
    return str(share["share"])


async def approve(scene: Scene, share: str, who: str, role: Role) -> Answer:
    person = scene.be(who)
    shown = (await person.get(f"/v1/shares/{share}")).json()
    items = build(shown["items"], tuple[ReleaseItem, ...])
    basis = shown["bases"].get(f"approval:{role.value}", "0" * 64)
    act = Approve(new_id("clr"), share, shown["recipient"], role, basis, items)
    return await person.act(f"/v1/shares/{share}/approvals", act)


async def test_one_person_with_both_roles_is_freed_for_the_one_that_nobody_else_has(
    scene: Scene, held: str
) -> None:
    first = await approve(scene, held, "both", Role.LEGAL_ADVISER)
    assert first.json()["missing"] == {"approval:victims_unit": 1}
    second = await approve(scene, held, "both", Role.VICTIMS_UNIT)
    assert second.json()["missing"] == {"approval:victims_unit": 1}, "she counts once"
    third = await approve(scene, held, "legal", Role.LEGAL_ADVISER)
    assert (third.status, third.json()["state"]) == (201, "proposed")


async def test_what_neither_is_lacking_nor_frees_anyone_is_refused(scene: Scene, held: str) -> None:
    assert (await approve(scene, held, "both", Role.LEGAL_ADVISER)).status == 201
    again = (await approve(scene, held, "both", Role.LEGAL_ADVISER)).problem(409)
    assert "given this clearance already" in again["detail"]
    said = (await approve(scene, held, "legal", Role.LEGAL_ADVISER)).problem(409)
    assert said["detail"].endswith("lacks approval:victims_unit")
    assert (await approve(scene, held, "victims", Role.VICTIMS_UNIT)).json()["state"] == "proposed"


async def test_status_and_queue_survive_a_recipient_that_left_and_a_policy_that_is_gone(
    scene: Scene, held: str
) -> None:
    sets = scene.live.gateway.sets
    left = tuple(party for party in sets.directory.parties if party.short != "xa-prosecutor")
    scene.live.gateway.sets = replace(sets, directory=replace(sets.directory, parties=left))
    status = (await scene.be("legal").get("/v1/status")).json()
    waiting = {row["share"]: row["waits_for"] for row in status["shares"]}
    assert "no such party" in waiting[held]
    assert (await scene.be("legal").get("/v1/approvals")).json()["held"] == []
    scene.live.gateway.sets = replace(sets, policy=None)
    status = (await scene.be("legal").get("/v1/status")).json()
    waiting = {row["share"]: row["waits_for"] for row in status["shares"]}
    assert waiting[held].startswith("no policy set is in force")
