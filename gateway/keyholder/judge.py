"""Whether a wrap is owed: what the keyholder believes, and from what. Pure.

Nothing is taken from the gateway's word. An order counts if its signature and rights hold by the
directory that was in force at the exact time opened from its ledger entry, and if that entry stands under
a checkpoint of the pinned log that continues the last one seen. Every refusal says which part of the
request it is about, and why.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from gateway.exchange.acts import Act, Approve, Deposit, Order, Propose, Recall, Release, judge
from gateway.exchange.directory import Actor, Directory
from gateway.exchange.entitlement import check_named
from gateway.exchange.entries import Kind
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.parties import Party, Role, Status, Use
from gateway.exchange.rewraps import active_vault, path_of, standing_rewrap_keys
from gateway.kernel.encoding import Json, hex_sha256, sha256
from gateway.kernel.errors import ConflictError, GatewayError, VerificationError
from gateway.kernel.signing import thumbprint
from gateway.kernel.time import exact_instant
from gateway.ledger import (
    Checkpoint,
    Slot,
    Verifier,
    check_openings,
    decode_openings,
    leaf_hash,
    open_checkpoint,
    verify_consistency,
    verify_inclusion,
)

MAX_APPROVALS = 32
DRIFT = timedelta(minutes=5)
"""By how much the time of an entry may disagree with its place: clocks are set, and workflows take time."""
SHOWN_SLOTS = (Slot.KIND, Slot.TIME, Slot.ACTOR, Slot.ORDER, Slot.SUBJECT)
"""What must be opened of an order's entry; more may be."""
_ALGORITHM = {"pq": "mlkem768x25519", "classic": "x25519"}
T = TypeVar("T")


class Proved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ledger entry: its leaf, what opens slots of it, and its path to the checkpoint shown."""

    leaf: bytes
    opening: bytes
    index: int
    path: tuple[bytes, ...]


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order as it was kept, with the entry that logged it."""

    token: str
    method: str
    target: str
    body: bytes
    entry: Proved


class View(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checkpoint, and the proof that it continues the one of *since* entries; 0: none was seen yet."""

    checkpoint: bytes
    since: int
    consistency: tuple[bytes, ...]


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item to wrap. *chain* are re-wrap records that lead from the deposit record to this header.

    *epoch* is the vault epoch that it is said to be wrapped to; none: whichever is open.
    """

    deposit: Shown
    vault_header: bytes
    chain: tuple[bytes, ...] = ()
    epoch: str = ""


class WrapRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="wrap"):
    """Items of one release, to be wrapped for its recipient, with all that entitles him to them.

    With *keys*, only to those of the recipient's keys that are among them: the gateway may know of some
    that they are not to be used yet.
    """

    view: View
    recipient: str
    release: Shown
    items: tuple[Item, ...]
    approvals: tuple[Shown, ...] = ()
    proposal: Shown | None = None
    keys: tuple[str, ...] | None = None


