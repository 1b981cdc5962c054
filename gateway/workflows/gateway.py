"""What every workflow stands on: the stores, the keys, the sets in force, and how an order is performed."""

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine

from gateway import telemetry
from gateway.envelope import Recipient, parse_recipient
from gateway.exchange.acts import (
    Act,
    Order,
    act_of,
    check_rights,
    check_second_order,
    is_order,
)
from gateway.exchange.directory import Actor, Directory, Root, open_set
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.rewraps import active_vault
from gateway.exchange.tokens import LEEWAY, Claims
from gateway.kernel.encoding import Json, canonical_json, parse_json
from gateway.kernel.errors import (
    ForbiddenError,
    GatewayError,
    NotFoundError,
    QuarantinedError,
    UnauthorizedError,
    UnavailableError,
)
from gateway.kernel.signing import Signer
from gateway.keyholder.client import Keyholder
from gateway.ledger import Verifier
from gateway.policy import PolicySet, Register
from gateway.store import orders, sets
from gateway.store.blobs import LocalBlobs
from gateway.store.replay import Replay
from gateway.store.writer import Log, Transaction, Writer
from gateway.workflows.digests import Tallies, crew

Answer = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Sets:
    """The directory and policy in force; swapped whole, so that one request sees one pair.

    *number* is the policy set's, 0 for none.
    """

    root: Root
    directory: Directory
    directory_data: bytes
    policy: PolicySet | None
    register: Register
    number: int = 0


@dataclass(slots=True)
class Dates:
    """Until when the decision of each open or released share stands, if nothing but time passes.

    A change commits before its own sweep begins, so what a sweep that began later has found is never
    overwritten by one that began before and still read the old state.
    """

    _found: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    _sweeps: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> int:
        """Return the number of a sweep that begins to read now."""
        with self._lock:
            self._sweeps += 1
            return self._sweeps

    def note(self, share: str, sweep: int, until: str | None) -> None:
        """Keep the first day on which a share must be decided again; None: on no day."""
        with self._lock:
            if self._found.get(share, (0, None))[0] <= sweep:
                self._found[share] = sweep, until

    def stands(self, share: str, today: str) -> bool:
        """Tell whether time alone cannot have changed the decision; not so for one never looked at."""
        found = self._found.get(share)
        return found is not None and (found[1] is None or found[1] > today)


@dataclass(frozen=True, slots=True)
class Signed:
    """A request whose token holds: who sent it, the order it makes, and the token's claims.

    *directory* is the number of the set by which it does; 0 if nobody remembers.
    """

    actor: Actor
    order: Order
    claims: Claims
    directory: int = 0


