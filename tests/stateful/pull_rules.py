"""What authorities do with shares, and what they must not see."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from gateway.exchange.parties import Role
from gateway.exchange.receipts import Rung
from tests.stateful import steps
from tests.stateful.desk import authority, mostly, which
from tests.stateful.model import (
    OUT,
    PULLABLE,
    RECEIPTS,
    Share,
)
from tests.stateful.share_rules import Shares


class Pulls(Shares):
    """Ranges, receipts, recalls."""

    @rule(n=which, to=authority, who=st.sampled_from(["sharer", "both"]), far=st.integers(0, 4))
    def share_and_pull(self, n: int, to: str, who: str, far: int) -> None:
        """Carry a package as far as it goes, pull it whole, and vouch for so much of it."""
        self._share_through(n, to, who)
        share = self.model.shares[-1] if self.model.shares else None
        if share is None or share.state != "available":
            return
        self._vouch(share, Rung.PULLED, early=True)
        for item in range(len(share.sizes)):
            self._vouch(share, Rung.PULLED, early=True)
            self._pull(share, share.to, item, "whole")
        for _ in range(far if share.served else 0):
            ways = sorted(then for now, then in RECEIPTS if now == share.state)
            if ways:
                self._vouch(share, Rung(ways[n % len(ways)]))

    def _vouch(self, share: Share, rung: Rung, *, early: bool = False) -> None:
        """Send a receipt; *early*, before the bytes were served, it is refused."""
        by = share.to if rung in (Rung.PULLED, Rung.VERIFIED) else f"{share.to}-officer"
        self.attempt(not early, lambda: self.driver.receipt(by, share.id, share.manifest, rung))
        share.state = share.state if early else rung.value

    @precondition(lambda self: any(s.state in OUT for s in self.model.shares))
    @rule(n=which)
    def source_thinks_again(self, n: int) -> None:
        """A source refuses and all pulls stop at once; she consents again, and they may go on."""
        share = self.pick([s for s in self.model.shares if s.state in OUT], n)
        item = self.pick(share.package.items, n)
        before = item.facts
        for said in ({**before, "item.consent.status": "refused"}, before):
            steps.amend(self.driver, "liaison", item.id, said)
            item.facts = said
            self.follow()
            self._pull(share, share.to, n, "whole")
            self._nothing_stale()

    @precondition(lambda self: any(s.state in OUT or s.visible for s in self.model.shares))
    @rule(
        n=which, own=mostly, other=authority, part=st.sampled_from(["whole", "head", "cut", "kill"])
    )
    def pull(self, n: int, own: bool, other: str, part: str) -> None:
        share = self.pick([s for s in self.model.shares if s.state in OUT or s.visible], n)
        self._pull(share, share.to if own else other, n, part)

    def _pull(self, share: Share, who: str, n: int, part: str) -> bool:
        item = n % len(share.sizes)
        size = share.sizes[item]
        first = 0 if part != "head" else share.reached(item) % size
        end = size if part in ("whole", "kill") else max(first + 1, size - n % 900)
        cut = min(100, end - first) if part == "cut" else 0
        allowed = who == share.to and self._goes(share)
        if not allowed or part != "kill":
            sent = self.attempt(
                allowed,
                lambda: self.driver.pull_range(who, share.id, item, first, end, cut=cut),
                signed=False,
            )
        else:
            self.driver.pull_and_die(who, share.id, item)
            sent = end - first
        if sent is not None:
            assert sent == end - first - cut
            share.ranges.setdefault(item, []).append((first, first + sent))
        return sent is not None

    def _goes(self, share: Share) -> bool:
        """Tell whether a share may be pulled now: a permit that nothing known contradicts."""
        outcome = steps.shown(self.driver, share.id)["outcome"]
        why = self.model.barred(share.package, share.to, self.today)
        assert not (why and outcome == "permit" and share.state in OUT), f"permit, though {why}"
        expired = self.driver.gateway.sets.directory.expired(self.driver.now)
        good = share.to not in self.model.revoked and not expired
        return outcome == "permit" and share.state in PULLABLE and good

    @precondition(lambda self: any(s.visible for s in self.model.shares))
    @rule(
        n=which,
        own=mostly,
        other=authority,
        rung=st.sampled_from(list(Rung)),
        officer=st.booleans(),
        next_one=mostly,
        wrong=st.sampled_from([False, False, False, False, True]),
    )
    def acknowledge(
        self, n: int, own: bool, other: str, rung: Rung, officer: bool, next_one: bool, wrong: bool
    ) -> None:
        share = self.pick([s for s in self.model.shares if s.visible], n)
        who = share.to if own else other
        ways = sorted(then for now, then in RECEIPTS if now == share.state)
        if next_one and ways:
            rung = Rung(ways[n % len(ways)])
            officer = rung not in (Rung.PULLED, Rung.VERIFIED)
            if rung is Rung.PULLED and n % 2 and not share.served:
                for item in range(len(share.sizes)):
                    self._pull(share, share.to, item, "whole")
        by = f"{who}-officer" if officer else who
        manifest = "12" * 32 if wrong else share.manifest
        allowed = who == share.to and not wrong and (share.state, rung.value) in RECEIPTS
        allowed &= officer is (rung not in (Rung.PULLED, Rung.VERIFIED))
        allowed &= rung is not Rung.PULLED or share.served
        made = self.attempt(allowed, lambda: self.driver.receipt(by, share.id, manifest, rung))
        if made is not None:
            share.state = rung.value

    @precondition(lambda self: self.model.shares)
    @rule(who=st.sampled_from(["releaser", "releaser", "sharer", "xa"]), n=which)
    def recall(self, who: str, n: int) -> None:
        share = self.pick(self.model.shares, n)
        allowed = self.may(who, Role.RELEASER) and share.state in OUT
        if self.attempt(allowed, lambda: steps.recall(self.driver, who, share.id)):
            share.state = "recalled"
