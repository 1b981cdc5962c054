"""From released to available, in steps that are durable and repeatable.

*released* (order, decision and entry) → *prepared* (headers wrapped, manifest signed) → *available*
(entry of their digests, message in the inbox). A crash in between is finished at start.
"""

from contextlib import suppress
from datetime import datetime

import msgspec

from gateway.envelope import parse_recipient, seal_bytes
from gateway.exchange.acts import (
    MakePackage,
)
from gateway.exchange.body_parts import BodyParts
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.manifest import Inner, Manifest, OpenItem, SealedItem, sign_manifest
from gateway.exchange.messages import About
from gateway.exchange.parse import plain
from gateway.exchange.shares import State, Step
from gateway.exchange.terms import last_day
from gateway.kernel.encoding import Json, canonical_json, hex_sha256
from gateway.kernel.errors import (
    GatewayError,
    LockedError,
)
from gateway.kernel.time import spell
from gateway.keyholder.judge import envelope_keys
from gateway.store import shares, uploads
from gateway.store.shares import Header, KeptManifest, Share
from gateway.store.writer import Transaction
from gateway.workflows.gateway import (
    Gateway,
)
from gateway.workflows.post import tell
from gateway.workflows.proofs import ask_wrap, inform


def finish(gateway: Gateway, share_id: str) -> None:
    """Carry a released share on to *available*, from wherever it stands. Repeatable."""
    with gateway.lock(share_id):
        with gateway.engine.connect() as conn:
            state = shares.get(conn, share_id).state
        if state is State.RELEASED:
            try:
                _prepare(gateway, share_id)
            except GatewayError as error:
                gateway.stuck[share_id] = str(error)
                if isinstance(error, LockedError):
                    gateway.waiting.add(share_id)
                raise
        if state in (State.RELEASED, State.PREPARED):
            _offer(gateway, share_id)
        gateway.stuck.pop(share_id, None)
        gateway.waiting.discard(share_id)


def finish_waiting(gateway: Gateway) -> int:
    """Finish the releases that wait for the keyholder, if it is there again; return how many."""
    if not gateway.waiting:
        return 0
    with suppress(LockedError):
        inform(gateway)
        return finish_all(gateway)
    return 0


def finish_all(gateway: Gateway) -> int:
    """Finish what a crash interrupted; return how many shares that were.

    One that cannot be finished stays as it is, and is named by /readyz until it can.
    """
    with gateway.engine.connect() as conn:
        found = shares.in_states(conn, (State.RELEASED, State.PREPARED))
    done = 0
    for share in found:
        try:
            finish(gateway, share.id)
            done += 1
        except GatewayError as error:
            gateway.stuck[share.id] = str(error)
    return done


def _prepare(gateway: Gateway, share_id: str) -> None:
    """Have the headers wrapped and sign the manifest; nothing of it is visible yet."""
    now = gateway.now()
    with gateway.engine.connect() as conn:
        share = shares.get(conn, share_id)
        package = shares.package(conn, share.package)
        items = uploads.deposited(conn, package.items)
        terms = shares.released_terms(conn, share_id)
        parts = [uploads.body_parts_of(conn, item.item) for item in items]
    wrapped = ask_wrap(gateway, share_id)
    wrapped_to = {key for one in wrapped for key in one.keys}
    made = [
        Header(n, one.item, one.header, hex_sha256(one.header)) for n, one in enumerate(wrapped)
    ]
    several = tuple(BodyParts(n, digests) for n, digests in enumerate(parts) if digests)
    manifest = _manifest(gateway, share, package, items, made, several, terms, now)

    def job(tx: Transaction) -> None:
        if shares.get(tx.conn, share_id).state is not State.RELEASED:
            return
        shares.keep_envelopes(tx.conn, share_id, made, manifest, wrapped_to)
        entry = tx.record(Entry(kind=Kind.SHARE_PREPARED, at=now, subject=share_id))
        shares.step(tx.conn, share_id, Step.PREPARE, actor=None, entry=entry, order=None, at=now)

    gateway.writer.run(job)


def _manifest(
    gateway: Gateway,
    share: Share,
    package: MakePackage,
    items: list[uploads.Sealed],
    made: list[Header],
    parts: tuple[BodyParts, ...],
    terms: dict[str, Json],
    now: datetime,
) -> KeptManifest:
    recipient = gateway.sets.directory.party(share.recipient)
    inner = Inner(
        share=share.id,
        recipient=share.recipient,
        items=tuple(OpenItem(n, item.particulars, {}) for n, item in enumerate(items)),
        terms=terms,
        basis=plain(package.basis) if package.basis.mode == "requested" else {"mode": "proactive"},
        note=package.note,
        parts=parts or msgspec.UNSET,
    )
    # The manifest speaks of every item, so it takes the strongest suite that the recipient has.
    keys = envelope_keys(recipient, "pq", now) or envelope_keys(recipient, "classic", now)
    sealed = seal_bytes(canonical_json(plain(inner)), [parse_recipient(key) for key in keys])
    outer = Manifest(
        v=1,
        share=share.id,
        recipient=share.recipient,
        issued=spell(now),
        directory=gateway.sets.directory.number,
        product=package.product.value,
        items=tuple(
            SealedItem(h.n, h.digest, len(h.data), item.body, item.body_size, item.size)
            for h, item in zip(made, items, strict=True)
        ),
        inner=hex_sha256(sealed),
        expires=last_day(terms, now) or msgspec.UNSET,
    )
    container = sign_manifest(outer, gateway.manifest_signer)
    return KeptManifest(container, hex_sha256(container), sealed)


def _offer(gateway: Gateway, share_id: str) -> None:
    """Commit to header and manifest digests and put the message into the inbox: the share is visible."""
    now = gateway.now()

    def job(tx: Transaction) -> None:
        share = shares.get(tx.conn, share_id)
        if share.state is not State.PREPARED:
            return
        digest = shares.manifest(tx.conn, share_id).digest
        cause = shares.event_in(tx.conn, share_id, State.RELEASED).entry
        entry = tx.record(
            Entry(
                kind=Kind.SHARE_AVAILABLE,
                at=now,
                subject=share_id,
                recipient=share.recipient,
                cause=cause,
                content={"manifest": digest},
            )
        )
        shares.step(tx.conn, share_id, Step.OFFER, actor=None, entry=entry, order=None, at=now)
        tell(gateway, tx, share.recipient, About.SHARE_AVAILABLE, now, share=share_id)

    gateway.writer.run(job)
