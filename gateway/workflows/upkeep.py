"""What is done every minute, whoever asks.

Spent tokens are forgotten, requests without a good token summed up, uploads that nobody completes dropped.
"""

from gateway.exchange.entries import Entry, Kind
from gateway.exchange.tokens import LEEWAY
from gateway.kernel.time import unix
from gateway.store import orders
from gateway.store.writer import Transaction
from gateway.workflows import deposit
from gateway.workflows.gateway import Gateway


def every_minute(gateway: Gateway) -> None:
    """Do it once. In quarantine nothing is written, and the count goes on."""
    if gateway.quarantine is not None:
        return
    now = gateway.now()
    count = gateway.unauthenticated

    def job(tx: Transaction) -> None:
        orders.purge_spent(tx.conn, unix(now) - LEEWAY)
        if count:
            # One entry for all of them: anyone can send junk, and none of it is evidence.
            tx.record(Entry(kind=Kind.UNAUTHENTICATED, at=now, content={"requests": count}))

    gateway.writer.run(job)
    gateway.unauthenticated -= count
    deposit.give_up_stale(gateway)
