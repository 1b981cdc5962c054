"""Pull and acknowledge: the authority's side of a share, decided again at every range.

A range served is two entries: *authorised*, integrated before its first byte leaves, and *finished*
or *interrupted* after its last. Not yours and not there look alike.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Connection

from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.parties import Role
from gateway.exchange.receipts import STEP, Receipt, Rung, open_receipt
from gateway.exchange.shares import PULLABLE, VISIBLE, State, advance
from gateway.kernel.encoding import digest_of
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    GatewayError,
    MalformedError,
    NotFoundError,
    TermsUnsignedError,
    UnauthorizedError,
    UnavailableError,
    VerificationError,
)
from gateway.kernel.ids import new_id
from gateway.store import envelope_keys, inbox, servings, shares, uploads
from gateway.store.servings import Serving
from gateway.store.shares import Header, KeptManifest, Share
from gateway.store.writer import Transaction
from gateway.workflows.decide import Ruling, rule
from gateway.workflows.gateway import (
    NOT_ANY_MORE,
    Answer,
    Gateway,
    Signed,
    check_fresh,
    check_writable,
    perform,
    still_acts,
)
from gateway.workflows.suspend import blocked
from gateway.workflows.terms import Given, given, unsigned

_log = structlog.get_logger()
MIN_RANGE = 1 << 20  # bytes: shorter ranges that do not reach the end cost quota
_PAUSES = (0.05, 0.2, 0.8)  # seconds between tries to log how a range ended
_SETTLE = 2.0  # seconds that a receipt waits for the ends of ranges that are being logged


@dataclass(frozen=True, slots=True)
class Item:
    """Item *n* of a share as it is pulled: its header, then the blobs of its body."""

    share: str
    n: int
    header: Header
    body: str
    body_size: int
    blobs: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of header and body together."""
        return len(self.header.data) + self.body_size

    @property
    def etag(self) -> str:
        """A strong validator: both digests, no more than the manifest says."""
        return f'"{self.header.digest[:32]}{self.body[:32]}"'


def check_endpoint(signed: Signed) -> None:
    """Check that an authority's endpoint asks. Raises ForbiddenError."""
    if signed.actor.party.kind is not PartyKind.AUTHORITY:
        raise ForbiddenError("only an authority has an inbox")
    if Role.ENDPOINT not in signed.actor.member.roles:
        raise ForbiddenError("this needs the role endpoint")


def _check_acts(gateway: Gateway, conn: Connection, signed: Signed, now: datetime) -> None:
    """Raise UnauthorizedError if the caller's key ended with a directory that came into force meanwhile."""
    if not still_acts(gateway, conn, signed, now):
        raise UnauthorizedError(NOT_ANY_MORE)


def visible(conn: Connection, signed: Signed, share_id: str) -> Share:
    """Return a share that the actor's party may know of. Raises NotFoundError."""
    share = shares.for_recipient(conn, share_id, signed.actor.party.id, VISIBLE)
    if share is None:
        raise NotFoundError("no such share")
    return share


def messages(gateway: Gateway, signed: Signed, after: int, limit: int) -> list[inbox.Kept]:
    """Return the party's messages numbered above *after*."""
    check_endpoint(signed)
    with gateway.single.connect() as conn:
        return inbox.after(conn, signed.actor.party.id, after, limit)


def manifest(gateway: Gateway, signed: Signed, share_id: str) -> KeptManifest:
    """Return the manifest of a share that may be pulled now."""
    check_endpoint(signed)
    now = gateway.now()
    check_fresh(gateway, now)
    with gateway.engine.connect() as conn:
        _check_acts(gateway, conn, signed, now)
        share = visible(conn, signed, share_id)
        check_going(gateway, conn, share)
        return shares.manifest(conn, share_id)


