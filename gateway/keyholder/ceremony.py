"""Ceremonies: custodians unlock a running keyholder, lock it, or have it make a new vault epoch.

They speak over a socket of its own, `ceremony`, mode 0600 in the keyholder's folder: for the keyholder's
user alone, never for the gateway. Each custodian hands in her own share, and for one purpose: what was
handed in to unlock 2026Q4 does not serve to rotate. Shares that are not used within an hour are forgotten.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from gateway.exchange.vault_statement import VaultStatement
from gateway.kernel.errors import ConflictError, GatewayError, MalformedError, UnavailableError
from gateway.keyholder import guard as guards
from gateway.keyholder.custody import Custody, public_statement
from gateway.keyholder.guard import Opened
from gateway.keyholder.memory import Hygiene
from gateway.keyholder.protocol import Failed, failed, raised, receive, send
from gateway.keyholder.server import address

SOCKET = "ceremony"
PATIENCE = timedelta(hours=1)
"""How long handed-in shares wait for the others."""

_TIMEOUT = 120.0  # seconds: Argon2id takes one of them, on a slow machine several


class Purpose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the unlocking secret is asked for.

    *epochs* are those to unlock; none: the active one and those with work. *ahead*: rotate for the next
    period and not from now.
    """

    op: Literal["unlock", "rotate"]
    epochs: tuple[str, ...] = ()
    ahead: bool = False

    def __str__(self) -> str:
        """Say it to a custodian."""
        if self.op == "rotate":
            return f"make a new vault epoch{' for the next period' if self.ahead else ' from now'}"
        return f"unlock {', '.join(self.epochs) or 'the active epoch and those with work'}"


class AskStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="status"):
    """Ask how the keyholder stands."""


class HandIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="hand-in"):
    """Hand in a share file with its passphrase; without a file, the passphrase of the keyholder."""

    purpose: Purpose
    passphrase: str
    share: bytes = b""


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="lock"):
    """Forget all identities, and shares that were handed in."""


class Destroy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="destroy"):
    """Destroy the key of a retired epoch for good."""

    epoch: str


