"""The state machine: one mechanism, five authorities in four states, legal and illegal steps in any order."""

from tests.stateful.desk import Stopwatch
from tests.stateful.fact_rules import Facts
from tests.stateful.other_rules import Others
from tests.stateful.pull_rules import Pulls
from tests.stateful.rfa_rules import Rfas
from tests.stateful.template import Template


class Exchange(Rfas, Facts, Pulls, Others):
    """Random lives of RFAs, facts and shares: the rules of all of these together."""

    def teardown(self) -> None:
        """See a last time that each authority sees its own alone, and balance the books."""
        try:
            self._alone()
        finally:
            super().teardown()


def lives(template: Template, watch: Stopwatch) -> type[Exchange]:
    """Return the machine whose examples are copies of *template*, counted by *watch*."""
    return type("Life", (Exchange,), {"template": template, "watch": watch})
