"""What is said over the keyholder's socket: a length, then one JSON object; one request, one answer.

Four bytes of length, big endian, then UTF-8 JSON with a member `type`; bytes are base64 with padding.
Unknown members are refused. Whoever speaks first sends one request and hears one answer; a connection
carries any number of them, one after another.
"""

import socket
from typing import TypeAlias, TypeVar

import msgspec

from gateway.kernel.errors import (
    ConflictError,
    GatewayError,
    LockedError,
    MalformedError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
    VerificationError,
)
from gateway.keyholder.judge import Proved, Shown, View, WrapRequest
from gateway.keyholder.moving import Moved

MAX_FRAME = 16 << 20  # bytes: 256 items with their deposit records have less than half of it
MAX_ITEMS = 256  # items of one request
MAX_RECALLS = 256  # recalls of one request
T = TypeVar("T")


class AskState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="state"):
    """Ask how the keyholder stands. *work* are vault epochs that there is work for."""

    work: tuple[str, ...] = ()


class ShowDirectory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="directory"):
    """Show a signed directory set, and the entry that put it into force."""

    view: View
    set: bytes
    entry: Proved


class ShowRecalls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="recalls"):
    """Show orders that recall shares, oldest first."""

    view: View
    recalls: tuple[Shown, ...]


class RewrapItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item to be wrapped anew; *chain* as in a wrap."""

    item: str
    vault_header: bytes
    chain: tuple[bytes, ...] = ()
    epoch: str = ""


class MoveItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item to be wrapped to the vault's active epoch, and the epoch that it is wrapped to."""

    item: str
    vault_header: bytes
    epoch: str


class MoveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="move"):
    """Items to be wrapped to the vault's active epoch."""

    items: tuple[MoveItem, ...]


class RewrapRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rewrap"):
    """Items of a share that was wrapped before, to be wrapped to its recipient's newer keys."""

    share: str
    items: tuple[RewrapItem, ...]
    keys: tuple[str, ...] | None = None


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="state"):
    """How the keyholder stands: newest directory (0: none), ledger seen, place of the newest recall shown."""

    locked: bool
    directory: int
    size: int
    recalled: int


class Wrapped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A header for the recipient, and the age recipients it was wrapped to."""

    item: str
    header: bytes
    keys: tuple[str, ...]


class Headers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="headers"):
    """The answer to a wrap or a re-wrap, in the order of its items."""

    headers: tuple[Wrapped, ...]


class Moves(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="moves"):
    """The answer to a move, in the order of its items."""

    moved: tuple[Moved, ...]


class Failed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="failed"):
    """Nothing was done, and why. *error* is one of the names in `ERRORS`."""

    error: str
    reason: str


Request: TypeAlias = (
    AskState | ShowDirectory | ShowRecalls | WrapRequest | RewrapRequest | MoveRequest
)
Answer: TypeAlias = State | Headers | Moves | Failed

ERRORS: dict[str, type[GatewayError]] = {
    "malformed": MalformedError,
    "too_large": TooLargeError,
    "refused": VerificationError,
    "not_found": NotFoundError,
    "conflict": ConflictError,
    "locked": LockedError,
    "unavailable": UnavailableError,
}
"""What may have gone wrong, by its name on the wire."""

_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def failed(error: GatewayError) -> Failed:
    """Return the answer that tells of an error."""
    kinds = {kind: name for name, kind in ERRORS.items()}
    name = next((kinds[kind] for kind in type(error).__mro__ if kind in kinds), "refused")
    return Failed(name, str(error))


def raised(answer: Failed) -> GatewayError:
    """Return the error that an answer tells of."""
    found = ERRORS.get(answer.error, UnavailableError)
    # Whatever keeps it from working now, what was ordered waits and is finished later.
    return LockedError(answer.reason) if found is UnavailableError else found(answer.reason)


def parse_request(data: bytes) -> Request:
    """Read a request. Raises MalformedError."""
    return _parse(data, _requests)


def parse_answer(data: bytes) -> Answer:
    """Read an answer. Raises MalformedError."""
    return _parse(data, _answers)


def encode(message: Request | Answer) -> bytes:
    """Write a message, without its length."""
    return msgspec.json.encode(message)


def send(conn: socket.socket, data: bytes) -> None:
    """Send a frame. Raises TooLargeError, OSError."""
    if len(data) > MAX_FRAME:
        raise TooLargeError(f"a message to the keyholder has at most {MAX_FRAME} bytes")
    conn.sendall(len(data).to_bytes(4, "big") + data)


def receive(conn: socket.socket) -> bytes | None:
    """Return the next frame, or None at the end. Raises TooLargeError, EOFError if it is cut, OSError."""
    head = _read(conn, 4)
    if not head:
        return None
    size = int.from_bytes(head, "big")
    if size > MAX_FRAME:
        raise TooLargeError(f"a message to the keyholder has at most {MAX_FRAME} bytes")
    data = _read(conn, size)
    if size and not data:
        raise EOFError
    return data


def _read(conn: socket.socket, size: int) -> bytes:
    """Read just *size* bytes, or none if the other side had ended before. Raises EOFError in between."""
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        more = conn.recv_into(view[got:])
        if not more:
            if got:
                raise EOFError
            return b""
        got += more
    return bytes(data)


def _parse(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"not a message of the keyholder: {str(error).lower()}") from None
