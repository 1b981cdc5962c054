"""What the keyholder is shown: orders with the entries that logged them, under the newest checkpoint."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial

import structlog
from msgspec.structs import replace
from sqlalchemy import Connection

from gateway.exchange.entries import SHOWN, Kind
from gateway.exchange.rewraps import first_epoch
from gateway.exchange.shares import State as ShareState
from gateway.kernel.encoding import Json
from gateway.kernel.errors import (
    ConflictError,
    GatewayError,
    LockedError,
    NotFoundError,
    VerificationError,
)
from gateway.keyholder.judge import (
    MAX_APPROVALS,
    SHOWN_SLOTS,
    Item,
    Proved,
    Shown,
    View,
    WrapRequest,
)
from gateway.keyholder.protocol import (
    MAX_ITEMS,
    MAX_RECALLS,
    RewrapItem,
    RewrapRequest,
    ShowDirectory,
    ShowRecalls,
    State,
    Wrapped,
)
from gateway.ledger import Slot, encode_openings, inclusion_path, only
from gateway.store import ledger, orders, shares, shown, uploads, vaults
from gateway.store.uploads import Sealed
from gateway.store.writer import MECHANISM, Transaction
from gateway.workflows.gateway import Gateway

_PAGE = 1000  # entries opened at once
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Evidence:
    """The ledger as one snapshot of the database has it, to be shown to a keyholder that saw less."""

    conn: Connection
    audience_key: bytes
    size: int
    view: View
    tile: Callable[[int, int], bytes]

    def order(self, digest: str, kind: Kind) -> Shown:
        """Return an order with the entry of this kind that logged it. Raises NotFoundError."""
        order = orders.get(self.conn, digest).order
        entry = self.entry(shown.of_order(self.conn, digest, kind), SHOWN_SLOTS)
        return Shown(order.token, order.method, order.target, order.body, entry)

    def entry(self, eid: str, slots: tuple[Slot, ...]) -> Proved:
        """Return an entry with some slots opened. Raises NotFoundError if its opening was erased."""
        row = ledger.entry(self.conn, eid)
        openings = ledger.open_entry(self.conn, eid, MECHANISM, self.audience_key)
        if openings is None:
            raise NotFoundError("the opening of an entry was erased")
        path = inclusion_path(row.index, self.size, self.tile)
        return Proved(row.leaf, encode_openings(only(openings, slots)), row.index, tuple(path))


@contextmanager
def evidence(gateway: Gateway, seen: int) -> Iterator[Evidence]:
    """Read the ledger for a keyholder that saw *seen* entries. Raises VerificationError if it saw more."""
    with gateway.engine.connect() as conn:
        size, _ = ledger.head(conn)
        note = ledger.checkpoint(conn, size)
        if note is None or size < seen:
            raise VerificationError("the keyholder saw more of the ledger than there is now")
        proof = ledger.consistency(conn, seen, size) if seen else []
        tile = lru_cache(None)(partial(ledger.tile, conn))
        yield Evidence(conn, gateway.log.audience_key, size, View(note, seen, tuple(proof)), tile)


def inform(gateway: Gateway) -> State:
    """Show the keyholder the directory sets and recalls that it has not seen; return how it stands.

    Raises LockedError while it is away or locked.
    """
    with gateway.keyholder.turn:
        state = gateway.keyholder.state()
        with evidence(gateway, state.size) as found:
            newer = shown.directories_after(found.conn, state.directory)
        for _, data, eid in newer:
            with evidence(gateway, state.size) as found:
                entry = found.entry(eid, (Slot.KIND, Slot.TIME, Slot.CONTENT))
                message = ShowDirectory(found.view, data, entry)
            state = gateway.keyholder.show_directory(message)
        state = _recalls(gateway, state)
        if state.locked:
            with gateway.engine.connect() as conn:
                work = vaults.working(conn, first_epoch(gateway.sets.directory))
            gateway.keyholder.state(work)
            raise LockedError("the keyholder is locked: its custodians must unlock it")
        return state


def _recalls(gateway: Gateway, state: State) -> State:
    after = state.recalled
    while True:
        with gateway.engine.connect() as conn:
            due = shown.recalls_after(conn, after, MAX_RECALLS)
        if not due:
            return state
        after = due[-1][1]
        state = _show_recalls(gateway, state, [digest for digest, _ in due])


def _show_recalls(gateway: Gateway, state: State, digests: list[str]) -> State:
    """Show recalls; one that is refused keeps no other from being seen."""
    with evidence(gateway, state.size) as found:
        recalls = tuple(found.order(digest, Kind.SHARE_RECALLED) for digest in digests)
        request = ShowRecalls(found.view, recalls)
    try:
        return gateway.keyholder.show_recalls(request)
    except VerificationError as error:
        if len(digests) == 1:
            _log.warning("recall_refused", reason=str(error))
            return state
    for digest in digests:
        state = _show_recalls(gateway, state, [digest])
    return state


def keep_informed(gateway: Gateway) -> None:
    """Show the keyholder what it has not seen, if it can be asked; /readyz says if it cannot."""
    try:
        inform(gateway)
        gateway.keyholder_trouble = None
    except GatewayError as error:
        gateway.keyholder_trouble = str(error)


def ask_wrap(gateway: Gateway, share_id: str, keys: tuple[str, ...] | None = None) -> list[Wrapped]:
    """Have the items of a released share wrapped for its recipient, in the order of its package.

    Only to those of the recipient's keys that are among *keys*, if these are given.
    Raises LockedError, and VerificationError or ConflictError as the keyholder refuses.
    """
    with gateway.keyholder.turn:
        state = inform(gateway)
        made: list[Wrapped] = []
        with evidence(gateway, state.size) as found:
            for request in _requests(gateway, found, share_id, keys):
                made += gateway.keyholder.wrap(request).headers
        return made


def ask_rewrap(
    gateway: Gateway, share_id: str, keys: tuple[str, ...] | None = None
) -> list[Wrapped]:
    """Have the items of a share wrapped anew to newer keys of its recipient.

    Raises LockedError, and VerificationError or ConflictError as the keyholder refuses.
    """
    with gateway.keyholder.turn:
        inform(gateway)
        with gateway.engine.connect() as conn:
            items = _items(conn, share_id)
            vaulted = {item.item: _vaulted(gateway, conn, item.item) for item in items}
        made: list[Wrapped] = []
        for start in range(0, len(items), MAX_ITEMS):
            some = items[start : start + MAX_ITEMS]
            said = tuple(RewrapItem(item.item, *vaulted[item.item]) for item in some)
            made += gateway.keyholder.rewrap(RewrapRequest(share_id, said, keys)).headers
        return made


def _items(conn: Connection, share_id: str) -> list[Sealed]:
    package = shares.package(conn, shares.get(conn, share_id).package)
    return uploads.deposited(conn, package.items)


def _requests(
    gateway: Gateway, found: Evidence, share_id: str, keys: tuple[str, ...] | None
) -> Iterator[WrapRequest]:
    """Yield the requests that have all items of a share wrapped."""
    conn = found.conn
    share = shares.get(conn, share_id)
    released = shares.event_in(conn, share_id, ShareState.RELEASED).order or ""
    proposed = shares.events(conn, share_id)[0].order or ""
    approved = shown.approvals(conn, share_id, MAX_APPROVALS)
    request = WrapRequest(
        view=found.view,
        recipient=share.recipient,
        release=found.order(released, Kind.SHARE_RELEASED),
        items=(),
        approvals=tuple(found.order(digest, Kind.SHARE_APPROVED) for digest in approved),
        proposal=found.order(proposed, Kind.SHARE_PROPOSED) if approved else None,
        keys=keys,
    )
    items = _items(conn, share_id)
    for start in range(0, len(items), MAX_ITEMS):
        some = tuple(_item(gateway, found, item) for item in items[start : start + MAX_ITEMS])
        yield replace(request, items=some)
        # From the second on the keyholder has seen this very checkpoint.
        request = replace(request, view=View(found.view.checkpoint, found.size, ()))


def _item(gateway: Gateway, found: Evidence, item: Sealed) -> Item:
    deposit = uploads.deposit_order(found.conn, item.item)
    vaulted = _vaulted(gateway, found.conn, item.item)
    return Item(found.order(deposit, Kind.ITEM_DEPOSITED), *vaulted)


def _vaulted(gateway: Gateway, conn: Connection, item: str) -> tuple[bytes, tuple[bytes, ...], str]:
    """Return an item's vault header of today, the records that lead to it, and its epoch."""
    current = vaults.current(conn, item)
    if current.header is None:
        raise ConflictError("the vault header of an item was destroyed: it can be released no more")
    epoch = current.epoch or first_epoch(gateway.sets.directory)
    return current.header, tuple(one.container for one in current.chain), epoch


def index_old(gateway: Gateway) -> None:
    """Find the entries of orders and directory sets from before there was a table of them."""
    with gateway.engine.connect() as conn:
        if not shown.incomplete(conn):
            return
        size, _ = ledger.head(conn)
    for start in range(0, size, _PAGE):
        with gateway.engine.connect() as conn:
            eids = [row.eid for row in ledger.page(conn, start, _PAGE)]
            opened = ledger.open_entries(conn, eids, MECHANISM, gateway.log.audience_key)
        said = [
            (eid, {slot: one.value for slot, one in openings.items()})
            for eid, openings in opened.items()
        ]
        gateway.writer.run(partial(_index, said))


def _index(said: list[tuple[str, dict[Slot, Json]]], tx: Transaction) -> None:
    for eid, values in said:
        order, content = values.get(Slot.ORDER), values.get(Slot.CONTENT)
        kind = Kind(str(values[Slot.KIND]))
        if kind in SHOWN and isinstance(order, str):
            shown.find_order(tx.conn, order, kind, eid)
        elif kind is Kind.DIRECTORY_ACCEPTED and isinstance(content, dict):
            number = content["number"]
            if isinstance(number, int):
                shown.find_directory(tx.conn, number, eid)