class Floor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fewest distinct approvers of a handling class, and roles of which each has one of her own."""

    persons: int = 0
    roles: tuple[Role, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.persons <= MAX_APPROVALS or len(self.roles) > MAX_APPROVALS:
            raise ValueError(f"a floor asks for 0 to {MAX_APPROVALS} persons")

    @property
    def fewest(self) -> int:
        """How many approvers it takes."""
        return max(self.persons, len(self.roles))

    def met_by(self, approvers: Mapping[str, frozenset[Role]]) -> bool:
        """Tell whether these persons, by the roles in which each approved, are enough."""
        seats: dict[int, str] = {}
        filled = all(self._seat(i, approvers, seats, set()) for i in range(len(self.roles)))
        return filled and len(approvers) >= self.fewest

    def _seat(
        self, i: int, approvers: Mapping[str, frozenset[Role]], seats: dict[int, str], met: set[str]
    ) -> bool:
        """Seat somebody in role *i*, moving others where they can sit elsewhere."""
        for person, roles in approvers.items():
            if self.roles[i] not in roles or person in met:
                continue
            met.add(person)
            other = next((n for n, seated in seats.items() if seated == person), None)
            if other is None or self._seat(other, approvers, seats, met):
                seats[i] = person
                return True
        return False


@dataclass(frozen=True, slots=True)
class Accepted:
    """A directory set that the ledger says was put into force: where, and when exactly."""

    number: int
    index: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Trust:
    """What the keyholder brings itself. *accepted* are its directory sets, oldest first."""

    audience: str
    log: Verifier
    floors: Mapping[str, Floor]
    otherwise: Floor
    accepted: Sequence[Accepted]
    directory: Callable[[int], Directory]
    last: Checkpoint | None
    now: datetime

    def newest(self) -> Directory:
        """Return the newest directory. Raises VerificationError if there is none, or it has expired."""
        if not self.accepted:
            raise VerificationError("directory: none was shown yet")
        found = self.directory(self.accepted[-1].number)
        if found.expired(self.now):
            raise VerificationError("directory: the newest set shown has expired")
        return found

    def floor(self, handling: str) -> Floor:
        """Return the floor of a handling class."""
        return self.floors.get(handling, self.otherwise)


@dataclass(frozen=True, slots=True)
class Entered:
    """An entry that stands in the ledger, with what was opened of it."""

    index: int
    at: datetime
    values: Mapping[Slot, Json]


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order that holds: who ordered what, and where and when that was logged."""

    actor: Actor
    act: Act
    digest: str
    entry: Entered


@dataclass(frozen=True, slots=True)
class Entitled:
    """A release that holds: *approvers* are the persons who cleared it, by the roles they did it in."""

    checkpoint: Checkpoint
    digest: str
    act: Release
    index: int
    recipient: Party
    approvers: Mapping[str, frozenset[Role]]
    named: frozenset[tuple[str, str, str]]
    among: tuple[str, ...] | None
    _keys: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def keys(self, suite: str, now: datetime) -> tuple[str, ...]:
        """Return the age recipients of *suite* that the recipient's envelopes are made for."""
        if suite not in self._keys:
            self._keys[suite] = usable(self.recipient, suite, self.among, now)
        return self._keys[suite]


@dataclass(frozen=True, slots=True)
class Owed:
    """An item whose file key is owed to these *keys*."""

    record: Deposit
    vault_header: str
    keys: tuple[str, ...]


@contextmanager
def about(what: str) -> Iterator[None]:
    """Say in a refusal which part of the request it is about."""
    try:
        yield
    except ConflictError as error:
        raise ConflictError(f"{what}: {error}") from None
    except GatewayError as error:
        raise VerificationError(f"{what}: {error}") from None


def envelope_keys(party: Party, suite: str, now: datetime) -> list[str]:
    """Return the age recipients of *party* that envelopes are made for: active and next ones."""
    keys = party.keys(Use.ENVELOPE, now, Status.ACTIVE, Status.NEXT)
    return [key.public for key in keys if key.alg == _ALGORITHM[suite]]


def usable(
    party: Party, suite: str, among: tuple[str, ...] | None, now: datetime
) -> tuple[str, ...]:
    """Return the age recipients of *party* that the directory has in force, only those *among* if given."""
    found = envelope_keys(party, suite, now)
    return tuple(key for key in found if among is None or key in among)


def check_view(view: View, trust: Trust) -> Checkpoint:
    """Return the checkpoint shown, if it is the pinned log's and continues the last one seen.

    Raises ConflictError if the proof begins elsewhere than at the last one: ask for the state again.
    """
    with about("checkpoint"):
        found = open_checkpoint(view.checkpoint, trust.log)
        if not found.size:
            raise VerificationError("an empty ledger proves nothing")
        if trust.last is None:
            return found
        if found.size < trust.last.size:
            raise VerificationError("it is smaller than the last one seen")
        if view.since != trust.last.size:
            raise ConflictError("another was seen meanwhile: prove consistency from there")
        verify_consistency(
            trust.last.size, found.size, view.consistency, trust.last.root, found.root
        )
        return found


