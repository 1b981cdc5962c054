"""What every step of the machine goes through, and what must hold after each of them."""

import copy
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from sqlalchemy import func, select

from gateway.exchange.parties import Role
from gateway.kernel.errors import (
    GatewayError,
    UnauthorizedError,
    UnavailableError,
)
from gateway.store import ledger, tables
from gateway.workflows import suspend
from tests import reconcile
from tests.stateful import steps
from tests.stateful.driver import Driver
from tests.stateful.model import (
    AUTHORITIES,
    OPEN,
    OUT,
    ROLES,
    Model,
)
from tests.stateful.template import Template

T = TypeVar("T")
EVERY = 12  # steps between two balances of the books
STAFF = sorted(ROLES)
APPROVALS = (
    Role.LEGAL_ADVISER, Role.VICTIMS_UNIT, Role.HEAD_OF_MECHANISM, Role.SOURCE_LIAISON,
)  # fmt: skip
UNCHANGED = [
    table
    for name, table in tables.metadata.tables.items()
    if name
    not in {
        "orders", "jti", "entries", "openings", "opening_keys", "tiles", "edges", "heads",
        "checkpoints", "reads", "setting",
    }
]  # fmt: skip
"""The tables that a refusal leaves as they are."""

staff = st.sampled_from(STAFF)
authority = st.sampled_from(AUTHORITIES)
which = st.integers(0, 10**6)
mostly = st.sampled_from([True, True, True, False])
facts = st.fixed_dictionaries(
    {
        "item.consent.status": st.sampled_from(["granted", "granted", "consult_first", "refused"]),
        "item.consent.scope": st.sampled_from(["any", "any", "named"]),
        "item.sgbv": st.sampled_from([False, False, True]),
        "item.witness_protected": st.sampled_from([False, False, False, True]),
        "item.has_embargo": st.sampled_from([False, False, False, True]),
        "item.consent.no_death_penalty": st.booleans(),
    }
)


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Stopwatch:
    """How much was done, over all examples of a run."""

    examples: int = 0
    steps: int = 0
    entries: int = 0
    kinds: dict[str, int] = field(default_factory=dict)


