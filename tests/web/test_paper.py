"""RFAs from paper are told to their authority once two persons vouch for them, and not before."""

from dataclasses import dataclass

import pytest

from gateway.client import push
from gateway.client.rfas import seal_for
from gateway.exchange.acts import (
    CloseRfa,
    ConfirmRfa,
    ExtendRfa,
    RecordRfa,
    StrikeRfa,
    Wanted,
)
from gateway.exchange.messages import About, Message
from gateway.exchange.parse import build
from gateway.exchange.parties import Role
from gateway.exchange.rfa_acts import Crime, RfaAct
from gateway.exchange.rfa_messages import About as Said
from gateway.exchange.rfa_messages import RfaMessage, sign_rfa_message
from gateway.exchange.share_acts import Product
from gateway.kernel.ids import new_id
from gateway.kernel.signing import unverified_payload
from gateway.kernel.time import spell
from tests.web.conftest import Scene
from tests.web.harness import JSON, Answer
from tests.world import session, source

WANTED = Wanted("12 Js 34/26", "criminal", (Crime.WAR_CRIMES,), (Product.EVIDENCE,), "excluded")


@dataclass(frozen=True)
class Paper:
    """An RFA that one officer has entered from paper in the name of `xa`."""

    scene: Scene
    rfa: str
    record: str

    async def step(self, who: str, act: RfaAct) -> Answer:
        return await self.scene.be(who).act(f"/v1/rfas/{self.rfa}/steps", act)

    async def confirm(self, who: str) -> Answer:
        return await self.step(who, ConfirmRfa(new_id("stp"), self.rfa, self.record))

    async def listed(self) -> list[str]:
        """Return the RFAs that `xa` sees."""
        found = (await self.scene.be("xa-officer").get("/v1/rfas")).json()["rfas"]
        return [str(row["rfa"]) for row in found]

    async def told(self) -> list[About]:
        """Return what the inbox of `xa` says of RFAs."""
        texts = (await self.scene.be("xa").get("/v1/inbox")).json()["messages"]
        every = [build(unverified_payload(text.encode()), Message) for text in texts]
        return [message.about for message in every if message.rfa == self.rfa]

    async def informed(self, about: Said) -> Answer:
        """Send a message about it, as `xa` would if it knew the id."""
        folder = self.scene.be("xa-officer").folder
        mechanism = self.scene.live.gateway.sets.directory.mechanism()
        message = RfaMessage(
            v=1,
            id=new_id("msg"),
            sender=folder.profile.party,
            by=folder.profile.actor,
            to=mechanism.id,
            at=spell(self.scene.live.now()),
            about=about,
            rfa=self.rfa,
            content=seal_for(mechanism, b"more", self.scene.live.now()),
        )
        body = sign_rfa_message(message, folder.message_signer())
        target = f"/v1/rfas/{self.rfa}/messages"
        return await self.scene.be("xa-officer").call("POST", target, body, JSON)


@pytest.fixture
async def paper(scene: Scene) -> Paper:
    world = scene.world
    world.add_staff("second", Role.RFA_OFFICER)
    world.sign()
    assert scene.live.reload() == []
    (world.root / "scan.pdf").write_bytes(b"a letter")
    async with session(world, "sharer") as sharer:
        scan = await push.deposit(sharer, source(world.root / "scan.pdf"), lambda _: None)
    name, officer, xa = new_id("rfa"), scene.be("officer"), world.party("xa")
    act = RecordRfa(new_id("stp"), name, xa, WANTED, scan.item, "2026-11-02", "P-1", "2027-01-31")
    assert (await officer.act("/v1/rfas/paper", act)).status == 201
    shown = (await officer.get(f"/v1/rfas/{name}")).json()
    return Paper(scene, name, str(shown["request"]))


async def test_until_a_second_person_confirms_it_the_authority_sees_nothing(paper: Paper) -> None:
    scene, rfa = paper.scene, paper.rfa
    assert await paper.listed() == []
    (await scene.be("xa-officer").get(f"/v1/rfas/{rfa}")).problem(404)
    for about in (Said.INFORMATION, Said.WITHDRAWAL):
        said = (await paper.informed(about)).problem(404)
        assert said["detail"] == "no such RFA", "as of one that was never there"
    assert (await paper.confirm("officer")).problem(403)["detail"].endswith("another must")
    assert await paper.listed() == []
    assert (await paper.confirm("second")).json()["state"] == "registered"
    assert await paper.listed() == [rfa]
    assert await paper.told() == [About.RFA_REGISTERED]
    assert (await paper.informed(Said.INFORMATION)).status == 201


async def test_what_was_struck_is_never_told_not_even_when_it_is_closed(paper: Paper) -> None:
    strike = StrikeRfa(new_id("stp"), paper.rfa, "it is another authority's")
    assert (await paper.step("officer", strike)).json()["state"] == "withdrawn"
    assert (await paper.confirm("second")).problem(409)
    assert (await paper.step("officer", CloseRfa(new_id("stp"), paper.rfa))).status == 201
    assert await paper.listed() == []
    assert await paper.told() == []
    shown = (await paper.scene.be("auditor").get(f"/v1/rfas/{paper.rfa}")).json()
    assert [event["step"] for event in shown["life"]] == ["record", "strike", "close"]


async def test_what_nobody_confirmed_is_not_worked_on(paper: Paper) -> None:
    extend = ExtendRfa(new_id("stp"), paper.rfa, "2027-02-28", "more time")
    said = (await paper.step("officer", extend)).problem(409)
    assert said["detail"] == "cannot extend an RFA that is recorded; possible: confirm, strike"


async def test_once_it_counts_its_end_is_told(paper: Paper) -> None:
    await paper.confirm("second")
    assert (await paper.informed(Said.WITHDRAWAL)).json()["state"] == "withdrawn"
    assert (await paper.step("officer", CloseRfa(new_id("stp"), paper.rfa))).status == 201
    assert (await paper.told())[-1] is About.RFA_CLOSED
