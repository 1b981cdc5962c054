"""An RFA's whole life and what hangs on it, by the public clients; and what must hold of it afterwards."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy.exc import OperationalError

from gateway.client import audit, pull, push, rfas
from gateway.client.rfas import seal_for
from gateway.client.session import Session
from gateway.client.trust import refresh_directory
from gateway.exchange.acts import (
    Amend,
    AnswerRfa,
    AskRfa,
    AssessRfa,
    Attest,
    Basis,
    CloseRfa,
    EndAttestation,
    Evidence,
    MakePackage,
    Product,
    Propose,
    RegisterRfa,
    Release,
    ReleaseItem,
)
from gateway.exchange.parse import build
from gateway.exchange.rfa_acts import Check, CheckName
from gateway.kernel.encoding import Json
from gateway.kernel.errors import GatewayError
from gateway.kernel.ids import new_id
from gateway.store import suspensions
from tests.faults.scenario import _TRIES, publish
from tests.world import Running, World, in_days, running, session, source, wanted

T = TypeVar("T")
_EVIDENCE = Evidence("document", "5" * 64, "a letter")


@dataclass
class Request:
    """One run: what its people were told, and what they minted once."""

    world: World
    surfaced: list[str] = field(default_factory=list)
    rfa: str = ""
    share: str = field(default_factory=lambda: new_id("shr"))
    package: str = field(default_factory=lambda: new_id("pkg"))

    async def again(self, command: Callable[[], Awaitable[T]]) -> T:
        """Give a command, and give it again if it failed."""
        for attempt in range(_TRIES):
            try:
                return await command()
            except GatewayError as error:
                self.surfaced.append(f"{type(error).__name__}: {error}")
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError

    async def act(self, person: Session, target: str, act: object) -> dict[str, Any]:
        """Send an act, and the very same again if its answer was lost."""
        return await self.again(lambda: person.act(target, act))

    async def shown(self, person: Session, target: str) -> dict[str, Any]:
        return dict((await self.again(lambda: person.get(target))).json())

    async def admit(self) -> None:
        """Send an RFA, register it, admit it, ask back and reply."""
        async with session(self.world, "xa") as endpoint, session(self.world, "officer") as officer:
            sent = await self.again(lambda: rfas.send(endpoint, wanted(), b"Please help"))
            self.rfa = str(sent["rfa"])
            steps = f"/v1/rfas/{self.rfa}/steps"
            request = str((await self.shown(officer, f"/v1/rfas/{self.rfa}"))["request"])
            register = RegisterRfa(
                new_id("stp"), self.rfa, request, "M-1", "case-1", "criminal", in_days(60)
            )
            await self.act(officer, steps, register)
            checks = tuple(Check(name, True, "a note") for name in CheckName)
            await self.act(
                officer, steps, AssessRfa(new_id("stp"), self.rfa, request, checks, in_days(99))
            )
            text = await self.sealed(officer, "Which bridge?")
            await self.act(officer, steps, AskRfa(new_id("stp"), self.rfa, text))
            await self.again(lambda: rfas.add(endpoint, self.rfa, b"The old one", None))

    async def sealed(self, officer: Session, text: str) -> str:
        directory = await self.again(lambda: refresh_directory(officer))
        return seal_for(directory.party("xa-prosecutor"), text.encode(), datetime.now(UTC))

    async def send(self) -> str:
        """Share for the RFA; let the share be suspended by an amendment and return; return the item."""
        async with session(self.world, "releaser") as staff:
            item = source(self.world.root / "order.txt")
            record = await self.again(lambda: push.deposit(staff, item, lambda _: None))
            basis = Basis("requested", "criminal", "case-1", rfa=self.rfa)
            package = MakePackage(self.package, Product.EVIDENCE, basis, (record.item,))
            await self.act(staff, "/v1/packages", package)
            party = self.world.party("xa")
            made = await self.act(staff, "/v1/shares", Propose(self.share, self.package, party))
            assert made["outcome"] == "permit", made["explanation"]
            order = Release(self.share, party, build(made["items"], tuple[ReleaseItem, ...]))
            await self.act(staff, f"/v1/shares/{self.share}/release", order)
        return record.item

    async def doubt(self, item: str) -> None:
        """Attest and end a fact, refuse and grant a consent: the share is suspended and returns twice."""
        async with session(self.world, "legal") as legal:
            fact = Attest(
                new_id("att"), "recipient.fair_trial", "ok", "XA", _EVIDENCE, in_days(-1),
                in_days(50),
            )  # fmt: skip
            await self.act(legal, "/v1/attestations", fact)
            end = EndAttestation(fact.id, "withdrawn")
            await self.act(legal, f"/v1/attestations/{fact.id}/end", end)
            again = Attest(
                new_id("att"), "recipient.fair_trial", "ok", "XA", _EVIDENCE, in_days(-1),
                in_days(50),
            )  # fmt: skip
            await self.act(legal, "/v1/attestations", again)
        async with session(self.world, "liaison") as liaison:
            for status in ("refused", "granted"):
                at = await self.shown(liaison, f"/v1/items/{item}")
                facts: dict[str, Json] = {**at["facts"], "item.consent.status": status}
                change = Amend(new_id("amd"), item, at["digest"], facts, _EVIDENCE)
                await self.act(liaison, f"/v1/items/{item}/amendments", change)

    async def end(self) -> None:
        """Answer, pull, close."""
        steps = f"/v1/rfas/{self.rfa}/steps"
        async with session(self.world, "xa") as endpoint, session(self.world, "officer") as officer:
            text = await self.sealed(officer, "Here it is")
            answer = AnswerRfa(new_id("stp"), self.rfa, "packages", (self.share,), text)
            await self.act(officer, steps, answer)
            out = self.world.root / "out"
            await self.again(lambda: pull.pull(endpoint, self.share, out, lambda _: None))
            await self.act(officer, steps, CloseRfa(new_id("stp"), self.rfa))
            told = await self.again(lambda: pull.inbox(endpoint, everything=True))
            assert [m.about.value for m in told] == TOLD


TOLD = [
    "rfa.received", "rfa.registered", "rfa.question", "rfa.received", "share.available",
    "rfa.answered", "rfa.closed",
]  # fmt: skip
ONCE = (
    "rfa.received", "rfa.registered", "rfa.assessed", "rfa.asked", "rfa.replied", "rfa.answered",
    "rfa.closed", "item.deposited", "package.made", "share.proposed", "share.released",
    "share.prepared", "share.available", "fact.ended",
)  # fmt: skip
TWICE = ("fact.attested", "item.amended", "share.suspended", "share.resumed", "receipt")


async def play(world: World, arm: Callable[[Running], None]) -> Request:
    """Play it with a fault armed, restart, and check everything."""
    told = Request(world)
    async with running(world) as live:
        arm(live)
        await told.admit()
        await told.doubt(await told.send())
        await told.end()
        try:
            publish(live)
        except OperationalError:  # the server tries again a second later
            publish(live)
    async with running(world) as live:
        await check(live, told)
    return told


async def check(live: Running, told: Request) -> None:
    """Everything happened just as often as it was ordered, and tables say what the ledger says."""
    async with session(told.world, "auditor") as auditor:
        held = await audit.verify(auditor)
        kept = await audit.entries(auditor, 0)
        figures = await audit.figures(auditor)
    assert held["openings"] == held["size"] == len(kept)
    kinds = Counter(row["kind"] for row in kept)
    assert {kind: kinds[kind] for kind in ONCE} == dict.fromkeys(ONCE, 1)
    assert {kind: kinds[kind] for kind in TWICE} == dict.fromkeys(TWICE, 2)
    assert kinds["refused"] == 0
    assert (figures["rfas"], figures["investigations"], figures["shares"]) == (1, 1, 1)
    with live.gateway.engine.connect() as conn:
        assert suspensions.current(conn) == {}
    async with session(told.world, "officer") as officer:
        shown = (await officer.get(f"/v1/rfas/{told.rfa}")).json()
    assert shown["state"] == "closed"
    life: Any = shown["life"]
    entries = {row["id"]: row["kind"] for row in kept}
    assert [step["step"] for step in life] == [
        "receive", "register", "admit", "ask", "reply", "answer", "close",
    ]  # fmt: skip
    assert all(entries[step["entry"]].startswith("rfa.") for step in life)
