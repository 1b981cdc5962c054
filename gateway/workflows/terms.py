"""The terms under which a share was released: what its recipient was told, and until when it is served.

They are those of the decision at its release. No later decision changes them: a milder one leaves them
as they are, under a stricter one the share is not served.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.exchange.shares import State
from gateway.exchange.terms import EXPIRY, last_day, to_be_signed
from gateway.kernel.encoding import Json
from gateway.store import shares, signed_terms
from gateway.store.shares import Share


@dataclass(frozen=True, slots=True)
class Given:
    """The terms of a released share; *expires* is the last day (UTC) on which it is served."""

    terms: dict[str, Json]
    expires: str | None

    def ended(self, now: datetime) -> bool:
        """Tell whether the last day is over."""
        return self.expires is not None and self.expires < now.date().isoformat()


def given(conn: Connection, share: Share) -> Given:
    """Return the terms of a share that was released; before its manifest is signed it has no last day."""
    terms = shares.released_terms(conn, share.id)
    if EXPIRY not in terms or share.state is State.RELEASED:
        return Given(terms, None)
    issued = shares.event_in(conn, share.id, State.PREPARED).at
    return Given(terms, last_day(terms, issued))


def unsigned(conn: Connection, share: Share, told: Given) -> bool:
    """Tell whether an officer of the recipient still has to sign the terms."""
    return to_be_signed(told.terms) and signed_terms.of_share(conn, share.id) is None
