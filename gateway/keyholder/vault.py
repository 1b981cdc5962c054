"""The only code that opens the vault. Everything that is unwrapped goes through `Keyholder.wrap`."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from gateway.envelope import Identity, parse_recipient, unwrap, wrap
from gateway.exchange.directory import Directory
from gateway.exchange.entitlement import LoggedOrder, check_entitled
from gateway.exchange.parties import Party, Status, Use
from gateway.kernel.errors import ConflictError

_ALGORITHM = {"pq": "mlkem768x25519", "classic": "x25519"}


class Keyholder:
    """Holds the vault's identities and wraps file keys for whom signed orders entitle to them."""

    def __init__(self, identities: Sequence[Identity], audience: str) -> None:
        self._identities = tuple(identities)
        self._audience = audience

    def wrap(
        self,
        deposit: LoggedOrder,
        release: LoggedOrder,
        vault_header: bytes,
        recipient: str,
        *,
        directory: Directory,
        directory_at: Callable[[datetime], Directory],
        now: datetime,
        keys: Collection[str] | None = None,
    ) -> bytes:
        """Return the header that wraps the item's file key to *recipient* (a party id).

        Only to those of its keys that stand in *keys*, if that is given: a key may be in the directory
        and not introduced yet.

        The orders are judged by the directories of their time, the recipient's keys by *directory*.
        Raises what `check_entitled` raises if the orders do not name just this header and recipient,
        ConflictError if the recipient has no key of the item's suite.
        """
        record = check_entitled(
            deposit,
            release,
            vault_header=vault_header,
            recipient=recipient,
            audience=self._audience,
            directory_at=directory_at,
        )
        own = envelope_keys(directory.party(recipient), record.suite, now)
        to = [key for key in own if keys is None or key in keys]
        if not to:
            raise ConflictError(f"the recipient has no {record.suite} key in force")
        return wrap(unwrap(vault_header, self._identities), [parse_recipient(k) for k in to])


def envelope_keys(party: Party, suite: str, now: datetime) -> list[str]:
    """Return the age recipients of *party* that envelopes are made for: active and next ones."""
    keys = party.keys(Use.ENVELOPE, now, Status.ACTIVE, Status.NEXT)
    return [key.public for key in keys if key.alg == _ALGORITHM[suite]]
