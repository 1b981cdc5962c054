"""What people say about items and states."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from gateway.exchange.parties import Role
from gateway.kernel.encoding import Json
from tests.stateful import steps
from tests.stateful.desk import Desk, facts, which
from tests.stateful.model import (
    Attestation,
    Item,
)
from tests.world import PLAIN


class Facts(Desk):
    """Deposits, amendments, attestations and their ends."""

    def _facts(self, said: dict[str, Json], n: int) -> dict[str, Json]:
        found: dict[str, Json] = {**PLAIN, **said}
        if said["item.consent.scope"] == "named":
            found["item.consent.recipients"] = ["XA"] if n % 2 else ["XA", "XB", "XL"]
        if said["item.has_embargo"]:
            found["item.embargo_until"] = (self.today + timedelta(days=n % 40)).isoformat()
        return found

    @rule(who=st.sampled_from(["sharer", "releaser", "legal"]), said=facts, n=which)
    def deposit(self, who: str, said: dict[str, Json], n: int) -> None:
        found, data = self._facts(said, n), bytes(n % 251 for _ in range(n % 3 * 700))
        made = self.attempt(
            self.may(who, Role.SHARER),
            lambda: steps.deposit_item(self.driver, who, data, found, f"file-{n}.pdf"),
        )
        if made is not None:
            self.model.items.append(Item(str(made["item"]), len(data), found))

    @rule(who=st.sampled_from(["liaison", "legal", "sharer"]), said=facts, n=which)
    def amend(self, who: str, said: dict[str, Json], n: int) -> None:
        item, found = self.pick(self.model.items, n), self._facts(said, n)
        allowed = self.may(who, Role.SOURCE_LIAISON, Role.LEGAL_ADVISER)
        made = self.attempt(allowed, lambda: steps.amend(self.driver, who, item.id, found))
        if made is not None:
            item.facts = found

    @rule(
        who=st.sampled_from(["legal", "head", "officer"]),
        what=st.sampled_from(
            [("recipient.assurances", ["death_penalty"], "XD"),
             ("recipient.assurances", ["death_penalty"], "XD"),
             ("recipient.fair_trial", "concerns", "XB"),
             ("recipient.fair_trial", "ok", "XL"),
             ("recipient.competent", False, "XA")]
        ),
        case=st.sampled_from([None, "inv-0", "case-1"]),
        days=st.sampled_from([0, 10, 300]),
    )  # fmt: skip
    def attest(self, who: str, what: tuple[str, Json, str], case: str | None, days: int) -> None:
        fact, value, state = what
        name = self.attempt(
            self.may(who, Role.LEGAL_ADVISER, Role.HEAD_OF_MECHANISM),
            lambda: steps.attest(self.driver, who, fact, value, state, days=days, case=case),
        )
        if name is not None:
            last = self.today + timedelta(days=days)
            made = Attestation(name, fact, value, state, case, self.today, last)
            self.model.attestations.append(made)

    @precondition(lambda self: self.model.attestations)
    @rule(who=st.sampled_from(["legal", "head", "sharer"]), n=which)
    def end_attestation(self, who: str, n: int) -> None:
        one = self.pick(self.model.attestations, n)
        allowed = self.may(who, Role.LEGAL_ADVISER, Role.HEAD_OF_MECHANISM)
        allowed &= one.ended_by in ("", who)  # her very order again is answered again
        if self.attempt(allowed, lambda: steps.end_attestation(self.driver, who, one.id)):
            one.ended_by = who
