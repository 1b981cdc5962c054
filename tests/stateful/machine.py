"""The state machine: one mechanism, five authorities in four states, legal and illegal steps in any order."""

from hypothesis.stateful import precondition, rule

from gateway.exchange.rfa_messages import About
from tests.stateful.desk import Stopwatch, which
from tests.stateful.fact_rules import Facts
from tests.stateful.model import OUT, RFA_STEPS, Share
from tests.stateful.other_rules import Others
from tests.stateful.pull_rules import Pulls
from tests.stateful.rfa_rules import Rfas
from tests.stateful.template import Template


class Exchange(Rfas, Facts, Pulls, Others):
    """Random lives of RFAs, facts and shares: the rules of all of these together."""

    @precondition(lambda self: self._answering())
    @rule(n=which)
    def taken_back(self, n: int) -> None:
        """An RFA that is answered is withdrawn or closed, and taken up again; its shares follow it."""
        share = self.pick(self._answering(), n)
        rfa = share.package.rfa
        assert rfa is not None
        if "withdraw" in RFA_STEPS[rfa.state]:
            self.attempt(True, lambda: self.driver.message(rfa.of, rfa.id, About.WITHDRAWAL))
            rfa.state = "withdrawn"
        for step in ("close", "reopen", "admit"):
            self._nothing_stale()
            self._pull(share, share.to, n, "whole")
            self._officer("officer", rfa, step, 400)
        self._pull(share, share.to, n, "whole")

    def _answering(self) -> list[Share]:
        """Return the released shares whose RFA can be withdrawn or closed now."""
        ends = {"withdraw", "close"}
        return [
            share
            for share in self.model.shares
            if share.state in OUT
            and share.package.rfa
            and ends & set(RFA_STEPS[share.package.rfa.state])
        ]

    def teardown(self) -> None:
        """See a last time that each authority sees its own alone, and balance the books."""
        try:
            self._alone()
        finally:
            super().teardown()


def lives(template: Template, watch: Stopwatch) -> type[Exchange]:
    """Return the machine whose examples are copies of *template*, counted by *watch*."""
    return type("Life", (Exchange,), {"template": template, "watch": watch})
