"""Requests as ready-made bytes over one kept connection, so that the client costs next to nothing."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from gateway.client.profile import KeyFolder
from gateway.exchange import tokens
from gateway.exchange.parse import plain
from gateway.kernel.encoding import canonical_json, sha256
from tests.world import ROOT, free_port


class Connection:
    """One connection, kept."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> bytes:
        """Send a request and read its whole answer, which must be a good one."""
        self._socket.sendall(request)
        data = self._socket.recv(65536)
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += self._more()
        if not head.startswith(b"HTTP/1.1 20"):
            raise RuntimeError((head + body).decode())
        return body

    def _more(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise RuntimeError("the server closed the connection")
        return data

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def spelt(method: str, target: str, body: bytes = b"", token: str = "") -> bytes:
    """Spell a request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def signed(folder: KeyFolder, method: str, target: str, act: object = None) -> bytes:
    """Spell a request with a token of its own; it is an order if it has an *act*."""
    body = b"" if act is None else canonical_json({"act": plain(act), "sig2": None})
    token = make_token(folder, tokens.Request(method, target, sha256(body)))
    return spelt(method, target, body, token)


def make_token(folder: KeyFolder, request: tokens.Request) -> str:
    """Sign a token."""
    return tokens.make(
        folder.request_signer(),
        issuer=folder.profile.actor,
        audience=folder.profile.audience,
        request=request,
        now=datetime.now(UTC),
    )


@contextmanager
def hello() -> Iterator[Connection]:
    """Run the bare server in a process of its own, and connect to it."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.hello", str(port)], cwd=ROOT)
    try:
        connection = _patiently(port)
        yield connection
        connection.close()
    finally:
        server.terminate()
        server.wait()


def _patiently(port: int) -> Connection:
    deadline = time.monotonic() + 30
    while True:
        try:
            return Connection(port)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
