"""What happens, as it happens: the ledger read from a cursor, as far as the mechanism's people may know."""

from dataclasses import dataclass

from gateway.kernel.encoding import Json
from gateway.ledger import Slot
from gateway.store import ledger
from gateway.store.writer import MECHANISM
from gateway.workflows.gateway import Gateway

PAGE = 200  # entries
_TOLD = (Slot.KIND, Slot.TIME, Slot.SUBJECT, Slot.OUTCOME)


@dataclass(frozen=True, slots=True)
class Page:
    """Some events, and the cursor of what comes after them. Without events it is false."""

    events: list[Json]
    next: int

    def __bool__(self) -> bool:
        return bool(self.events)


def after(gateway: Gateway, cursor: int) -> Page:
    """Return what the entries from *cursor* on record: kind, time, subject, outcome."""
    found: list[Json] = []
    key = gateway.log.audience_key
    with gateway.engine.connect() as conn:
        rows = ledger.page(conn, cursor, PAGE)
        opened = ledger.open_entries(conn, [row.eid for row in rows], MECHANISM, key)
        for row in rows:
            openings = opened.get(row.eid, {})
            told: dict[str, Json] = {
                slot.label: openings[slot].value for slot in _TOLD if slot in openings
            }
            found.append({"index": row.index, "entry": row.eid, **told})
    return Page(found, rows[-1].index + 1 if rows else cursor)


def head(gateway: Gateway) -> int:
    """Return the cursor of what comes next."""
    with gateway.engine.connect() as conn:
        return ledger.head(conn)[0]
