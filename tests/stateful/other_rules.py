"""What nobody orders: time, restarts, crashes, changes of the sets; and looking around."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule
from sqlalchemy import select

from gateway.client import authors, ceremony
from gateway.exchange.acts import SignOffPolicy
from gateway.exchange.messages import Message
from gateway.exchange.parse import build
from gateway.exchange.parties import Use
from gateway.exchange.rfa_messages import About
from gateway.kernel.encoding import Json
from gateway.kernel.errors import (
    NotFoundError,
)
from gateway.kernel.ids import new_id
from gateway.kernel.signing import unverified_payload
from gateway.kernel.time import instant
from gateway.policy import load_files
from gateway.store import tables
from gateway.workflows import policy_replay, pull, request, review, suspend, upkeep
from tests.stateful import steps
from tests.stateful.desk import Desk, authority, which
from tests.stateful.model import (
    AUTHORITIES,
)
from tests.world import PLAIN


class Others(Desk):
    """Time and the server's fate, and authorities that ask for what is not theirs."""

    @rule(hours=st.sampled_from([1, 20, 24 * 3, 24 * 31, 24 * 100, 24 * 400]), swept=st.booleans())
    def time_passes(self, hours: int, swept: bool) -> None:
        self.driver.pass_time(hours=hours)
        if swept:
            self.minute()

    def minute(self) -> None:
        """Do what is done every minute; on another day than before, what is done every day."""
        upkeep.every_minute(self.driver.gateway)
        self._nothing_stale()

    @rule(what=st.sampled_from(["restart", "crash", "between", "policy", "directory"]), n=which)
    def upheaval(self, what: str, n: int) -> None:
        """What befalls a server, and the sets that it lives by."""
        match what:
            case "restart" | "crash":
                self._restart(crash=what == "crash")
            case "between":
                self._die_between_act_and_sweep(n)
            case "policy":
                self._policy_changes(("excluded", "sound", "broken")[n % 3])
            case _:
                changes = ("renew", "brief", "endpoint", "person")
                self._directory_changes(changes[n % 4], n)

    def _restart(self, *, crash: bool) -> None:
        if crash:
            self.driver.kill()
            self.driver.start()
        else:
            self.driver.restart()
        self._nothing_stale()

    def _die_between_act_and_sweep(self, n: int) -> None:
        """An amendment is durable, and its consequence is not recorded yet: the start must see to it."""
        item = self.pick(self.model.items, n)
        found: dict[str, Json] = {**PLAIN, "item.consent.status": "refused"}
        with self._crash(suspend, "sweep"):
            steps.amend(self.driver, "liaison", item.id, found)
        item.facts = found
        self._nothing_stale()

    def _policy_changes(self, change: str) -> None:
        """The folder of policies is edited, signed and reloaded; a broken one leaves the old in force.

        So does one that comes while the directory is out of date, and says nothing of its authors.
        """
        world, gateway = self.driver.world, self.driver.gateway
        path = world.policy / "jurisdictions" / "xb.yaml"
        sound = path.read_text()
        for word in ("excluded", "ok"):
            sound = sound.replace(f"fair_trial, value: {word}", "fair_trial, value: ok")
        excluded = sound.replace("fair_trial, value: ok", "fair_trial, value: excluded")
        old = path.read_text()
        path.write_text({"excluded": excluded, "sound": sound, "broken": sound + "x: 1\n"}[change])
        expired = gateway.sets.directory.expired(self.driver.now)
        if change == "broken" or (expired and path.read_text() != old):
            assert len(self.driver.reload()) == 1
            path.write_text(old)
        elif path.read_text() != old:
            self._sign_policy()
            assert self.driver.reload() == []
            self.model.excluded = change == "excluded"
        self._nothing_stale()

    def _sign_policy(self) -> None:
        """Two authors sign, and the head of the mechanism agrees to what turns to permit."""
        world = self.driver.world
        made = world.sign_policy(now=self.driver.now)
        turned = policy_replay.replay(
            self.driver.gateway, load_files(authors.read_files(world.policy))
        )
        act = SignOffPolicy(new_id("sgn"), made.digest, turned.digest)
        self.driver.act("head", "/v1/policy/signoffs", act, policy_replay.sign_off)

    def _directory_changes(self, change: str, n: int) -> None:
        """A key is revoked, or the set is signed again: for long, or for days only."""
        world = self.driver.world
        if change == "endpoint" and not self.model.revoked:
            self._revoke("xb", Use.ENVELOPE)
            self.model.revoked.add("xb")
        if change == "person" and not self.model.gone:
            self._revoke("victims", Use.REQUEST)
            self.model.gone.add("victims")
        self.driver.pass_time(seconds=1)
        world.sign(20 if change == "brief" else 4000, self.driver.now)
        assert self.driver.reload() == []
        self._nothing_stale()

    def _revoke(self, who: str, use: Use) -> None:
        actor = self.driver.actor(who)
        member = self.driver.gateway.sets.directory.member(actor.id)
        for key in member.keys:
            if key.use is use:
                ceremony.revoke(self.driver.world.directory, key.kid)

    @rule(n=which, other=authority)
    def look_around(self, n: int, other: str) -> None:
        """Ask for what is another's, and for what is nowhere: the answers are the same."""
        self._blind_to_shares(n, other)
        self._blind_to_rfas(n, other)

    def _blind_to_shares(self, n: int, other: str) -> None:
        share = self.pick(self.model.shares, n) if self.model.shares else None
        nowhere = new_id("shr")
        reads: list[Callable[[str], object]] = [
            lambda name: self.driver.read(other, "/", pull.manifest, name),
            lambda name: self.driver.read(other, "/", pull.find_item, name, 0),
            lambda name: self.driver.read(other, "/", review.share_evidence, name),
            lambda name: self.driver.pull_range(other, name, 0, 0),
        ]
        expired = self.driver.gateway.sets.directory.expired(self.driver.now)
        for n, read in enumerate(reads):
            if expired and n in (0, 3):
                continue  # nothing is answered at all, whosever it is
            with pytest.raises(NotFoundError) as unknown:
                read(nowhere)
            if share is not None and (share.to != other or not share.visible):
                with pytest.raises(NotFoundError) as others:
                    read(share.id)
                assert str(others.value) == str(unknown.value)

    def _blind_to_rfas(self, n: int, other: str) -> None:
        if not self.model.rfas:
            return
        rfa = self.pick(self.model.rfas, n)
        if rfa.of == other and rfa.known_outside:
            return
        with self.driver.gateway.engine.connect() as conn:
            query = select(tables.rfa_messages.c.id).where(tables.rfa_messages.c.rfa == rfa.id)
            message = conn.execute(query).scalars().first() or new_id("msg")
        with pytest.raises(NotFoundError):
            self.driver.read(other, "/", request.show, rfa.id)
        with pytest.raises(NotFoundError):
            self.driver.read(other, "/", request.message, rfa.id, message)
        self.attempt(False, lambda: self.driver.message(other, rfa.id, About.INFORMATION))

    def _alone(self) -> None:
        """Each authority's lists and inbox show its own, and all of it."""
        for who in AUTHORITIES:
            listed: Any = self.driver.read(who, "/v1/rfas", request.listed)
            seen = {one["rfa"] for one in listed["rfas"]}
            assert seen == {r.id for r in self.model.rfas if r.of == who and r.known_outside}
            own = {s.id for s in self.model.shares if s.to == who} | seen
            kept = self.driver.read(who, "/v1/inbox", pull.messages, 0, 1000)
            for one in kept:
                message = build(unverified_payload(one.container), Message)
                assert (message.share or message.rfa) in own
                assert message.to == self.driver.actor(who).party
                assert instant(message.at) <= self.driver.now