@dataclass(slots=True)
class Gateway:
    """Everything that workflows use. Built once, in the composition root.

    *single* is for reads of one statement. *unauthenticated* counts requests whose token did not hold since the last upkeep; *stuck* says why released shares could not be finished; *waiting* are those of them that wait for the keyholder; *keyholder_trouble* says why it could not be shown what it has not seen; *underway* are the ranges (share, serving) being sent; *settled* is notified when one has ended; *owed* are the ends that the database did not take; *recovered* counts the writer's new connections after which interrupted releases were finished; *displaced* is set once another server has taken this one's place; *proposal_days* is how long a proposal stays open; *all_left* the directory by which no item was to leave its vault epoch, and when that was seen; *swept* the day on which all shares with dates were last decided again; *dates* which these are; *upload_quota* bytes may lie in the open uploads of one actor; *policy_threshold* authors sign a policy set; *refused* says of `directory` and `policy` why what lies in its folder is not in force; on *crew* ciphers and hashes run beside each other; *tallies* are the digests of uploads as far as they have come.
    """

    engine: Engine
    single: Engine
    writer: Writer
    blobs: LocalBlobs
    replay: Replay
    keyholder: Keyholder
    log: Log
    manifest_signer: Signer
    upload_key: bytes
    audience: str
    now: Callable[[], datetime]
    sets: Sets
    quarantine: str | None = None
    policy_threshold: int = 2
    refused: dict[str, str] = field(default_factory=dict)
    upload_quota: int = 1 << 40
    unauthenticated: int = 0
    proposal_days: int = 30
    swept: date | None = None
    all_left: tuple[str, datetime] | None = None
    displaced: threading.Event = field(default_factory=threading.Event)
    dates: Dates = field(default_factory=Dates)
    stopped: set[str] = field(default_factory=set)
    stuck: dict[str, str] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    keyholder_trouble: str | None = None
    underway: set[tuple[str, str]] = field(default_factory=set)
    settled: threading.Condition = field(default_factory=threading.Condition)
    owed: dict[tuple[str, str], Callable[[Transaction], None]] = field(default_factory=dict)
    recovered: int = 0
    crew: Executor = field(default_factory=crew)
    tallies: Tallies = field(default_factory=Tallies)
    _waiting: "weakref.WeakValueDictionary[str, threading.Lock]" = field(
        default_factory=weakref.WeakValueDictionary
    )
    _locks: threading.Lock = field(default_factory=threading.Lock)

    @property
    def verifier(self) -> Verifier:
        """The log's public key."""
        return Verifier(self.log.origin, self.log.signer.public_key)

    def vault(self, now: datetime) -> Recipient:
        """Return the vault's recipient that deposits are sealed to. Raises UnavailableError."""
        return _recipient(active_vault(self.sets.directory, now).public)

    def lock(self, name: str) -> threading.Lock:
        """Return the lock of one upload or share: its workflows run one after another."""
        with self._locks:
            return self._waiting.setdefault(name, threading.Lock())

    def put(self, **sets: Any) -> None:
        """Put other sets into force in place of those named; the rest stays as it is."""
        with self._locks:
            self.sets = replace(self.sets, **sets)

    def follow(self, conn: Connection) -> Directory:
        """Return the directory in force as this transaction sees it, and work by it from now on.

        Another server may have accepted it: what it revoked is not served here for one more second.
        Raises UnavailableError if it cannot be read.
        """
        number = sets.latest_number(conn)
        if number is not None and number > self.sets.directory.number:
            data = sets.directory_numbered(conn, number) or b""
            try:
                directory = _opened(data, self.sets.root)
            except GatewayError as error:
                raise UnavailableError(f"directory set {number} cannot be read: {error}") from None
            with self._locks:
                if directory.number > self.sets.directory.number:
                    self.sets = replace(self.sets, directory=directory, directory_data=data)
        return self.sets.directory

    def directory_at(self, moment: datetime) -> Directory:
        """Return the directory that was in force at *moment*. Raises NotFoundError."""
        with self.engine.connect() as conn:
            data = sets.directory_at(conn, moment)
        if data is None:
            raise NotFoundError("no directory was in force then")
        return _opened(data, self.sets.root)

    def directory_numbered(self, number: int) -> Directory:
        """Return the directory set of this number. Raises NotFoundError."""
        with self.engine.connect() as conn:
            data = sets.directory_numbered(conn, number)
        if data is None:
            raise NotFoundError("no directory set of this number was in force")
        return _opened(data, self.sets.root)


@lru_cache(maxsize=8)  # to spell one out takes longer than to wrap to it
def _recipient(text: str) -> Recipient:
    return parse_recipient(text)


