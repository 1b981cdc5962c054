"""What a policy set would have made of every recorded decision, who agreed to it, and what one rests on."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.exchange.acts import SignOffPolicy
from gateway.exchange.directory import Directory
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parties import Role
from gateway.kernel.encoding import Json, canonical_json, digest_of
from gateway.kernel.errors import ConflictError, MalformedError, NotFoundError
from gateway.kernel.time import spell
from gateway.policy import (
    Facts,
    Flip,
    Loaded,
    PolicySet,
    Register,
    decide_all,
    flip,
    known_to,
    moved,
    recipient_facts,
    revive,
)
from gateway.store import policy_sets, shares
from gateway.store.policy_sets import Recorded
from gateway.store.writer import Transaction
from gateway.workflows.gateway import Answer, Gateway, Sets, Signed, perform, read_act

_SHOWN = 5
"""Decisions named of each kind of flip."""


@dataclass(slots=True)
class Turned:
    """What a replay found: the kinds of flip, how often each, and the first few decisions of each."""

    decisions: int = 0
    flips: dict[Flip, int] = field(default_factory=dict)
    first: dict[Flip, list[str]] = field(default_factory=dict)

    def count(self, found: Flip | None, recorded: Recorded) -> None:
        """Count one recorded decision."""
        self.decisions += 1
        if found is None:
            return
        self.flips[found] = self.flips.get(found, 0) + 1
        named = self.first.setdefault(found, [])
        if len(named) < _SHOWN:
            named.append(f"{recorded.share}:{recorded.n}")

    @property
    def opens(self) -> list[Flip]:
        """The kinds of flip to permit."""
        return [kind for kind in self.flips if kind.opens]

    @property
    def opened(self) -> int:
        """How many recorded decisions turn to permit."""
        return sum(self.flips[kind] for kind in self.opens)

    @property
    def digest(self) -> str:
        """What a sign-off is bound to: the kinds of flip to permit, not how many there are by now."""
        kinds: list[Json] = [kind.to_json() for kind in self.opens]
        return digest_of(sorted(kinds, key=canonical_json))

    def to_json(self) -> dict[str, Json]:
        """Return what was found, most frequent first."""
        flips: list[Json] = [
            {**kind.to_json(), "count": count, "decisions": [*self.first[kind]]}
            for kind, count in sorted(self.flips.items(), key=lambda one: (-one[1], str(one[0])))
        ]
        return {"decisions": self.decisions, "flips": flips, "flips_digest": self.digest}


def replay(gateway: Gateway, loaded: Loaded | None) -> Turned:
    """Judge the facts of every recorded decision by the set in force and by *loaded*.

    Without *loaded*, or with no set in force, what was recorded then is compared. Clearances are left
    out: a hold is a hold.
    """
    turned, sets = Turned(), gateway.sets
    judge = _Judge(sets, loaded)
    with gateway.engine.connect() as conn:
        for recorded in policy_sets.recorded(conn):
            turned.count(judge.flip(recorded), recorded)
    return turned


class _Judge:
    """Compares two sets on recorded facts; the same facts on the same day only once."""

    def __init__(self, sets: Sets, loaded: Loaded | None) -> None:
        self._directory = sets.directory
        self._old = None if loaded is None else sets.policy
        self._registers = sets.register, loaded.register if loaded else sets.register
        new = loaded.policy if loaded is not None else sets.policy
        if new is None:
            raise ConflictError("no policy set is in force: give a folder to replay")
        self._new: PolicySet = new
        self._seen: dict[tuple[str, str, str, str], Flip | None] = {}

    def flip(self, recorded: Recorded) -> Flip | None:
        """Return how the set turns a recorded decision."""
        today, outcome = recorded.at.date().isoformat(), str(recorded.data.get("outcome"))
        key = str(recorded.data.get("facts")), today, outcome, recorded.recipient
        if key not in self._seen:
            self._seen[key] = self._judge(recorded, today, outcome)
        return self._seen[key]

    def _judge(self, recorded: Recorded, today: str, outcome: str) -> Flip | None:
        every = [revive(one) for one in recorded.facts]
        if not every:
            return None
        short = _short(self._directory, recorded.recipient)
        old, new = (_on_file(register, every[0], short, today) for register in self._registers)
        before = None
        if self._old is not None:
            before = decide_all(self._old, [known_to(self._old, one) for one in every], today)
        later = [known_to(self._new, moved(one, old, new)) for one in every]
        return flip(before, outcome, decide_all(self._new, later, today), every[0])


def _short(directory: Directory, party: str) -> str:
    try:
        return directory.party(party).short
    except NotFoundError:
        return ""


def _on_file(register: Register, facts: Facts, short: str, today: str) -> Facts:
    """Return what a register says of the recipient of recorded facts."""
    state, case = facts.get("recipient.jurisdiction", ""), facts.get("context.case", "")
    return recipient_facts(register, str(state), short, str(case), today)[0]


def facts_of(gateway: Gateway) -> Iterator[tuple[Facts, str]]:
    """Yield the facts of every recorded decision, item by item, each with its day."""
    with gateway.engine.connect() as conn:
        for recorded in policy_sets.recorded(conn):
            for one in recorded.facts:
                yield revive(one), recorded.at.date().isoformat()


def who_signed_off(
    gateway: Gateway, manifest: str, turned: Turned, not_by: frozenset[str]
) -> list[str]:
    """Return who signed off just these flips of a set, and may have: still entitled, and none of *not_by*."""
    with gateway.engine.connect() as conn:
        found = policy_sets.signed_off(conn, manifest)
    return [
        person
        for digest, person in found
        if digest == turned.digest
        and person not in not_by
        and _entitled(gateway.sets.directory, person)
    ]


def _entitled(directory: Directory, person: str) -> bool:
    try:
        roles = directory.member(person).roles
    except NotFoundError:
        return False
    return bool({Role.LEGAL_ADVISER, Role.HEAD_OF_MECHANISM} & set(roles))


def sign_off(gateway: Gateway, signed: Signed) -> Answer:
    """Keep that a person agrees to what a set turns to permit."""
    act = read_act(signed)
    if not isinstance(act, SignOffPolicy):
        raise MalformedError("expected the sign-off of a policy set", field="/act/type")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        order = signed.order.digest
        policy_sets.sign_off(tx.conn, act, signed.actor.id, order, now)
        entry = tx.record(
            Entry(
                kind=Kind.POLICY_SIGNED_OFF,
                at=now,
                actor=signed.actor.id,
                order=order,
                subject=act.id,
                content={"manifest": act.manifest, "flips": act.flips},
            )
        )
        return {"signoff": act.id, "entry": entry}

    return perform(gateway, signed, work, creates=act.id)


def decisions_of(gateway: Gateway, share: str) -> Answer:
    """Return the recorded decisions of a share in short, oldest first. Raises NotFoundError."""
    with gateway.engine.connect() as conn:
        shares.get(conn, share)
        found: list[Json] = [_told(one) for one in policy_sets.recorded(conn, share)]
    return {"share": share, "decisions": found}


def decision(gateway: Gateway, digest: str) -> Answer:
    """Return a recorded decision with the facts it was made on. Raises NotFoundError."""
    with gateway.engine.connect() as conn:
        one = policy_sets.decision(conn, digest)
    facts: list[Json] = [dict(facts) for facts in one.facts]
    return {**_told(one), "decision": dict(one.data), "facts": facts}


def _told(one: Recorded) -> dict[str, Json]:
    return {
        "share": one.share,
        "n": one.n,
        "stage": one.stage,
        "outcome": str(one.data.get("after_clearances", one.data.get("outcome"))),
        "policy": str(one.data.get("policy")),
        "digest": one.digest,
        "at": spell(one.at),
    }
