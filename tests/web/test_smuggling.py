"""Two readings of one message: to the gateway itself, and through the proxy that is shipped for it.

Every message carries good tokens, so that whatever is taken for a request is served with 200, and seen.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.web.conftest import Scene
from tests.web.harness import Headers, exchange, head_of, read_answer, socket_to
from tests.web.proxy import nginx
from tests.web.test_http import DOUBTFUL, HARDLY_HTTP, SPELLINGS

INBOX = "/v1/inbox"
QUIET = 0.4  # seconds after an answer in which no other comes
PATIENCE = 5  # seconds for the first
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")


@dataclass
class Way:
    """A scene, and the port by which it is attacked."""

    scene: Scene
    port: int
    name: str

    def bearer(
        self, method: str = "GET", target: str = INBOX, body: bytes = b""
    ) -> tuple[str, str]:
        return ("Authorization", f"Bearer {self.scene.be('xa').token(method, target, body)}")

    def get(self, headers: Headers = (), target: str = INBOX) -> bytes:  # type: ignore[assignment]
        """Spell a signed request that is good, but for what *headers* add to it; the connection is kept."""
        pairs = [*headers.items()] if isinstance(headers, dict) else [*headers]
        head = head_of("GET", target, [self.bearer(), *pairs])
        return head.replace(b"Connection: close\r\n", b"")

    def post(self, headers: list[tuple[str, str]], body: bytes) -> bytes:
        head = head_of("POST", "/v1/shares", [self.bearer("POST", "/v1/shares"), *headers])
        return head.replace(b"Connection: close\r\n", b"") + body

    def last(self) -> bytes:
        """Spell a good request after which the connection is closed."""
        return head_of("GET", INBOX, [self.bearer()])

    async def answers(self, raw: bytes) -> list[int]:
        """Send *raw*, return the status of whatever is answered until it is quiet or closed."""
        found = bytearray()
        async with socket_to(self.port) as (reader, writer):
            with contextlib.suppress(ConnectionError, TimeoutError):
                writer.write(raw)
                while True:
                    async with asyncio.timeout(QUIET if found else PATIENCE):
                        data = await reader.read(65536)
                    if not data:
                        break
                    found += data
        return [int(status) for status in _STATUS.findall(bytes(found))]


@pytest.fixture(params=["direct", "nginx"])
async def way(scene: Scene, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    if request.param == "direct":
        yield Way(scene, scene.port, "direct")
        return
    with nginx(tmp_path / "nginx", scene.port) as port:
        yield Way(scene, port, "nginx")


async def test_what_is_attacked_below_is_good_as_it_stands(way: Way) -> None:
    assert await way.answers(way.get() + way.last()) == [200, 200]


async def test_a_message_with_two_lengths_smuggles_nothing(way: Way) -> None:
    """CL+TE, TE variants, duplicate and strange lengths: never a second answer, never a 200."""
    more = {
        "TE in HTTP/1.0 manner": [("Transfer-Encoding", "identity"), ("Content-Length", "5")],
        "TE with an empty member": [("Transfer-Encoding", ", chunked"), ("Content-Length", "5")],
        "TE with a parameter": [("Transfer-Encoding", "chunked;q=1"), ("Content-Length", "5")],
        "TE twice": [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "identity")],
        "TE in quotes": [("Transfer-Encoding", '"chunked"'), ("Content-Length", "5")],
    }
    for what, headers in {**DOUBTFUL, **more}.items():
        found = await way.answers(way.post(headers, b"0\r\n\r\n" + way.last()))
        assert len(found) <= 1, (what, found)
        assert all(400 <= status < 500 or status == 501 for status in found), (what, found)


BROKEN = {
    "obs-fold": [("X", "a\r\n folded")],
    "duplicate Host": [("Host", "other.example")],
    "NUL in a value": [("X", "a\x00b")],
    "CR in a value": [("X", "a\rb")],
    "blank in a name": [("Bad Name", "b")],
    "blank before the colon": [("X ", "b")],
    "no name": [("", "b")],
    "a line of 9000 bytes": [("X", "a" * 9000)],
    "ten thousand headers": [(f"X-{n}", "a" * 50) for n in range(10_000)],
}


@pytest.mark.parametrize("what", BROKEN)
async def test_a_head_that_could_be_read_two_ways_is_refused(way: Way, what: str) -> None:
    found = await way.answers(way.get(BROKEN[what]) + way.last())
    assert found in ([400], []), found


async def test_a_bare_line_feed_ends_no_line(way: Way) -> None:
    """nginx reads it as an end of line and sends on what it read: one reading, so nothing is smuggled."""
    raw = way.get().replace(b"\r\n", b"\n")
    assert await way.answers(raw) == ([400] if way.name == "direct" else [200])
    inside = way.get([("X", "a\nX-Other: b")]) + way.last()
    found = await way.answers(inside)
    assert found in ([[400]] if way.name == "direct" else [[200, 200]])


async def test_what_is_hardly_http_is_refused_there_too(way: Way) -> None:
    for raw in HARDLY_HTTP:
        found = await way.answers(raw + b"\r\n\r\n")
        assert all(400 <= status <= 505 for status in found), (raw[:60], found)


CHUNKS = {
    "an extension of 10 kB": b"1;" + b"x" * 10_000 + b"\r\nx\r\n0\r\n\r\n",
    "an extension of 2 MiB": b"1;" + b"x" * (2 << 20) + b"\r\nx\r\n0\r\n\r\n",
    "20,000 extensions": b"1;a=b\r\nx\r\n" * 20_000 + b"0\r\n\r\n",
    "10,000 trailers": b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    "a trailer of 100 kB": b"1\r\nx\r\n0\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    "two trailers": b"1\r\nx\r\n0\r\nX: y\r\nY: z\r\n\r\n",
}


@pytest.mark.parametrize("what", CHUNKS)
async def test_a_flood_of_chunk_extensions_and_trailers_is_not_read(way: Way, what: str) -> None:
    """A body in chunks is refused by its head; nginx gathers them first, and may refuse them itself."""
    raw = way.post([("Transfer-Encoding", "chunked"), ("Trailer", "X")], CHUNKS[what])
    if way.name == "direct":
        said = (await exchange(way.port, raw)).problem(400)
        assert said.get("field") == "Transfer-Encoding" or "well-formed" in said["detail"]
    found = await way.answers(
        way.post([("Transfer-Encoding", "chunked")], CHUNKS[what]) + way.last()
    )
    assert found and found[0] in {400, 401, 413} and found[1:] in ([], [200]), found


async def test_an_authorization_in_the_trailer_is_none(way: Way) -> None:
    name, value = way.bearer("POST", "/v1/shares", b"x")
    raw = head_of("POST", "/v1/shares", [("Transfer-Encoding", "chunked"), ("Trailer", name)])
    raw += f"1\r\nx\r\n0\r\n{name}: {value}\r\n\r\n".encode()
    assert await way.answers(raw) == ([400] if way.name == "direct" else [401])


async def test_a_pipelining_flood_is_answered_in_turn_and_others_are_served_meanwhile(
    way: Way,
) -> None:
    flood = way.get([("X", "1")]).replace(b"Bearer ", b"Bearer x") * 400
    async with socket_to(way.port) as (reader, writer):
        writer.write(flood)
        assert (await exchange(way.port, way.last())).status == 200
        for _ in range(400):
            assert (await read_answer(reader)).status == 401


async def test_an_absolute_target_is_not_the_signed_one(way: Way) -> None:
    """nginx sends a path on; the gateway itself takes the target as it came, which was not signed."""
    raw = way.get(target=f"http://gateway.example{INBOX}").replace(
        b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"
    )
    found = await way.answers(raw)
    assert found in ([[401], [404]] if way.name == "direct" else [[200], [401]]), found


UPGRADES: dict[str, list[tuple[str, str]]] = {
    "websocket": [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ],
    "h2c": [
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
    ],
}


@pytest.mark.parametrize("what", UPGRADES)
async def test_an_upgrade_leads_nowhere_and_hides_nothing(way: Way, what: str) -> None:
    """What follows is read as what it is: the next request, with a token of its own."""
    raw = way.get(UPGRADES[what])
    spent = raw  # its token is spent by the first
    found = await way.answers(raw + spent + way.last())
    assert 101 not in found
    assert found[0] == 200 and found[1:] in ([401, 200], []), found


async def test_a_preface_of_http2_is_no_request(way: Way) -> None:
    found = await way.answers(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + way.last())
    assert 200 not in found


async def test_a_path_has_one_spelling_there_too(way: Way) -> None:
    """`//`, `%2e%2e`, `%2F`, case, `;`: refused by the gateway, and not repaired by the proxy."""
    ours = way.scene.shares.ours
    for spelling in SPELLINGS:
        target = spelling.replace("s{id}", ours).replace("{id}", ours[1:])
        bearer = way.bearer("GET", target)
        plain = way.bearer("GET", f"/v1/shares/{ours}/manifest")
        for token in (bearer, plain):
            found = await way.answers(head_of("GET", target, [token]))
            assert found in ([404], [400], [401]), (target, found)


SPOOFED = {
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Host": "other.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/v1/shares",
    "X-Original-URL": "/v1/shares",
    "X-Rewrite-URL": "/v1/shares",
    "X-HTTP-Method-Override": "DELETE",
    "X-HTTP-Method": "POST",
    "X-Method-Override": "PATCH",
    "Forwarded": "for=127.0.0.1;host=other.example",
}


async def test_headers_that_speak_of_another_request_change_nothing(way: Way) -> None:
    """Also not together with a token for what they speak of."""
    assert await way.answers(head_of("GET", INBOX, [way.bearer(), *SPOOFED.items()])) == [200]
    for method, target in (("GET", "/v1/shares"), ("DELETE", INBOX), ("POST", INBOX)):
        head = [way.bearer(method, target), *SPOOFED.items()]
        assert await way.answers(head_of("GET", INBOX, head)) == [401]


async def test_an_expectation_other_than_to_go_on_is_refused(way: Way) -> None:
    found = await way.answers(way.get([("Expect", "200-ok")]) + way.last())
    assert found[0] in {200, 417}, found


async def test_a_kept_connection_serves_nobody_the_answer_of_another(way: Way) -> None:
    """Two parties behind one proxy take turns; each reads its own inbox."""
    scene = way.scene
    for _ in range(3):
        found = await asyncio.gather(
            *(exchange(way.port, scene.be(who).raw("GET", INBOX)) for who in ("xa", "xb"))
        )
        assert [len(answer.json()["messages"]) for answer in found] == [2, 1]
