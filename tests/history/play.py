"""Years of the mechanism's work at its real size, played through the workflows with real signatures.

How many RFAs, investigations, jurisdictions and shares there are to be is stated; what happens to each of
them is drawn. The counts are kept on the way, to be compared with what the ledger says afterwards.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.exchange.parties import Role
from gateway.exchange.receipts import Rung
from gateway.exchange.rfa_messages import About
from gateway.kernel.encoding import Json
from gateway.kernel.errors import ConflictError, GatewayError
from gateway.store import shares as kept
from gateway.workflows import upkeep
from tests.stateful import steps
from tests.stateful.driver import Answer, Driver
from tests.world import PLAIN, World, build_world

STATES = tuple(f"x{letter}" for letter in "abcdefghijklmnopq")
AUTHORITIES = (*STATES, "xa2", "xb2", "xc2")
RETAINED = ("xd", "xg")
"""States that retain the death penalty: nothing goes there without an assurance."""

YEARS = 5
KINDS: tuple[tuple[int, dict[str, Json]], ...] = (
    (84, {}),
    (6, {"item.sgbv": True}),
    (6, {"item.consent.status": "consult_first"}),
    (2, {"item.consent.status": "refused"}),
    (2, {"item.consent.scope": "named", "item.consent.recipients": ["XA", "XB"]}),
)
"""How often items of which facts are deposited, in percent."""


@dataclass(frozen=True)
class Size:
    """What there is to be in the end."""

    rfas: int
    investigations: int
    shares: int
    items: int


@dataclass
class History:
    """A history as it is played."""

    driver: Driver
    size: Size
    draw: random.Random
    pause: timedelta
    done: Counter[str] = field(default_factory=Counter)
    items: list[str] = field(default_factory=list)
    cases: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    live: list[tuple[str, str]] = field(default_factory=list)
    month: tuple[int, int] = (0, 0)

    # --- the years ------------------------------------------------------------------------------
    def play(self) -> None:
        """Play it all, from the first RFA to the last share."""
        for _ in range(30):
            self._deposit()
        for n in range(self.size.rfas):
            self._pass()
            if len(self.items) < self.size.items:
                self._deposit()
            self._rfa(n, AUTHORITIES[n % len(AUTHORITIES)])
            self._afterwards()
        while self.done["shares"] < self.size.shares:
            self._pass()
            self._proactive()
            self._afterwards()

    def _pass(self) -> None:
        """Let time pass; each month what has dates is looked at, each year assurances are renewed."""
        self.driver.now += self.pause
        month = (self.driver.now.year, self.driver.now.month)
        if month != self.month:
            self.month = month
            upkeep.every_minute(self.driver.gateway)
            self.driver.publish()
            if month[1] % 6 == 1 or self.done["assurances"] == 0:
                for state in RETAINED:  # for less than the half-year: it lapses, and is renewed
                    self._assure(state)

    def _assure(self, state: str) -> None:
        fact, letters = "recipient.assurances", ["death_penalty"]
        steps.attest(self.driver, "legal", fact, [*letters], state.upper(), days=150)
        self.done["assurances"] += 1

    def _deposit(self) -> None:
        weights, kinds = zip(*KINDS, strict=True)
        (said,) = self.draw.choices(kinds, weights)
        data = self.draw.randbytes(self.draw.choice((300, 2000, 9000)))
        name = f"{len(self.items):05}.pdf"
        made = steps.deposit_item(self.driver, "sharer", data, {**PLAIN, **said}, name)
        self.items.append(str(made["item"]))

    # --- RFAs -----------------------------------------------------------------------------------
    def _rfa(self, n: int, who: str) -> None:
        own = self.cases.setdefault(who, [])
        new = n < self.size.investigations
        parent = None if new or n % 2 else self.draw.choice(own)
        case = f"{who}-{n:04}" if new else (parent or self.draw.choice(own))[0]
        name = self._received(n, who, case, parent[1] if parent else None)
        own.append((case, name))
        self.done["rfas"] += 1
        self._worked_on(name, who, case)

    def _received(self, n: int, who: str, case: str, parent: str | None) -> str:
        asked = steps.wanted(case, parent=parent)
        self.done["supplementary"] += parent is not None
        if n % 17 == 5:  # on paper: one officer enters it, another confirms
            party, scan = self.driver.party(who), self.items[0]
            name = steps.record(self.driver, "officer", party, asked, scan, f"{n:04}")
            steps.confirm(self.driver, "officer2", name)
            self.done["paper"] += 1
            return name
        name = steps.submit(self.driver, who, asked)
        steps.register(self.driver, "officer", name, f"{n:04}")
        return name

    def _worked_on(self, name: str, who: str, case: str) -> None:
        fate = self.draw.random()
        if fate < 0.04:
            steps.assess(self.driver, "officer", name, met=False)
            steps.decline(self.driver, "officer", name)
            self.done["declined"] += 1
            return
        steps.assess(self.driver, "officer", name, days=self.draw.choice((90, 365, 3650)))
        if fate < 0.2:
            steps.ask(self.driver, "officer", name)
            self.driver.message(who, name, About.INFORMATION)
        if fate < 0.07:
            self.driver.message(who, name, About.WITHDRAWAL)
            self.done["withdrawn"] += 1
            return
        self._answered(name, who, case, fate)

    def _answered(self, name: str, who: str, case: str, fate: float) -> None:
        shared = []
        if fate > 0.12:
            for _ in range(self.draw.choice((2, 3, 4))):
                package = self._package(rfa=name, case=case)
                share = self._share(package, who)
                if share is not None:
                    shared.append(share)
        if shared:
            steps.answer(self.driver, "officer", name, "packages", shared)
        else:
            steps.answer(self.driver, "officer", name, "no_material")
        if fate > 0.4:
            steps.close(self.driver, "officer", name)

    # --- shares ---------------------------------------------------------------------------------
    def _package(self, *, rfa: str | None = None, case: str) -> str:
        number = self.draw.choice((1, 1, 1, 2))
        items = self.draw.sample(self.items[-200:], number)
        self.done["packages"] += 1
        return steps.package(self.driver, "sharer", items, rfa_id=rfa, case=case)

    def _proactive(self) -> None:
        package = self._package(case="structures of command")
        for who in self.draw.sample(AUTHORITIES, 6):
            if self.done["shares"] < self.size.shares:
                self._share(package, who)

    def _share(self, package: str, who: str) -> str | None:
        """Propose, clear what is held, release what is permitted, let the authority pull it."""
        if self.done["shares"] >= self.size.shares:
            return None
        said = steps.offer(self.driver, "sharer", package, self.driver.party(who))
        share = str(said["share"])
        self.done["proposed"] += 1
        if said["state"] == "held" and self.draw.random() < 0.9:
            said = self._cleared(share, said)
        if said["state"] == "denied":
            self.done["denied"] += 1
        if said["state"] != "proposed":
            return None
        steps.release_share(self.driver, "releaser", share)
        self.done["shares"] += 1
        self.live.append((share, who))
        self._pulled(share, who)
        return share

    def _cleared(self, share: str, said: Answer) -> Answer:
        self.done["held"] += 1
        able = {
            "approval:legal_adviser": ("legal", Role.LEGAL_ADVISER),
            "approval:victims_unit": ("victims", Role.VICTIMS_UNIT),
            "approval:head_of_mechanism": ("head", Role.HEAD_OF_MECHANISM),
        }
        while said["state"] == "held":
            wanted = min(said["missing"])
            if wanted in able:
                said = steps.approve(self.driver, able[wanted][0], share, able[wanted][1])
            else:
                said = steps.consult(self.driver, "liaison", share)
        return said

    def _pulled(self, share: str, who: str) -> None:
        if self.draw.random() < 0.03:
            return  # not yet
        gateway = self.driver.gateway
        with gateway.engine.connect() as conn:
            package = kept.package(conn, kept.get(conn, share).package)
            manifest = kept.manifest(conn, share).digest
        for n in range(len(package.items)):
            self.driver.pull_range(who, share, n, 0)
        last = self.draw.choice((Rung.ACCEPTED,) * 8 + (Rung.OPENED, Rung.REJECTED))
        for by, rung in ((who, Rung.PULLED), (who, Rung.VERIFIED), (f"{who}-officer", last)):
            self.driver.receipt(by, share, manifest, rung)
            self.done["receipts"] += 1

    # --- what goes otherwise ----------------------------------------------------------------------
    def _afterwards(self) -> None:
        """Now and then a share is recalled, a source thinks again, somebody tries what she may not."""
        if not self.live:
            return
        if self.draw.random() < 0.05:
            share, _ = self.live.pop(self.draw.randrange(len(self.live)))
            steps.recall(self.driver, "releaser", share)
            self.done["recalled"] += 1
        if self.draw.random() < 0.04:
            self._consent_changes()
        if self.draw.random() < 0.1:
            self._refused()

    def _consent_changes(self) -> None:
        item = self.draw.choice(self.items)
        status = self.draw.choice(("refused", "refused", "granted"))
        said: dict[str, Json] = {**PLAIN, "item.consent.status": status}
        try:
            steps.amend(self.driver, "liaison", item, said)
            self.done["amended"] += 1
        except ConflictError:
            self.done["refused"] += 1

    def _refused(self) -> None:
        share, who = self.draw.choice(self.live)
        other = next(a for a in AUTHORITIES if a != who)
        attempts = (
            lambda: steps.recall(self.driver, "sharer", share),
            lambda: self.driver.receipt(other, share, "00" * 32, Rung.PULLED),
            lambda: steps.release_share(self.driver, "legal", share),
        )
        try:
            self.draw.choice(attempts)()
        except GatewayError:
            self.done["refused"] += 1


def world_of_the_past(folder: Path) -> World:
    """Build the world as it was when it all began: twenty authorities of seventeen states."""
    begins = datetime.now(UTC) - timedelta(days=365 * YEARS)
    world = build_world(folder, AUTHORITIES, begins=begins, days=365 * (YEARS + 5))
    world.add_staff("officer2", Role.RFA_OFFICER)
    world.add_staff("head", Role.HEAD_OF_MECHANISM)
    world.sign(365 * (YEARS + 5))
    return world


def begin(driver: Driver, size: Size, seed: int) -> History:
    """Begin a history that will have taken a little less than all the years."""
    turns = size.rfas + 250  # and so many turns of sharing unasked, at most
    pause = timedelta(days=365 * YEARS - 30) / turns
    return History(driver, size, random.Random(seed), pause)
