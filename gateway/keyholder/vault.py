"""The only code that opens the vault. Everything that is unwrapped goes through `Keyholder.wrap`."""

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.envelope import Identity, parse_recipient, unwrap, wrap
from gateway.exchange.directory import Directory
from gateway.exchange.entitlement import LoggedOrder, check_entitled
from gateway.exchange.parties import Party, Status, Use
from gateway.exchange.rewraps import SignedRewrap
from gateway.kernel.errors import ConflictError
from gateway.kernel.signing import Signer
from gateway.keyholder.moving import Moved, move

_ALGORITHM = {"pq": "mlkem768x25519", "classic": "x25519"}


class Keyholder:
    """Holds the vault's identities and wraps file keys for whom signed orders entitle to them."""

    def __init__(
        self, identities: Sequence[Identity], audience: str, signer: Signer | None = None
    ) -> None:
        self._identities = tuple(identities)
        self._audience = audience
        self._signer = signer

    def move(self, items: Sequence[tuple[str, bytes]]) -> list[Moved]:
        """Wrap items' file keys, given as id and vault header, to the newest of the vault's epochs."""
        if self._signer is None:
            raise ConflictError("this keyholder has no key for re-wrap records")
        target = self._identities[-1].recipient
        return [move(item, h, self._identities, target, self._signer) for item, h in items]

    def wrap(
        self,
        deposit: LoggedOrder,
        release: LoggedOrder,
        vault_header: bytes,
        recipient: str,
        *,
        chain: Sequence[SignedRewrap] = (),
        directory: Directory,
        directory_at: Callable[[datetime], Directory],
        now: datetime,
    ) -> bytes:
        """Return the header that wraps the item's file key to *recipient* (a party id).

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
            chain=chain,
        )
        keys = envelope_keys(directory.party(recipient), record.suite, now)
        if not keys:
            raise ConflictError(f"the recipient has no {record.suite} key in force")
        return wrap(unwrap(vault_header, self._identities), [parse_recipient(k) for k in keys])


def envelope_keys(party: Party, suite: str, now: datetime) -> list[str]:
    """Return the age recipients of *party* that envelopes are made for: active and next ones."""
    keys = party.keys(Use.ENVELOPE, now, Status.ACTIVE, Status.NEXT)
    return [key.public for key in keys if key.alg == _ALGORITHM[suite]]
