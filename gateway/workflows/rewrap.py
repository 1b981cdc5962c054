"""Vault rotation: the file keys of epochs that are to be left go to the active one, in the background.

Which those are, the signed directory says: a vault key that is *revoked*. A *retired* one stays as it is,
and is unlocked only when there is work for it. Nothing waits for a rotation: until an item's record is
entered, its old vault header goes on serving. A crash loses at most a batch that was not entered, which
is then made again.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from gateway.exchange.directory import Directory
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parties import Key, Status
from gateway.exchange.rewraps import epoch_of, first_epoch, read_rewrap
from gateway.exchange.rewraps import vaults as vaults_of
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import GatewayError, VerificationError
from gateway.keyholder.moving import Moved
from gateway.keyholder.protocol import MoveItem
from gateway.store import vaults
from gateway.store.writer import Transaction
from gateway.workflows.gateway import Gateway
from gateway.workflows.proofs import inform

BATCH = 64
"""Items of one request to the keyholder, and of one transaction."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Standing:
    """An epoch: its status in the directory, how many items are wrapped to it, how many have open work."""

    epoch: str
    status: str
    items: int
    open: int


def standing(
    directory: Directory, counts: Mapping[str, tuple[int, int]], now: datetime
) -> list[Standing]:
    """Return how the vault's epochs stand, the first to begin first; *counts* as the store has them."""
    return [_standing(key, counts, now) for key in vaults_of(directory)]


def _standing(key: Key, counts: Mapping[str, tuple[int, int]], now: datetime) -> Standing:
    epoch = epoch_of(key.public)
    ended = key.status is Status.ACTIVE and not key.in_force(now)
    status = "not in force" if ended else key.status.value
    return Standing(epoch, status, *counts.get(epoch, (0, 0)))


def run(
    gateway: Gateway,
    stop: threading.Event | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Re-wrap what is to leave its epoch, until nothing is left or *stop* is set; return how many were.

    *told* hears of each batch. What stands against it is logged, and the next call goes on from there: a
    locked keyholder ends the run, an item whose header cannot be opened is passed over.
    """
    done, after = 0, ""
    if _next(gateway, after) and not _informed(gateway):
        return 0
    while stop is None or not stop.is_set():
        found = _next(gateway, after)
        if not found:
            break
        after = found[-1].item
        try:
            count = _batch(gateway, found)
        except GatewayError as error:
            _log.warning("vault_rotation_waits", reason=str(error), rewrapped=done)
            break
        done += count
        told(count)
    return done


def _informed(gateway: Gateway) -> bool:
    """Show the keyholder the newest directory, by which it moves; tell whether it can be asked at all."""
    try:
        inform(gateway)
    except GatewayError as error:
        _log.warning("vault_rotation_waits", reason=str(error), rewrapped=0)
        return False
    return True


def _next(gateway: Gateway, after: str) -> list[MoveItem]:
    """Return the next items of epochs that are to be left, with their vault headers."""
    directory = gateway.sets.directory
    left = {epoch_of(key.public) for key in vaults_of(directory) if key.status is Status.REVOKED}
    if not left or gateway.quarantine is not None:
        return []
    first = first_epoch(directory)
    with gateway.engine.connect() as conn:
        names = vaults.waiting(conn, left, first, after=after, limit=BATCH)
        found = [(name, vaults.current(conn, name)) for name in names]
    return [
        MoveItem(name, one.header, one.epoch or first)
        for name, one in found
        if one.header is not None
    ]


def _batch(gateway: Gateway, items: Sequence[MoveItem]) -> int:
    """Have a batch wrapped and enter it; one by one, if an item in it cannot be."""
    try:
        moved = gateway.keyholder.move(items)
    except VerificationError as error:
        if len(items) > 1:
            return sum(_batch(gateway, [item]) for item in items)
        _log.error("vault_header_not_opened", item=items[0].item, reason=str(error))
        return 0
    pairs = [*zip(items, moved, strict=True)]
    return gateway.writer.run(
        lambda tx: sum(_enter(tx, item.item, made, gateway.now()) for item, made in pairs)
    )


def _enter(tx: Transaction, item: str, made: Moved, now: datetime) -> bool:
    """Enter one re-wrap, unless the header was destroyed or replaced meanwhile."""
    record = read_rewrap(made.record)
    current = vaults.current(tx.conn, item)
    if current.header is None or current.digest != record.old:
        return False
    content = {"old": record.old, "new": record.new, "before": record.before, "after": record.after}
    entry = tx.record(
        Entry(
            kind=Kind.VAULT_REWRAPPED,
            at=now,
            subject=item,
            items=(item,),
            content={"record": hex_sha256(made.record), **content},
        )
    )
    vaults.keep(
        tx.conn,
        item,
        header=made.header,
        digest=record.new,
        epoch=record.after,
        record=made.record,
        entry=entry,
        at=now,
    )
    return True
