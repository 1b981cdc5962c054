"""Signed inbox reads over a kept connection, beside a bare hello server on the same machine."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway.client.profile import KeyFolder, open_folder
from gateway.exchange import tokens
from gateway.kernel.encoding import sha256
from tests.benchmarks.figures import Absent, Figure, Plan, median, wall
from tests.world import ROOT, build_world, free_port, serving, share_with, source

INBOX = "/v1/inbox?after=0"


class Connection:
    """One connection, kept; requests are ready-made bytes, so that the client costs next to nothing."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> bytes:
        """Send a request and read its whole answer."""
        self._socket.sendall(request)
        data = self._socket.recv(65536)
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += self._more()
        if not head.startswith(b"HTTP/1.1 200"):
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


def _request(target: str, token: str = "") -> bytes:
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{bearer}\r\n".encode()


def _signed(folder: KeyFolder, count: int) -> list[bytes]:
    """Sign as many reads of the inbox, each with a token of its own."""
    signer, asked = folder.request_signer(), tokens.Request("GET", INBOX, sha256(b""))
    made = []
    for _ in range(count):
        token = tokens.make(
            signer,
            issuer=folder.profile.actor,
            audience=folder.profile.audience,
            request=asked,
            now=datetime.now(UTC),
        )
        made.append(_request(INBOX, token))
    return made


@contextmanager
def _hello() -> Iterator[Connection]:
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


def inbox(plan: Plan, folder: Path) -> Iterator[Figure | Absent]:
    """Requests per second, the two servers taking turns."""
    world = build_world(folder / "world", ("xa",))
    data = folder / "note.txt"
    data.write_bytes(b"A message to read.\n")
    ours, theirs = [], []
    with serving(world), _hello() as hello:
        asyncio.run(share_with(world, "xa", [source(data)]))
        gateway, keys = Connection(world.config.port), open_folder(world.folder("xa"), None)
        warm = [*_signed(keys, 20)]
        _rate(gateway, warm)
        _rate(hello, [_request("/")] * 20)
        for _ in range(plan.repeat):
            ours.append(_rate(gateway, _signed(keys, plan.requests)))
            theirs.append(_rate(hello, [_request("/")] * plan.requests))
        gateway.close()
    yield Figure(
        "signed inbox reads, one connection", median(ours), "req/s", "bare aiohttp", median(theirs)
    )


def _rate(connection: Connection, requests: list[bytes]) -> float:
    return len(requests) / wall(lambda: [connection.ask(request) for request in requests])