@lru_cache(maxsize=8)  # every release judges its orders by such sets, and to verify one takes 10 ms
def _opened(data: bytes, root: Root) -> Directory:
    return open_set(data, root)


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal as a value: committed with its entry, raised to the caller afterwards."""

    error: GatewayError


Work = Callable[[Transaction], Answer]


def mechanism_only(actor: Actor) -> None:
    """Raise ForbiddenError unless the actor is of the mechanism."""
    if actor.party.kind is not PartyKind.MECHANISM:
        raise ForbiddenError("only the mechanism does this")


def read_act(signed: Signed) -> Act:
    """Decode the act of a request and check that its sender may order it."""
    act = act_of(signed.order.body)
    check_rights(signed.actor, act)
    mechanism_only(signed.actor)
    return act


def perform(gateway: Gateway, signed: Signed, work: Work, *, creates: str | None = None) -> Answer:
    """Spend the token, keep the order and do *work*, all in one transaction; return its answer.

    A GatewayError from *work* undoes the work alone: the spent token, the order and an entry that
    says *refused* are committed; so is an act whose second signature is due at the time it is logged
    and does not hold. With *creates*, the same id and body by the same actor get the
    first answer again.
    """
    check_writable(gateway)
    now = gateway.now()
    unsigned = _second_fault(signed, now)

    def job(tx: Transaction) -> Answer | Refused:
        if not _spend(tx, signed):
            return _refuse(tx, signed, UnauthorizedError("token was spent before"), now)
        orders.keep(tx.conn, signed.order, signed.actor.id, now)
        if not still_acts(gateway, tx.conn, signed, now):
            return _refuse(tx, signed, UnauthorizedError(NOT_ANY_MORE), now)
        if unsigned is not None:
            return _refuse(tx, signed, unsigned, now)
        return _attempt(tx, signed, work, creates, now)

    result = gateway.writer.run(job)
    if isinstance(result, Refused):
        telemetry.refused.inc()
        raise result.error
    return result


def _second_fault(signed: Signed, now: datetime) -> GatewayError | None:
    if is_order(signed.order.body):
        try:
            check_second_order(signed.order.body, signed.actor.key, now)
        except GatewayError as error:
            return error
    return None


NOT_ANY_MORE = "the key that signed this is not active any more"


def still_acts(gateway: Gateway, conn: Connection, signed: Signed, now: datetime) -> bool:
    """Tell whether the key of a request is active by the directory that this transaction sees."""
    known = signed.actor.key
    if gateway.follow(conn).number == signed.directory:
        return True
    owner = gateway.sets.directory.actor(known.kid)
    return owner is not None and owner.key.in_force(now)


def refuse(gateway: Gateway, signed: Signed, error: GatewayError) -> None:
    """Record that a signed request was refused before any work began."""
    if gateway.quarantine is not None:
        return
    now = gateway.now()

    def job(tx: Transaction) -> None:
        if _spend(tx, signed):  # else its workflow has recorded the refusal, or it is a replay
            orders.keep(tx.conn, signed.order, signed.actor.id, now)
            _refuse(tx, signed, error, now)

    telemetry.refused.inc()
    gateway.writer.run(job)


def check_writable(gateway: Gateway) -> None:
    """Raise QuarantinedError while the ledger may not be written."""
    if gateway.quarantine is not None:
        raise QuarantinedError(f"read-only quarantine: {gateway.quarantine}")


def check_fresh(gateway: Gateway, now: datetime) -> None:
    """Raise UnavailableError once the directory has expired: releases and pulls stop."""
    if gateway.sets.directory.expired(now):
        raise UnavailableError("the directory has expired: a new set must be signed first")


def record(gateway: Gateway, entry: Entry) -> "Future[str]":
    """Queue an entry that changes nothing else; entries waiting together share a transaction."""
    return gateway.writer.submit(lambda tx: tx.record(entry), entries_only=True)


def _spend(tx: Transaction, signed: Signed) -> bool:
    claims = signed.claims
    return orders.spend(tx.conn, signed.order, claims.iss, claims.jti, claims.exp + LEEWAY)


def _attempt(
    tx: Transaction, signed: Signed, work: Work, creates: str | None, now: datetime
) -> Answer | Refused:
    entries = len(tx.leaves), len(tx.sealed)
    try:
        with tx.conn.begin_nested():
            return _once(tx, signed, work, creates)
    except GatewayError as error:
        del tx.leaves[entries[0] :], tx.sealed[entries[1] :]
        return _refuse(tx, signed, error, now)


def _once(tx: Transaction, signed: Signed, work: Work, creates: str | None) -> Answer:
    if creates is None:
        return work(tx)
    body = signed.order.body_digest.hex()
    earlier = orders.answered(tx.conn, creates, signed.actor.id, body)
    if earlier is not None:
        answer = parse_json(earlier)
        return answer if isinstance(answer, dict) else {}
    made = work(tx)
    orders.keep_answer(tx.conn, creates, signed.actor.id, body, canonical_json(made))
    return made


def _name_of(error: GatewayError) -> str:
    kinds = (kind.__name__ for kind in type(error).__mro__)
    return next(name for name in kinds if not name.startswith("_"))


def _refuse(tx: Transaction, signed: Signed, error: GatewayError, now: datetime) -> Refused:
    tx.record(
        Entry(
            kind=Kind.REFUSED,
            at=now,
            actor=signed.actor.id,
            order=signed.order.digest,
            outcome=_name_of(error),
            content=str(error),
        )
    )
    return Refused(error)