def find_item(gateway: Gateway, signed: Signed, share_id: str, n: int) -> Item:
    """Return item *n* of a share of the actor's party. Raises NotFoundError.

    Raises ConflictError if its header was deleted with a revoked key.
    """
    check_endpoint(signed)
    with gateway.engine.connect() as conn:
        visible(conn, signed, share_id)
        if envelope_keys.was_deleted(conn, share_id, n, shares.sequence(conn, share_id)):
            raise ConflictError("the share is suspended")
        header = shares.header(conn, share_id, n)
        sealed = uploads.sealed_item(conn, header.item)
        parts = uploads.parts_of(conn, sealed.upload)
        names = tuple(part.blob for part in parts if part.blob is not None)
        return Item(share_id, n, header, sealed.body, sealed.body_size, names)


def check_pullable(gateway: Gateway, share_id: str) -> None:
    """Raise what pulling an item of a share would: ConflictError if it may not be pulled now."""
    check_fresh(gateway, gateway.now())
    with gateway.engine.connect() as conn:
        gateway.follow(conn)
        share = shares.get(conn, share_id)
        refusal, _ = _refusal(gateway, conn, share, given(conn, share))
    if refusal is not None:
        raise refusal


def authorise(gateway: Gateway, signed: Signed, item: Item, first: int, end: int) -> Serving:
    """Decide again and log that bytes [first, end) may leave. Not one leaves before this returns.

    Raises ConflictError if the share is recalled, expired or not permitted any more, and
    TermsUnsignedError while an officer has to sign its terms.
    """
    check_writable(gateway)
    now = gateway.now()
    check_fresh(gateway, now)

    def job(tx: Transaction) -> Serving | GatewayError:
        try:
            _check_acts(gateway, tx.conn, signed, now)
            share = visible(tx.conn, signed, item.share)
        except GatewayError as error:  # a value: this transaction may carry others' entries
            return error
        told = given(tx.conn, share)
        refusal, ruling = _refusal(gateway, tx.conn, share, told)
        if refusal is None and shares.sequence(tx.conn, share.id) != item.header.seq:
            refusal = ConflictError("the share was wrapped anew meanwhile: read its manifest again")
        kind = Kind.REFUSED if refusal else Kind.RANGE_AUTHORISED
        entry = tx.record(
            Entry(
                kind=kind,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=item.share,
                recipient=share.recipient,
                decision=_decision(tx.conn, share.id, ruling, now) if ruling else None,
                outcome=str(refusal) if refusal else None,
                content={"n": item.n, "first": first, "end": end},
            )
        )
        if refusal:
            return refusal
        serving = Serving(
            new_id("srv"),
            share.id,
            item.n,
            signed.actor.key.kid,
            first,
            end,
            entry,
            told.expires,
            item.header.seq,
        )
        servings.begin_serving(tx.conn, serving, now)
        return serving

    made = gateway.writer.run(job, entries_only=True)
    if isinstance(made, GatewayError):
        raise made
    with gateway.settled:
        gateway.underway.add((made.share, made.id))
    return made


def _decision(conn: Connection, share_id: str, ruling: Ruling, now: datetime) -> str:
    """Return the digest of the decision that a range rests on; keep it if it is a new one."""
    digest = digest_of(ruling.json())
    if digest_of(shares.latest_decision(conn, share_id)) != digest:
        shares.keep_decision(conn, share_id, "range", ruling.json(), [*ruling.facts], now)
    return digest


def _refusal(
    gateway: Gateway, conn: Connection, share: Share, told: Given
) -> tuple[ConflictError | None, Ruling | None]:
    """Return why no item of a share may be pulled now, or nothing; and the ruling, if there was one."""
    why, ruling = _stopped(gateway, conn, share, told)
    if why:
        return ConflictError(why), ruling
    if unsigned(conn, share, told):
        return TermsUnsignedError("the terms are not signed: an officer has to sign them"), ruling
    return None, ruling


def _stopped(
    gateway: Gateway, conn: Connection, share: Share, told: Given
) -> tuple[str, Ruling | None]:
    """Return why a share is not served now, in words for its recipient, or nothing; and the ruling."""
    if share.state is State.RECALLED:
        return "the share was recalled", None
    if share.state is State.EXPIRED or told.ended(gateway.now()):
        return "the share has expired", None
    package = shares.package(conn, share.package)
    recipient = gateway.sets.directory.party(share.recipient)
    ruling = rule(
        gateway, conn, package, recipient, gateway.now(), share=share.id, requester=share.proposer
    )
    stopped = blocked(gateway, conn, share, ruling, told)
    return "the share is suspended" if stopped else "", ruling


