"""What the mechanism does with shares."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from sqlalchemy import select

from gateway.exchange.parties import Role
from gateway.kernel.errors import (
    ForbiddenError,
)
from gateway.store import tables
from gateway.workflows import pull
from gateway.workflows import release as releasing
from tests.stateful import steps
from tests.stateful.desk import APPROVALS, STAFF, Desk, authority, mostly, which
from tests.stateful.driver import Answer
from tests.stateful.model import (
    OPEN,
    ROLES,
    Item,
    Package,
    Share,
)


class Shares(Desk):
    """Packages, proposals, clearances, releases."""

    @rule(
        who=st.sampled_from(["sharer", "sharer", "releaser", "both", "officer"]),
        n=which,
        m=which,
        requested=st.booleans(),
    )
    def make_package(self, who: str, n: int, m: int, requested: bool) -> None:
        self._make_package(who, n, m, requested=requested)

    def _make_package(self, who: str, n: int, m: int, *, requested: bool) -> None:
        items = [self.pick(self.model.items, n)]
        if m % 4 == 0 and self.model.items[m % len(self.model.items)] is not items[0]:
            items.append(self.model.items[m % len(self.model.items)])
        rfa = self.pick(self.model.rfas, m) if requested and self.model.rfas else None
        case = rfa.case if rfa else "case-1"
        answerable = rfa is None or rfa.state in ("review", "clarification", "answered")
        name = self.attempt(
            self.may(who, Role.SHARER) and answerable and self._distinct(items),
            lambda: steps.package(
                self.driver, who, [i.id for i in items], rfa_id=rfa.id if rfa else None, case=case
            ),
        )
        if name is not None:
            self.model.packages.append(Package(name, items, rfa, case))

    def _distinct(self, items: list[Item]) -> bool:
        with self.driver.gateway.engine.connect() as conn:
            ids = [item.id for item in items]
            rows = conn.execute(select(tables.sealed).where(tables.sealed.c.item.in_(ids)))
            return len({row.particulars.split(b'"name"')[1][:30] for row in rows}) == len(items)

    @precondition(lambda self: self.model.packages)
    @rule(
        who=st.sampled_from(["sharer", "sharer", "releaser", "both", "legal", "xa"]),
        n=which,
        to=authority,
        straight=mostly,
    )
    def propose(self, who: str, n: int, to: str, straight: bool) -> None:
        package = self.pick(self.model.packages, n)
        if straight and package.rfa is not None:
            to = package.rfa.of
        self._propose(who, package, to)

    def _propose(self, who: str, package: Package, to: str) -> Share | None:
        party = self.driver.party(to)
        allowed = self.may(who, Role.SHARER) and to not in self.model.revoked
        made = self.attempt(allowed, lambda: steps.offer(self.driver, who, package.id, party))
        if made is None:
            return None
        state = {"permit": "proposed", "hold": "held", "deny": "denied"}[made["outcome"]]
        assert made["state"] == state
        if why := self.model.barred(package, to, self.today):
            assert state == "denied", f"{state}, though {why}"
        share = Share(str(made["share"]), package, to, who, state)
        self.model.shares.append(share)
        return share

    @precondition(lambda self: any(s.state in OPEN for s in self.model.shares))
    @rule(
        who=st.sampled_from(["legal", "victims", "head", "liaison", "both", "sharer", "officer"]),
        n=which,
        role=st.sampled_from(APPROVALS),
        helpful=mostly,
        stale=st.sampled_from([False, False, False, True]),
    )
    def clear(self, who: str, n: int, role: Role, helpful: bool, stale: bool) -> None:
        held = [s for s in self.model.shares if s.state == "held"]
        share = self.pick(held or [s for s in self.model.shares if s.state in OPEN], n)
        said = steps.shown(self.driver, share.id)
        lacking = sorted(said["missing"])
        wanted = lacking[n % len(lacking)] if helpful and lacking else f"approval:{role.value}"
        if helpful and lacking:
            able = [p for p in STAFF if self._able(p, wanted) and p not in self.model.gone]
            who = able[n % len(able)] if able else who
        self._clear(who, share, said, wanted, stale=stale)

    def _able(self, who: str, wanted: str) -> bool:
        kind, _, word = wanted.partition(":")
        roles = {role.value for role in ROLES[who] & set(APPROVALS)}
        return word in roles if kind == "approval" else "source_liaison" in roles

    def _clear(
        self, who: str, share: Share, said: Answer, wanted: str, *, stale: bool = False
    ) -> None:
        kind, _, word = wanted.partition(":")
        basis = "ef" * 32 if stale and kind == "approval" else steps.basis_of(said, wanted)
        given = (who, wanted, basis)
        allowed = self._able(who, wanted) and share.state == "held" and who != share.proposer
        allowed &= wanted in said["missing"] and basis == steps.basis_of(said, wanted)
        allowed &= given not in share.cleared and who not in self.model.gone

        def step() -> Answer:
            if kind == "approval":
                return steps.approve(self.driver, who, share.id, Role(word), basis=basis)
            return steps.consult(self.driver, who, share.id, word)

        made = self.attempt(allowed, step)
        if made is not None:
            share.cleared.add(given)
            share.state = str(made["state"])
            assert share.state in ("held", "proposed")

    @precondition(lambda self: self.model.shares)
    @rule(
        who=st.sampled_from(["releaser", "releaser", "releaser", "sharer", "legal", "xa-officer"]),
        n=which,
        dies=st.sampled_from([False, False, False, False, True]),
    )
    def release(self, who: str, n: int, dies: bool) -> None:
        ready = [s for s in self.model.shares if s.state == "proposed"]
        self._release(who, self.pick(ready if ready and n % 4 else self.model.shares, n), dies=dies)

    def _release(self, who: str, share: Share, *, dies: bool = False) -> None:
        expired = self.driver.gateway.sets.directory.expired(self.driver.now)
        said = steps.shown(self.driver, share.id)
        able = self.may(who, Role.RELEASER) and not expired and share.to not in self.model.revoked
        if able and share.state == "proposed" and said["outcome"] != "permit":
            self._too_late(who, share, said)
            return
        if share.releaser == who and not expired and who not in self.model.gone:
            before, _ = self._snapshot()
            again = steps.release_share(self.driver, who, share.id)  # her very order again
            assert again["state"] == share.state
            assert self._snapshot()[0] == before
            return
        allowed = able and share.state == "proposed"
        if allowed:
            why = self.model.barred(share.package, share.to, self.today)
            assert why is None, f"permitted, though {why}"
            self._cleared_enough(share, said)
        made = self.attempt(allowed, lambda: self._order_release(who, share, dies=dies))
        if made is not None:
            share.state, share.releaser = "available", who
            self._offered(share)

    def _cleared_enough(self, share: Share, said: Answer) -> None:
        """Whoever cleared counts once, and not if she proposed it."""
        counted = {
            person for person, what, basis in share.cleared if basis == steps.basis_of(said, what)
        }
        needed = self.model.needs(share.package, share.to)
        assert len(counted - {share.proposer}) >= needed, f"{counted} cleared, {needed} must"

    def _order_release(self, who: str, share: Share, *, dies: bool) -> Answer:
        if not dies:
            made = steps.release_share(self.driver, who, share.id)
            assert made["state"] == "available"
            return made
        with self._crash(releasing, "finish"):
            steps.release_share(self.driver, who, share.id)
        return {}

    def _too_late(self, who: str, share: Share, said: Answer) -> None:
        """A release that is not permitted any more is refused, and the proposal follows its decision."""
        with pytest.raises(ForbiddenError, match="not permitted any more"):
            steps.release_share(self.driver, who, share.id)
        share.state = {"hold": "held", "deny": "denied"}[said["outcome"]]

    def _offered(self, share: Share) -> None:
        """Read what a released share consists of, as its recipient."""
        if steps.shown(self.driver, share.id)["state"] != "available":
            raise AssertionError("released, and not available")
        with self.driver.gateway.engine.connect() as conn:
            rows = conn.execute(
                select(tables.manifests.c.digest).where(tables.manifests.c.share == share.id)
            )
            share.manifest = str(rows.scalar_one())
            signed = self.driver.signed(share.to, "GET", "/v1/shares")
            found = range(len(share.package.items))
            gateway = self.driver.gateway
            share.sizes = [pull.find_item(gateway, signed, share.id, n).size for n in found]

    @rule(n=which, to=authority, who=st.sampled_from(["sharer", "both"]))
    def share_through(self, n: int, to: str, who: str) -> None:
        """Carry a package as far as it goes."""
        self._share_through(n, to, who)

    def _share_through(self, n: int, to: str, who: str) -> None:
        """Propose, let whoever may clear, release."""
        if not self.model.packages or n % 3 == 0:
            self._make_package("sharer", n, n // 3, requested=bool(n % 2))
        if not self.model.packages or who in self.model.gone:
            return
        package = self.pick(self.model.packages, n)
        share = self._propose(who, package, package.rfa.of if package.rfa else to)
        for _ in range(4):
            if share is None or share.state != "held":
                break
            said = steps.shown(self.driver, share.id)
            wanted = min(said["missing"])
            if self._able(who, wanted):
                self._clear(who, share, said, wanted)  # her own proposal: refused
            used = {person for person, _, _ in share.cleared} | {share.proposer}
            able = [
                p for p in STAFF
                if self._able(p, wanted) and p not in used and p not in self.model.gone
            ]  # fmt: skip
            if not able:
                break
            self._clear(able[0], share, said, wanted)
        if share is not None and share.cleared:
            person, wanted, _ = min(share.cleared)
            self._clear(person, share, steps.shown(self.driver, share.id), wanted)  # a second time
        if share is not None and share.state == "proposed":
            self._release("releaser", share)
