"""From released to available, in steps that are durable and repeatable.

*released* (order, decision and entry) → *prepared* (headers wrapped, manifest signed) → *available*
(entry of their digests, message in the inbox). A crash in between is finished at start.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

from gateway.exchange.entries import Entry, Kind
from gateway.exchange.messages import About
from gateway.exchange.shares import State, Step
from gateway.kernel.errors import (
    GatewayError,
    LockedError,
)
from gateway.store import shares
from gateway.store.shares import Header, KeptManifest
from gateway.store.writer import Transaction
from gateway.workflows.gateway import (
    Gateway,
)
from gateway.workflows.post import tell
from gateway.workflows.proofs import inform
from gateway.workflows.wrapping import Material, read_material, sign_share, wrap_share


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
    """Have the headers wrapped and sign the manifest; nothing of it is visible yet.

    Once more if another directory came into force meanwhile: a key may have been revoked in it.
    """
    while True:
        now = gateway.now()
        of = read_material(gateway, share_id)
        made = wrap_share(gateway, of, now)
        manifest = sign_share(gateway, of, made, now)
        if gateway.writer.run(partial(_keep, gateway, of, made, manifest, now)):
            return


def _keep(
    gateway: Gateway,
    of: Material,
    made: Sequence[Header],
    manifest: KeptManifest,
    now: datetime,
    tx: Transaction,
) -> bool:
    share_id = of.share.id
    if gateway.follow(tx.conn).number != of.directory.number:
        return False
    if shares.get(tx.conn, share_id).state is State.RELEASED:
        shares.keep_envelopes(tx.conn, share_id, made, manifest, now)
        entry = tx.record(Entry(kind=Kind.SHARE_PREPARED, at=now, subject=share_id))
        shares.step(tx.conn, share_id, Step.PREPARE, actor=None, entry=entry, order=None, at=now)
    return True


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