class Gathered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares that were handed in and wait for others."""

    purpose: Purpose
    custodians: tuple[str, ...]


class Status(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="status"):
    """How the keyholder stands. *k* and *n*: how many custodians of how many, 1 and 0 for a passphrase.

    *lacks* says what of its memory could not be protected.
    """

    locked: bool
    k: int
    n: int
    custodians: tuple[str, ...]
    opened: tuple[str, ...]
    work: tuple[str, ...]
    gathered: Gathered | None
    lacks: tuple[str, ...]
    vault: VaultStatement


Request: TypeAlias = AskStatus | HandIn | Lock | Destroy
_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_answers: msgspec.json.Decoder[Status | Failed] = msgspec.json.Decoder(Status | Failed)


@dataclass(slots=True)
class _Shares:
    """What was handed in for one purpose, and when the first of it was."""

    purpose: Purpose
    since: datetime
    found: dict[int, Opened] = field(default_factory=dict)


class Ceremony:
    """Gathers shares and does what they were handed in for. For several threads."""

    def __init__(self, custody: Custody, now: Callable[[], datetime], hygiene: Hygiene) -> None:
        self._custody, self._now, self._hygiene = custody, now, hygiene
        self._shares: _Shares | None = None
        self._lock = threading.RLock()

    def status(self) -> Status:
        """Return how the keyholder stands."""
        with self._lock:
            self._forget_old()
            state, waiting = self._custody.state, self._shares
            gathered = None
            if waiting is not None:
                names = tuple(sorted(share.custodian for share in waiting.found.values()))
                gathered = Gathered(waiting.purpose, names)
            return Status(
                locked=self._custody.locked,
                k=state.guard.k,
                n=state.guard.n,
                custodians=state.guard.custodians,
                opened=self._custody.opened,
                work=self._custody.wanted,
                gathered=gathered,
                lacks=self._hygiene.lacks(),
                vault=public_statement(state, self._now()),
            )

    def hand_in(self, request: HandIn) -> Status:
        """Take a share, or the passphrase, and do what it is for once there are enough.

        Raises what opening the share raises; ConflictError while others are in for another purpose.
        """
        with self._lock:
            guard = self._custody.state.guard
            if not request.share:
                self._perform(request.purpose, guards.open_passphrase(guard, request.passphrase))
                return self.status()
            self._forget_old()
            if self._shares is not None and self._shares.purpose != request.purpose:
                raise ConflictError(
                    f"shares were handed in to {self._shares.purpose}: gateway keyholder lock forgets them"
                )
            share = guards.open_share(guard, request.share, request.passphrase)
            shares = self._shares or _Shares(request.purpose, self._now())
            shares.found[share.index] = share
            self._shares = shares
            if len(shares.found) >= guard.k:
                self._shares = None
                self._perform(request.purpose, guards.combine(guard, [*shares.found.values()]))
            return self.status()

    def lock(self) -> Status:
        """Forget identities and shares."""
        with self._lock:
            self._custody.lock()
            self._shares = None
            return self.status()

    def destroy(self, epoch: str) -> Status:
        """Destroy the key of a retired epoch. Raises ConflictError, NotFoundError."""
        with self._lock:
            self._custody.destroy(epoch, self._now())
            return self.status()

    def _perform(self, purpose: Purpose, secret: bytearray) -> None:
        if purpose.op == "rotate":
            self._custody.rotate(secret, self._now(), ahead=purpose.ahead)
        else:
            self._custody.unlock(secret, self._now(), purpose.epochs or None)

    def _forget_old(self) -> None:
        if self._shares is not None and self._now() - self._shares.since > PATIENCE:
            self._shares = None


def _answer(ceremony: Ceremony, data: bytes) -> Status:
    try:
        request = _requests.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedError("not a message of a ceremony") from None
    match request:
        case HandIn():
            return ceremony.hand_in(request)
        case Lock():
            return ceremony.lock()
        case Destroy(epoch=epoch):
            return ceremony.destroy(epoch)
        case _:
            return ceremony.status()


def _serve(ceremony: Ceremony, listener: socket.socket, told: Callable[..., Any]) -> None:
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            return  # it was shut
        with contextlib.suppress(OSError, EOFError, GatewayError), conn:
            conn.settimeout(_TIMEOUT)
            while (data := receive(conn)) is not None:
                answer: Status | Failed
                try:
                    answer = _answer(ceremony, data)
                    told("ceremony", locked=int(answer.locked), opened=" ".join(answer.opened))
                except GatewayError as error:
                    answer = failed(error)
                    told("ceremony_refused", reason=str(error))
                except Exception as error:
                    # A defect must not end the socket that unlocks everything.
                    answer = failed(UnavailableError("the keyholder has a defect: see its log"))
                    told("defect", defect=type(error).__name__)
                send(conn, msgspec.json.encode(answer))


@contextmanager
def opened(ceremony: Ceremony, folder: Path, told: Callable[..., Any]) -> Iterator[None]:
    """Answer ceremonies, one after another, until the block ends; *told* is the keyholder's log."""
    path = folder / SOCKET
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with address(path) as name:
            listener.bind(name)
        path.chmod(0o600)
        listener.listen(4)
        thread = threading.Thread(target=_serve, args=(ceremony, listener, told), daemon=True)
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def ask(folder: Path, request: Request) -> Status:
    """Ask the running keyholder of a folder. Raises UnavailableError if none runs, and what it answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as conn:
            conn.settimeout(_TIMEOUT)
            with address(folder / SOCKET) as name:
                conn.connect(name)
            send(conn, msgspec.json.encode(request))
            data = receive(conn)
    except (OSError, EOFError):
        data = None
    if data is None:
        raise UnavailableError("no keyholder runs in this folder: start gateway keyholder serve")
    answer = _answers.decode(data)
    if isinstance(answer, Failed):
        raise raised(answer)
    return answer