def check_going(gateway: Gateway, conn: Connection, share: Share) -> None:
    """Raise ConflictError for a share that is recalled, expired, or not permitted any more.

    What its recipient reads before he accepts the terms asks for no more than this.
    """
    why, _ = _stopped(gateway, conn, share, given(conn, share))
    if why or share.state not in PULLABLE:
        raise ConflictError(why or "the share cannot be pulled")


def may_continue(gateway: Gateway, serving: Serving) -> bool:
    """Tell whether a running download may go on, by what is in memory: no recall, key and term in force."""
    now, actor = gateway.now(), gateway.sets.directory.actor(serving.kid)
    alive = actor is not None and actor.key.in_force(now)
    ended = serving.until is not None and serving.until < now.date().isoformat()
    return alive and not ended and serving.share not in gateway.stopped


def still_permitted(gateway: Gateway, serving: Serving) -> bool:
    """Tell whether a running download may go on, deciding again as a new pull would be."""
    try:
        check_pullable(gateway, serving.share)
    except GatewayError:
        return False
    return may_continue(gateway, serving)


def stream(gateway: Gateway, item: Item, first: int, end: int) -> Iterator[bytes]:
    """Yield bytes [first, end) of header ‖ body, a MiB at a time."""
    at = len(item.header.data)
    if first < at:
        yield item.header.data[first : min(end, at)]
    left_to_skip = max(first - at, 0)
    wanted = end - max(first, at)
    for blob in item.blobs:
        if wanted <= 0:
            return
        size = gateway.blobs.size(blob)
        if left_to_skip >= size:
            left_to_skip -= size
            continue
        for data in gateway.blobs.read(blob, left_to_skip, min(size, left_to_skip + wanted)):
            wanted -= len(data)
            yield data
        left_to_skip = 0
    if wanted > 0:
        # Evidence is damaged: the operator must hear of it, and see which item it is.
        _log.error("body_short", share=item.share, item=item.n, missing=wanted)


def ended(
    gateway: Gateway, actor: str | None, serving: Serving, sent: int | None, recipient: str
) -> None:
    """Log how a range ended: *finished* if every byte was handed to the network; None: nobody knows.

    Tried again if the database fails: nobody else would, and a range without its end cannot be
    acknowledged. If it fails for longer, the end is owed, and logged by `settle_owed`.
    """
    now = gateway.now()
    whole = sent == serving.end - serving.first
    kind = Kind.RANGE_FINISHED if whole else Kind.RANGE_INTERRUPTED

    def job(tx: Transaction) -> None:
        state = "finished" if whole else "interrupted"
        if not servings.end_serving(tx.conn, serving.id, state, sent):
            return  # committed by a try whose answer was lost
        tx.record(
            Entry(
                kind=kind,
                at=now,
                actor=actor,
                subject=serving.share,
                recipient=recipient,
                cause=serving.entry,
                content={"n": serving.n, "first": serving.first, "sent": sent},
            )
        )

    key = (serving.share, serving.id)
    try:
        for pause in _PAUSES:
            try:
                gateway.writer.run(job, entries_only=True)
                break
            except UnavailableError:
                time.sleep(pause)
        else:
            gateway.writer.run(job, entries_only=True)
    except UnavailableError:
        with gateway.settled:
            gateway.owed[key] = job
        raise
    except BaseException:
        _forget(gateway, key)
        raise
    _forget(gateway, key)


def _forget(gateway: Gateway, key: tuple[str, str]) -> None:
    with gateway.settled:
        gateway.owed.pop(key, None)
        gateway.underway.discard(key)
        gateway.settled.notify_all()


def settle_owed(gateway: Gateway) -> None:
    """Log the ends of ranges that the database did not take while it was away."""
    with gateway.settled:
        owed = [*gateway.owed.items()]
    for key, job in owed:
        gateway.writer.run(job, entries_only=True)
        _forget(gateway, key)


