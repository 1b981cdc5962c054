"""What is done every minute, whoever asks.

Forget spent tokens, sum up requests without a good token, drop uploads that nobody completes, let old
proposals expire, and on a new day decide again what facts and rules with dates may have changed.
"""

import contextlib

from gateway.exchange.entries import Entry, Kind
from gateway.exchange.tokens import LEEWAY
from gateway.kernel.errors import QuarantinedError
from gateway.kernel.time import unix
from gateway.store import orders
from gateway.store.writer import Transaction
from gateway.workflows import deposit, prepare, pull, suspend
from gateway.workflows.gateway import Gateway
from gateway.workflows.proofs import keep_informed


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
    suspend.expire(gateway)
    keep_informed(gateway)
    prepare.finish_waiting(gateway)
    if gateway.swept != now.date():
        suspend.sweep(gateway, dated=True)
        gateway.swept = now.date()


def keep_place(gateway: Gateway) -> None:
    """Find out early if the database, or this server's place on it, is gone: it is taken again then.

    What the database did not take while it was away is made up for.
    """
    with contextlib.suppress(QuarantinedError):  # it came back as another; that is known by now
        gateway.writer.run(lambda _: None)
    if gateway.quarantine is not None:
        return
    pull.settle_owed(gateway)
    connections = gateway.writer.connections
    if gateway.recovered < connections:
        prepare.finish_all(gateway)
        gateway.recovered = connections
    prepare.finish_waiting(gateway)