def check_entry(proved: Proved, checkpoint: Checkpoint) -> Entered:
    """Return what is opened of an entry that stands under *checkpoint*. Raises VerificationError."""
    openings = decode_openings(proved.opening)
    check_openings(proved.leaf, openings)
    verify_inclusion(
        leaf_hash(proved.leaf), proved.index, checkpoint.size, proved.path, checkpoint.root
    )
    values = {slot: opening.value for slot, opening in openings.items()}
    time = values.get(Slot.TIME)
    if not isinstance(time, str):
        raise VerificationError("the time of its entry is not opened")
    return Entered(proved.index, exact_instant(time), values)


def in_force(entry: Entered, trust: Trust) -> Directory:
    """Return the directory that was in force when an entry was made.

    A time before a directory that stood in the ledger already is not believed: else whoever writes the
    ledger could date an order back to when a revoked key was good. Raises VerificationError.
    """
    found: Accepted | None = None
    for one in trust.accepted:
        after = entry.index > one.index
        if entry.at < one.at - DRIFT if after else entry.at > one.at + DRIFT:
            raise VerificationError("the time of its entry does not fit its place in the ledger")
        if one.at <= entry.at:
            found = one
    if found is None:
        raise VerificationError("no directory shown yet was in force then")
    return trust.directory(found.number)


def check_order(shown: Shown, kinds: Sequence[Kind], view: Checkpoint, trust: Trust) -> Ordered:
    """Return an order of the mechanism that one of its entries of *kinds* logged.

    Raises VerificationError and what `judge` raises.
    """
    entry = check_entry(shown.entry, view)
    order = Order(shown.token, shown.method, shown.target, shown.body, sha256(shown.body))
    if entry.values.get(Slot.KIND) not in {kind.value for kind in kinds}:
        raise VerificationError("its entry is of another kind")
    if entry.values.get(Slot.ORDER) != order.digest:
        raise VerificationError("its entry commits to another order")
    directory = in_force(entry, trust)
    actor, act = judge(order, audience=trust.audience, directory=directory, logged=entry.at)
    if actor.party.kind is not PartyKind.MECHANISM:
        raise VerificationError("it is not an order of the mechanism")
    if entry.values.get(Slot.ACTOR) != actor.id:
        raise VerificationError("its entry names another actor")
    return Ordered(actor, act, order.digest, entry)


def check_directory(proved: Proved, number: int, digest: str, view: Checkpoint) -> Accepted:
    """Return where and when the ledger put this directory set into force. Raises VerificationError."""
    entry = check_entry(proved, view)
    if entry.values.get(Slot.KIND) != Kind.DIRECTORY_ACCEPTED.value:
        raise VerificationError("its entry is of another kind")
    if entry.values.get(Slot.CONTENT) != {"number": number, "digest": digest}:
        raise VerificationError("its entry is of another set")
    return Accepted(number, entry.index, entry.at)


def check_recall(shown: Shown, view: Checkpoint, trust: Trust) -> tuple[str, int]:
    """Return the share that this order recalls, and the place of its entry."""
    with about("recall"):
        made = check_order(shown, [Kind.SHARE_RECALLED], view, trust)
        act = _expect(made, Recall, "a recall")
        _about_subject(made, act.share)
        return act.share, made.entry.index


def check_release(request: WrapRequest, trust: Trust) -> Entitled:
    """Judge all that a wrap request shows but its items. Raises VerificationError."""
    view = check_view(request.view, trust)
    newest = trust.newest()
    with about("release"):
        made = check_order(request.release, [Kind.SHARE_RELEASED], view, trust)
        act = _expect(made, Release, "a release")
        _about_subject(made, act.share)
        if in_force(made.entry, trust).expired(made.entry.at):
            raise VerificationError("the directory had expired when it was ordered")
        if act.recipient != request.recipient:
            raise VerificationError("it is for another recipient")
    with about("recipient"):
        recipient = newest.party(act.recipient)
        if recipient.kind is not PartyKind.AUTHORITY:
            raise VerificationError("only authorities receive")
    named = frozenset((one.item, one.vault_header, one.body) for one in act.items)
    approvers = _approvers(request, made, act, view, trust)
    return Entitled(
        view, made.digest, act, made.entry.index, recipient, approvers, named, request.keys
    )