def close_open_servings(gateway: Gateway) -> int:
    """Log the ranges that a crash left open as interrupted, nobody knows where; return how many."""
    with gateway.engine.connect() as conn:
        found = servings.open_servings(conn)
        parties = {s.share: shares.get(conn, s.share).recipient for s in found}
    for serving in found:
        actor = gateway.sets.directory.actor(serving.kid)
        ended(gateway, actor.id if actor else None, serving, None, parties[serving.share])
    return len(found)


def acknowledge(gateway: Gateway, signed: Signed, share_id: str) -> Answer:
    """Accept a signed receipt for the next rung. Refused for bytes that were never served.

    What was pulled before a share expired is vouched for after it, too: the share stays expired.
    """
    now = gateway.now()
    receipt = open_receipt(signed.order.body, signed.actor, now)
    if receipt.share != share_id:
        raise MalformedError("the receipt is of another share", field="/share")
    check_writable(gateway)
    if receipt.rung is Rung.PULLED:
        _settle(gateway, signed, share_id)

    def work(tx: Transaction) -> Answer:
        share = visible(tx.conn, signed, share_id)
        kept = shares.manifest(tx.conn, share_id)
        if receipt.manifest != kept.digest:
            raise VerificationError("the receipt is for another manifest")
        if receipt.rung is Rung.PULLED:
            _check_served(tx.conn, share_id)
        entry = tx.record(
            Entry(
                kind=Kind.RECEIPT,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=share_id,
                recipient=share.recipient,
                outcome=receipt.rung.value,
                content={"manifest": kept.digest},
            )
        )
        state = _climb(tx, share, receipt, signed, entry, now)
        servings.keep_receipt(
            tx.conn,
            share_id,
            receipt.id,
            receipt.rung.value,
            signed.actor.id,
            signed.order.body,
            now,
        )
        return {"share": share_id, "state": state.value, "entry": entry}

    return perform(gateway, signed, work, creates=receipt.id)


def _climb(
    tx: Transaction, share: Share, receipt: Receipt, signed: Signed, entry: str, now: datetime
) -> State:
    """Let a share take the step of a receipt. Raises ConflictError if it is not the next."""
    step = STEP[receipt.rung]
    if share.state is State.EXPIRED:
        advance(_reached(tx.conn, share), step)
        return share.state
    return shares.step(
        tx.conn,
        share.id,
        step,
        actor=signed.actor.id,
        entry=entry,
        order=signed.order.digest,
        at=now,
    )


def _reached(conn: Connection, share: Share) -> State:
    """Return where an expired share would stand, had it not expired: receipts may still arrive."""
    *_, state, _ = (event.state for event in shares.events(conn, share.id))
    for receipt in servings.receipts_of(conn, share.id):
        with suppress(ConflictError):  # one from before the end: its step is taken already
            state = advance(state, STEP[Rung(receipt.rung)])
    return state


def _settle(gateway: Gateway, signed: Signed, share_id: str) -> None:
    """Wait for ranges whose last byte has arrived before their end was logged.

    Only for whom they are sent: else the wait would tell others that a share is being pulled.
    """
    with gateway.engine.connect() as conn:
        visible(conn, signed, share_id)
    with gateway.settled:
        gateway.settled.wait_for(
            lambda: all(share != share_id for share, _ in gateway.underway), timeout=_SETTLE
        )
        if any(share == share_id for share, _ in gateway.owed):
            raise UnavailableError("how a range ended is not logged yet; try again")


def _check_served(conn: Connection, share_id: str) -> None:
    """Check that every byte of every item was handed to the network, or may have been before a crash."""
    share = shares.get(conn, share_id)
    package = shares.package(conn, share.package)
    for n, item in enumerate(uploads.deposited(conn, package.items)):
        header, sizes = shares.header(conn, share_id, n), shares.header_sizes(conn, share_id, n)
        if (
            servings.served(conn, share_id, n, header.seq, sizes)
            < len(header.data) + item.body_size
        ):
            raise ConflictError(f"item {n} was not served to its end: pull it first")
