"""Whether an unwrap is owed: the checks that stand between the vault and every recipient.

Everything is judged from signed orders alone, so that whoever controls the gateway but not the
persons' keys cannot have a file key wrapped.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.exchange.acts import Deposit, Order, Release, judge
from gateway.exchange.directory import Directory
from gateway.exchange.parties import Kind
from gateway.exchange.rewraps import SignedRewrap, check_chain
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import ForbiddenError, VerificationError


@dataclass(frozen=True, slots=True)
class LoggedOrder:
    """An order with the exact time its ledger entry states."""

    order: Order
    logged: datetime


def check_entitled(
    deposit: LoggedOrder,
    release: LoggedOrder,
    *,
    vault_header: bytes,
    recipient: str,
    audience: str,
    directory_at: Callable[[datetime], Directory],
    chain: Sequence[SignedRewrap] = (),
) -> Deposit:
    """Return the deposit record if both orders entitle *recipient* to this very header.

    The header is the deposit record's, or the one that *chain* leads to from there.

    Each order is judged by the directory that was in force when it was logged: what a person ordered
    while entitled stays ordered after her key has ended, and a crash in between changes nothing.

    Raises VerificationError when the header, item or recipient is not the one both orders name;
    UnauthorizedError or ForbiddenError when an order is not what it claims to be.
    """
    depositor, record = judge(
        deposit.order,
        audience=audience,
        directory=directory_at(deposit.logged),
        logged=deposit.logged,
    )
    releaser, order = judge(
        release.order,
        audience=audience,
        directory=directory_at(release.logged),
        logged=release.logged,
    )
    if not isinstance(record, Deposit) or not isinstance(order, Release):
        raise VerificationError("the orders are not a deposit record and a release")
    if {depositor.party.kind, releaser.party.kind} != {Kind.MECHANISM}:
        raise ForbiddenError("only the mechanism deposits and releases")
    reached = check_chain(record.item, record.vault_header, chain, directory_at)
    if hex_sha256(vault_header) != reached:
        raise VerificationError("the vault header is not the one of the deposit record")
    if order.recipient != recipient:
        raise VerificationError("the release is for another recipient")
    named = {(one.item, one.vault_header, one.body) for one in order.items}
    check_named(record, (record.vault_header,), named)
    return record


def check_named(
    record: Deposit, headers: Iterable[str], released: Collection[tuple[str, str, str]]
) -> None:
    """Check that a release names an item as it was deposited, of these (item, header, body).

    *headers* are the digests that its vault header has had. Raises VerificationError.
    """
    if not any((record.item, header, record.body) in released for header in headers):
        raise VerificationError("the release does not name this item")
