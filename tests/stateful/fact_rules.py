"""What people say about items and states."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from gateway.exchange.parties import Role
from gateway.kernel.encoding import Json
from tests.stateful import steps
from tests.stateful.desk import Desk, facts, which
from tests.stateful.model import (
    AUTHORITIES,
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

    @rule(
        who=st.sampled_from(["sharer", "releaser", "legal", "both"]),
        n=which,
        removed=st.sampled_from([("witness_identity",), ("witness_identity",), ("location",), ()]),
        to=st.sampled_from([None, None, *AUTHORITIES]),
        other=st.sampled_from([False, False, False, True]),
    )
    def derive(
        self, who: str, n: int, removed: tuple[str, ...], to: str | None, other: bool
    ) -> None:
        """Something is made from an item, deposited and attested; *other*: of another original."""
        if not removed and to is None:
            return
        original = self.pick(self.model.items, n)
        self.model.numbers += 1
        data = f"derivative {self.model.numbers}".encode()
        item = Item(
            steps.deposit_derivative(
                self.driver, "sharer", original.id, data, original.facts, removed
            ),
            len(data),
            original.facts,
        )
        self.model.items.append(item)
        named = next((i for i in self.model.items[:-1] if i is not original), original)
        named = named if other else original
        clash = to is not None and bool(original.marked - {to})
        party = self.driver.party(to) if to else None
        allowed = self.may(who, Role.SHARER) and named is original and not clash
        if self.attempt(
            allowed,
            lambda: steps.derive_item(self.driver, who, item.id, named.id, removed, party),
        ):
            item.removed = original.removed | set(removed)
            item.marked = original.marked | ({to} if to else set())

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