class Desk(RuleBasedStateMachine):
    """What every rule stands on: a gateway of its own, the model beside it, and steps taken with care."""

    template: ClassVar[Template]
    watch: ClassVar[Stopwatch]

    def __init__(self) -> None:
        super().__init__()
        self._copy = self.template.copy()
        world, base = self._copy.__enter__()
        self.driver = Driver(world, self.template.now)
        self.driver.start()
        self.model: Model = copy.deepcopy(base)
        self.head = (0, b"")
        self.steps = 0
        self.watch.examples += 1

    def teardown(self) -> None:
        """Balance the books a last time, and count what there was."""
        try:
            kinds = reconcile.check(self.driver.gateway)
            self.watch.entries += sum(kinds.values())
            for kind, count in kinds.items():
                self.watch.kinds[kind] = self.watch.kinds.get(kind, 0) + count
        finally:
            self.driver.stop()
            self._copy.__exit__(None, None, None)

    @property
    def today(self) -> date:
        return self.driver.now.date()

    def _snapshot(self) -> tuple[dict[str, Any], int]:
        with self.driver.gateway.engine.connect() as conn:
            counts = [
                select(func.count()).select_from(table).scalar_subquery().label(name.name)
                for name, table in ((t, t) for t in UNCHANGED)
            ]
            found: dict[str, Any] = dict(conn.execute(select(*counts)).one()._mapping)
            for table in (tables.shares, tables.rfas):
                rows = conn.execute(select(table.c.id, table.c.state))
                found[f"{table.name}.states"] = {row.id: row.state for row in rows}
            return found, ledger.head(conn)[0]

    def attempt(self, allowed: bool, step: Callable[[], T], *, signed: bool = True) -> T | None:
        """Take a step that the model allows or does not; a refusal must change nothing, and be entered.

        Not *signed*: a read, of which no entry is owed, and whose entry may rest on a new decision.
        """
        self.driver.pass_time(seconds=1)
        before, size = self._snapshot()
        try:
            made = step()
        except GatewayError as error:
            assert not allowed, f"refused, though it is possible: {error!r}"
            after, now = self._snapshot()
            if not signed:
                after["decisions"] = before["decisions"]
            assert after == before, f"{error!r} was refused, and still changed something"
            self._refused(error, size, now, signed=signed)
            return None
        assert allowed, "done, though it is not possible"
        return made

    def _refused(self, error: GatewayError, size: int, now: int, *, signed: bool) -> None:
        """A refusal says in words what is wrong, and is one entry."""
        text = str(error)
        assert text and not text[0].isupper() or text.startswith(("RFA", "XA")), text
        assert not text.endswith("."), text
        if text.startswith("cannot "):
            assert "; possible: " in text or "; nothing more can" in text, text
        entered = now - size
        if isinstance(error, UnauthorizedError | UnavailableError) or not signed:
            assert entered <= 1
        else:
            assert entered == 1, f"{error!r} made {entered} entries"
        if entered:
            with self.driver.gateway.engine.connect() as conn:
                (row,) = ledger.page(conn, size, 1)
                key = self.driver.gateway.log.audience_key
                opened = ledger.open_entry(conn, row.eid, "mechanism", key)
            assert opened is not None
            assert {s.label: o.value for s, o in opened.items()}["kind"] == "refused"

    def may(self, who: str, *roles: Role) -> bool:
        """Tell whether somebody of staff holds one of the roles, and a good key."""
        return bool(ROLES.get(who, frozenset()) & set(roles)) and who not in self.model.gone

    def pick(self, found: list[T], n: int) -> T:
        """Choose one; the newest ones more often, since there is more to do with them."""
        recent = found[-4:] if n % 3 else found
        return recent[n % len(recent)]

    @contextmanager
    def _crash(self, module: Any, name: str) -> Any:
        """Let the process die where it would call this function, and start again."""

        def die(*_: object, **__: object) -> None:
            raise Crash

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, name, die)
            try:
                yield
            except Crash:
                self.driver.kill()
            else:
                raise AssertionError("it did not come to the crash")
        self.driver.start()

    def _nothing_stale(self) -> None:
        """After a sweep every share stands as it is decided now."""
        stopped: Any = suspend.listed(self.driver.gateway)["suspended"]
        names = {one["share"] for one in stopped}
        stricter = {one["share"] for one in stopped if one["why"]["cause"] == "terms"}
        self.follow()
        for share in self.model.shares:
            outcome = steps.shown(self.driver, share.id)["outcome"]
            if share.state in OPEN:
                assert share.state == {"permit": "proposed", "hold": "held"}[outcome]
            elif share.state in OUT:
                good = outcome == "permit" and share.to not in self.model.revoked
                served = good and share.id not in stricter
                why = [one for one in stopped if one["share"] == share.id]
                assert (share.id in names) is not served, f"{share}: {outcome}, {why}"

    @initialize()
    def begin(self) -> None:
        with self.driver.gateway.engine.connect() as conn:
            self.head = ledger.head(conn)

    @invariant()
    def grows(self) -> None:
        """The ledger only grows: what was signed before is still how it begins."""
        with self.driver.gateway.engine.connect() as conn:
            size, root = ledger.head(conn)
            assert size >= self.head[0]
            if self.head[0]:
                assert ledger.root_at(conn, self.head[0]) == self.head[1]
            self.head = size, root

    @invariant()
    def follow(self) -> None:
        """States are what the model says; an open proposal may have followed facts, rules or time."""
        with self.driver.gateway.engine.connect() as conn:
            shares = {r.id: r.state for r in conn.execute(select(tables.shares))}
            rfas = {r.id: r.state for r in conn.execute(select(tables.rfas))}
        assert set(shares) == {s.id for s in self.model.shares}
        for share in self.model.shares:
            if share.state in OPEN:
                assert shares[share.id] in {*OPEN, "denied", "expired"}
                share.state = shares[share.id]
            assert share.state == shares[share.id]
        assert rfas == {rfa.id: rfa.state for rfa in self.model.rfas}

    @invariant()
    def balanced(self) -> None:
        self.steps += 1
        self.watch.steps += 1
        if self.steps % EVERY == 0:
            reconcile.check(self.driver.gateway)