def check_item(item: Item, release: Entitled, trust: Trust) -> Owed:
    """Judge one item under a release that holds. Raises VerificationError, ConflictError without a key."""
    with about("deposit"):
        made = check_order(item.deposit, [Kind.ITEM_DEPOSITED], release.checkpoint, trust)
        record = _expect(made, Deposit, "a deposit record")
        _about_subject(made, record.item)
        if made.entry.index > release.index:
            raise VerificationError("it was logged after the release")
    with about("item"):
        header = hex_sha256(item.vault_header)
        path = leads_back(record.item, item.chain, record.vault_header, header, trust)
        check_named(record, path, release.named)
    floor = trust.floor(record.handling)
    if not floor.met_by(release.approvers):
        raise VerificationError(
            f"approvals: {len(release.approvers)} count, the keyholder's floor asks for {floor.fewest}"
            + (f", as {', '.join(role.value for role in floor.roles)}" if floor.roles else "")
        )
    keys = release.keys(record.suite, trust.now)
    if not keys:
        raise ConflictError(f"recipient: it has no {record.suite} key in force")
    return Owed(record, header, keys)


def leads_back(
    item: str, chain: Sequence[bytes], known: str, header: str, trust: Trust
) -> tuple[str, ...]:
    """Return every digest that an item's vault header has had, if this one leads back to a *known* one.

    The records in between are judged by the keyholder's keys as the newest directory has them. Raises
    VerificationError.
    """
    keys = standing_rewrap_keys(trust.newest()) if chain else {}
    path = path_of(item, chain, keys) or (known,)
    if known not in path or path[-1] != header:
        raise VerificationError("the vault header is not the one of the deposit record")
    return path


def check_mover(target: str, signer: bytes, trust: Trust) -> None:
    """Check that the newest directory names the epoch and the record key of a move.

    Else a release of what was moved could be refused. Raises ConflictError.
    """
    newest = trust.newest()
    with about("directory"):
        if active_vault(newest, trust.now).public != target:
            raise ConflictError("its active vault epoch is another: enter the newest one, and sign")
        if thumbprint(signer) not in standing_rewrap_keys(newest):
            raise ConflictError("it lacks the keyholder's key for records: enter it, and sign")


def _approvers(
    request: WrapRequest, release: Ordered, act: Release, view: Checkpoint, trust: Trust
) -> dict[str, frozenset[Role]]:
    """Return who approved just this release before it was ordered, but for its releaser and proposer."""
    if len(request.approvals) > MAX_APPROVALS:
        raise VerificationError(f"approvals: at most {MAX_APPROVALS} are looked at")
    if not request.approvals:
        return {}
    apart = {release.actor.id, _proposer(request, act, view, trust)}
    found: dict[str, frozenset[Role]] = {}
    for n, shown in enumerate(request.approvals):
        with about(f"approval {n}"):
            made = check_order(shown, [Kind.SHARE_APPROVED], view, trust)
            given = _expect(made, Approve, "an approval")
            _about_subject(made, act.share)
            if (given.share, given.recipient) != (act.share, act.recipient):
                raise VerificationError("it is for another share or recipient")
            if given.items != act.items:
                raise VerificationError("it is of other items")
            if made.entry.index > release.entry.index:
                raise VerificationError("it was logged after the release")
        if made.actor.id not in apart:  # it stands, and counts for nothing here
            found[made.actor.id] = found.get(made.actor.id, frozenset()) | {given.role}
    return found


def _proposer(request: WrapRequest, act: Release, view: Checkpoint, trust: Trust) -> str:
    with about("proposal"):
        if request.proposal is None:
            raise VerificationError("approvals count only beside the proposal")
        made = check_order(request.proposal, [Kind.SHARE_PROPOSED], view, trust)
        proposed = _expect(made, Propose, "a proposal")
        _about_subject(made, act.share)
        if (proposed.share, proposed.recipient) != (act.share, act.recipient):
            raise VerificationError("it is of another share or recipient")
        return made.actor.id


def _expect(made: Ordered, kind: type[T], what: str) -> T:
    if not isinstance(made.act, kind):
        raise VerificationError(f"it is not {what}")
    return made.act


def _about_subject(made: Ordered, subject: str) -> None:
    if made.entry.values.get(Slot.SUBJECT) != subject:
        raise VerificationError("its entry is about something else")
