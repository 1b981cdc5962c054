"""The keyholder's socket: who may ask, one thread for each connection, and its own log of refusals."""

import contextlib
import fcntl
import json
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import GatewayError, UnavailableError
from gateway.kernel.time import exact
from gateway.keyholder.folder import SOCKET, read_config
from gateway.keyholder.holder import Holder, Vault
from gateway.keyholder.judge import WrapRequest
from gateway.keyholder.protocol import (
    Answer,
    AskState,
    MoveRequest,
    Request,
    RewrapRequest,
    ShowDirectory,
    ShowRecalls,
    encode,
    failed,
    parse_request,
    receive,
    send,
)

MAX_CONNECTIONS = 16
IDLE = 60.0  # seconds until a connection that says nothing is closed
LOG = "keyholder.log"
_LOG_SIZE, _LOGS = 8 << 20, 8  # bytes, files
_REASON = 300  # characters: what is malformed may name what it was given
_PATIENCE = 10.0  # seconds for the keyholder before to end

HANDLERS: dict[type, Callable[[Holder, Any], Answer]] = {
    AskState: Holder.tell_state,
    ShowDirectory: Holder.show_directory,
    ShowRecalls: Holder.show_recalls,
    WrapRequest: Holder.wrap,
    RewrapRequest: Holder.rewrap,
    MoveRequest: Holder.move,
}
"""What answers which request."""


class Server:
    """Answers on a Unix socket until it is stopped."""

    def __init__(self, holder: Holder, path: Path, clients: frozenset[int], log: "Log") -> None:
        self._holder, self._clients, self.log = holder, clients, log
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._stopped = threading.Event()
        self._path, self._listener = path, _bind(path)
        self._thread = threading.Thread(target=self._accept, name="keyholder", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more connections; requests under way end by themselves."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                conn, _ = self._listener.accept()
            except OSError:
                if not self._stopped.wait(0.1):  # out of descriptors, say
                    continue
                return
            if not self._room.acquire(blocking=False):
                conn.close()
                continue
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn: socket.socket) -> None:
        try:
            with conn:
                conn.settimeout(IDLE)
                uid = peer(conn)
                if uid not in self._clients:
                    self.log.write("stranger", uid=uid)
                    return
                while (data := receive(conn)) is not None:
                    send(conn, encode(self._answer(data, uid)))
        except GatewayError as error:
            self.log.write("broken_off", reason=str(error)[:_REASON])
        except (OSError, EOFError):
            pass  # the other side went away, or says nothing
        finally:
            self._room.release()

    def _answer(self, data: bytes, uid: int) -> Answer:
        """Answer one request. What is refused, and why, is logged before it is told."""
        request: Request | None = None
        try:
            request = parse_request(data)
            return HANDLERS[type(request)](self._holder, request)
        except GatewayError as error:
            answer = failed(error)
            told = _named(request)
            self.log.write(answer.error, reason=answer.reason[:_REASON], uid=uid, **told)
            return answer
        except Exception as error:
            # A defect is nobody's permission, and the keyholder outlives it.
            self.log.write("defect", defect=type(error).__name__, uid=uid, **_named(request))
            return failed(UnavailableError("the keyholder has a defect: see its log"))


def _named(request: Request | None) -> dict[str, str | int]:
    """Return what the log says of a request: its type, and the digest of the release order."""
    if request is None:
        return {}
    found: dict[str, str | int] = {"asked": str(request.__struct_config__.tag)}
    if isinstance(request, WrapRequest):
        body = hex_sha256(request.release.body)
        found["order"] = hex_sha256(f"{request.release.token}\n{body}".encode(errors="replace"))
        found["items"] = len(request.items)
    return found


class Log:
    """The keyholder's own log: JSON lines, never content or keys, the oldest files dropped."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._now = now
        self._handler = RotatingFileHandler(folder / LOG, maxBytes=_LOG_SIZE, backupCount=_LOGS)
        (folder / LOG).chmod(0o600)

    def write(self, event: str, **said: str | int) -> None:
        """Write a line."""
        line = json.dumps({"at": exact(self._now()), "event": event, **said})
        self._handler.handle(logging.LogRecord("", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


@contextmanager
def opened(folder: Path, vault: Vault, now: Callable[[], datetime]) -> Iterator[Server]:
    """Serve the folder's keyholder until the block ends. Raises UnavailableError if another does."""
    with ExitStack() as stack:
        stack.enter_context(alone(folder))
        log = Log(folder, now)
        stack.callback(log.close)
        holder = Holder(folder, vault, now)
        stack.callback(holder.close)
        config = read_config(folder)
        clients = frozenset(config.clients) or frozenset({os.getuid()})
        place = Path(config.socket) if config.socket else folder / SOCKET
        server = Server(holder, place, clients, log)
        server.start()
        stack.callback(server.stop)
        log.write("serving")
        yield server


@contextmanager
def address(path: Path) -> Iterator[str]:
    """Yield a name for a socket that is short enough, however deep its folder lies.

    A Unix socket's path has 107 bytes at most, so the folder is named by its descriptor.
    """
    handle = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}/{path.name}"
    finally:
        os.close(handle)


def peer(conn: socket.socket) -> int:
    """Return the user id of the process at the other end, as the kernel says."""
    found = conn.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", found)[1])


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path.unlink(missing_ok=True)  # left by one that was killed: nobody else is here
    with address(path) as name:
        listener.bind(name)
    path.chmod(0o660)
    listener.listen(MAX_CONNECTIONS)
    return listener


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that no two keyholders have one journal."""
    with (folder / "lock").open("wb") as file:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > until:
                    raise UnavailableError("another keyholder has this folder") from None
                time.sleep(0.02)
        yield
