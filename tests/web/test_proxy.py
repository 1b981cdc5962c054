"""The shipped proxy: it sends on what came, keeps nothing, and loses patience before the gateway has to."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec.structs import replace

from gateway.client import profile, pull, push
from gateway.client.session import connect
from tests.web.conftest import BIG, SMALL, Scene, range_ends
from tests.web.harness import (
    JSON,
    PART,
    Caller,
    everything,
    exchange,
    head_of,
    read_answer,
    socket_to,
)
from tests.web.proxy import nginx
from tests.web.test_http import SPELLINGS
from tests.web.test_slow import drip, unread
from tests.web.test_uploads import DATA, begin
from tests.world import free_port, source

INBOX = "/v1/inbox"


def at(port: int, who: Caller) -> Caller:
    """Send what *who* sends to another port."""
    return Caller(who.folder, port, who.now)


@pytest.fixture
async def front(scene: Scene, tmp_path: Path) -> AsyncIterator[int]:
    with nginx(tmp_path / "nginx", scene.port) as port:
        yield port


@dataclass
class Upstream:
    """What stands in for the gateway and keeps the heads it is sent; *answers*, or breaks off."""

    answers: bool = True
    heads: list[bytes] = field(default_factory=list)
    tasks: "list[asyncio.Task[None] | None]" = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            while self.answers:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()


@contextlib.asynccontextmanager
async def before(folder: Path, made: Upstream, *, twice: bool = False) -> AsyncIterator[int]:
    """Run nginx before *made*; yield its port. *twice*: nginx takes it for two servers."""
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    behind = server.sockets[0].getsockname()[1]
    other = {"keepalive 64;": f"server 127.0.0.1:{behind} max_fails=0; keepalive 64;"}
    async with server:
        with nginx(folder, behind, other if twice else {}) as port:
            yield port
        await asyncio.gather(*(task for task in made.tasks if task is not None))


async def test_targets_are_sent_on_as_they_came(tmp_path: Path) -> None:
    """Whatever nginx takes for a path of the gateway's, it does not merge, decode or complete."""
    queries = [
        "/v1/inbox?after=0&wait=1",
        "/v1/inbox?",
        "/v1/inbox?a=%2F&b=//",
        "/v1/x/?;#".rstrip("#"),
    ]
    targets = [spelling.replace("{id}", "hr_x") for spelling in SPELLINGS] + queries
    behind = Upstream()
    async with before(tmp_path / "nginx", behind) as port:
        for target in targets:
            await exchange(port, head_of("GET", target))
    seen = [head.split(b" ")[1].decode() for head in behind.heads]
    assert set(queries) <= set(seen)
    assert set(seen) <= set(targets), set(seen) - set(targets)
    assert "/v1/shares/shr_x%2fmanifest" in seen
    assert "//v1/shares/shr_x/manifest" not in seen  # not a path of the gateway's, and not made one


async def test_headers_that_speak_of_another_request_are_taken_off(tmp_path: Path) -> None:
    spoofed = [
        "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port",
        "X-Forwarded-Prefix", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method",
        "X-HTTP-Method-Override", "X-Method-Override", "Upgrade", "TE", "Keep-Alive",
    ]  # fmt: skip
    behind = Upstream()
    async with before(tmp_path / "nginx", behind) as port:
        said = [(name, "spoofed") for name in spoofed]
        await exchange(port, head_of("GET", INBOX, [*said, ("Authorization", "Bearer x")]))
    (head,) = behind.heads
    assert b"spoofed" not in head
    assert b"\r\nAuthorization: Bearer x\r\n" in head


async def test_a_request_is_sent_once_even_if_nobody_answers_it(tmp_path: Path) -> None:
    """A token is good once; what broke off may have been done."""
    behind = Upstream(answers=False)
    async with before(tmp_path / "nginx", behind, twice=True) as port:
        for _ in range(3):
            (await exchange(port, head_of("GET", INBOX))).problem(503)
    assert len(behind.heads) == 3


async def test_a_proxy_that_rewrites_the_path_makes_every_token_void(
    scene: Scene, tmp_path: Path
) -> None:
    """Neither the path that was signed nor the one that arrives is served."""
    plain = "location /v1/ {\n        proxy_pass http://evidence_gateway;"
    rewriting = "location /api/ {\n        proxy_pass http://evidence_gateway/;"
    with nginx(tmp_path / "nginx", scene.port, {plain: rewriting}) as port:
        endpoint = at(port, scene.be("xa"))
        target = f"/api{INBOX}"
        (await endpoint.get(target)).problem(401)
        # Signed for what arrives, it would be good; then the signer knows of the proxy and agrees.
        assert (
            await endpoint.call("GET", target, token=endpoint.token("GET", INBOX))
        ).status == 200
    merging = {"merge_slashes off;": "merge_slashes on;", "/v1/ {\n        proxy_pass http://evidence_gateway;": "/v1/ {\n        proxy_pass http://evidence_gateway$uri;"}  # fmt: skip
    with nginx(tmp_path / "merging", scene.port, merging) as port:
        endpoint = at(port, scene.be("xa"))
        (await endpoint.get("/v1//inbox")).problem(401)


async def test_a_share_is_deposited_and_pulled_through_it(
    scene: Scene, front: int, tmp_path: Path
) -> None:
    """The public clients, with parts and ranges; and nothing of it is left on the proxy's disk."""
    data = random.Random(5).randbytes((9 << 20) + 11)
    path = tmp_path / "evidence.bin"
    path.write_bytes(data)

    def folder(who: str) -> profile.KeyFolder:
        made = profile.open_folder(scene.world.folder(who), None)
        return replace_url(made, front)

    async with connect(folder("sharer")) as sharer:
        record = await push.deposit(sharer, source(path), lambda _: None)
    assert record.size == len(data)
    async with connect(folder("xa")) as endpoint:
        done = await pull.pull(endpoint, scene.shares.ours, tmp_path / "out", lambda _: None)
    assert (done.folder / "big.bin").read_bytes() == BIG
    assert (done.folder / "small.txt").read_bytes() == SMALL
    kept = [p for p in (tmp_path / "nginx").rglob("*") if p.is_file()]
    assert {p.name for p in kept} <= {
        "gateway.conf",
        "nginx.conf",
        "nginx.pid",
        "stderr",
        "error.log",
    }


def replace_url(folder: profile.KeyFolder, port: int) -> profile.KeyFolder:
    changed = replace(folder.profile, url=f"http://127.0.0.1:{port}")
    return type(folder)(folder.path, changed, None)


async def test_ranges_pass_it(scene: Scene, front: int) -> None:
    endpoint = at(front, scene.be("xa"))
    target = f"/v1/shares/{scene.shares.ours}/items/0"
    whole = await endpoint.get(target)
    part = await endpoint.get(target, Range="bytes=1000000-")
    assert (whole.status, part.status) == (200, 206)
    assert part.body == whole.body[1_000_000:]
    for text in ("bytes=0-1,5-6", "bytes=9-3", "bytes=٠-٩", "bytes=-0"):
        assert (await endpoint.get(target, Range=text)).status == 416, text


async def test_only_uploads_take_large_bodies(scene: Scene, front: int) -> None:
    sharer = at(front, scene.be("sharer"))
    large = bytes((1 << 20) + 1)
    (await sharer.call("POST", "/v1/shares", large, JSON)).problem(413)
    author = at(front, scene.be("author1"))
    (await author.call("POST", "/v1/policy/sets", large, JSON)).problem(400)
    (await author.call("POST", "/v1/policy/sets", large + large, JSON)).problem(413)
    made = await begin(scene, 8 << 20)
    said = {**PART, "Upload-Offset": "0"}
    assert (await sharer.call("PATCH", made.target, bytes(8 << 20), said)).status == 204
    (await sharer.call("PATCH", made.target, bytes((8 << 20) + 1), said)).problem(413)


HASTY = {
    "client_header_timeout 10s;": "client_header_timeout 1s;",
    "client_body_timeout 20s;": "client_body_timeout 1s;",
    "send_timeout 30s;\n    keepalive_timeout 30s;": "send_timeout 1s;\n    keepalive_timeout 1s;",
}


async def test_slow_heads_slow_bodies_and_idle_connections_end_there(
    scene: Scene, tmp_path: Path
) -> None:
    """A slow body ends sooner than the gateway's own patience, and does nothing."""
    sharer = scene.be("sharer")
    made = await begin(scene)
    with nginx(tmp_path / "nginx", scene.port, HASTY) as port:
        raw = sharer.raw("PATCH", made.target, DATA, {**PART, "Upload-Offset": "0"})
        async with asyncio.timeout(8):
            found = await asyncio.gather(
                _dripping(port, raw[:40], 0.1),
                _dripping(port, b"", 0.1),
                everything(port, raw[:-5]),
            )
    assert not any(b" 200 " in answer or b" 204 " in answer for answer in found)
    assert await made.offset() == 0


async def _dripping(port: int, data: bytes, pause: float) -> bytes:
    async with socket_to(port) as (reader, writer):
        dripping = asyncio.create_task(drip(writer, data, pause))
        found = b""
        with contextlib.suppress(ConnectionError):
            found = await reader.read()
        await dripping
    return found


async def test_a_reader_who_does_not_read_ends_there(
    narrow: None, scene: Scene, tmp_path: Path
) -> None:
    with nginx(tmp_path / "nginx", scene.port, HASTY, options=" sndbuf=16k") as port:
        raw = scene.be("xa").raw("GET", f"/v1/shares/{scene.shares.ours}/items/0")
        async with unread(port, raw), asyncio.timeout(10):
            while await range_ends(scene) != ["interrupted"]:
                await asyncio.sleep(0.05)


async def test_connections_of_one_address_have_a_number_there(scene: Scene, tmp_path: Path) -> None:
    few = {"limit_conn gateway_connections 64;": "limit_conn gateway_connections 2;"}
    with nginx(tmp_path / "nginx", scene.port, few) as port:
        poll = scene.be("xa").raw
        async with contextlib.AsyncExitStack() as held:
            for _ in range(2):
                _, writer = await held.enter_async_context(socket_to(port))
                writer.write(poll("GET", f"{INBOX}?after=9&wait=20"))
            await asyncio.sleep(0.2)
            answer = await at(port, scene.be("xb")).get(INBOX)
            answer.problem(429)
            assert answer.headers["retry-after"].isdigit()


async def test_requests_of_one_address_have_a_rate_there(scene: Scene, tmp_path: Path) -> None:
    slow = {"rate=100r/s": "rate=1r/s", "burst=400": "burst=3"}
    with nginx(tmp_path / "nginx", scene.port, slow) as port:
        found = [await at(port, scene.be("xa")).get(INBOX) for _ in range(6)]
    statuses = [answer.status for answer in found]
    assert statuses.count(200) in {4, 5} and statuses[-1] == 429
    found[-1].problem(429)


@pytest.mark.parametrize("target", ["/", "/metrics", "/readyz", "/V1/inbox", "//v1/inbox", "/v1"])
async def test_nothing_but_the_service_is_behind_it(front: int, target: str) -> None:
    (await exchange(front, head_of("GET", target))).problem(404)


async def test_a_gateway_that_is_away_is_said_to_be_so(tmp_path: Path) -> None:
    with nginx(tmp_path / "nginx", free_port()) as port:
        answer = await exchange(port, head_of("GET", INBOX))
    answer.problem(503)
    assert answer.headers["retry-after"].isdigit()


async def test_an_answer_says_the_time_of_the_gateway_and_names_no_software(
    scene: Scene, front: int
) -> None:
    answer = await at(front, scene.be("xa")).get(INBOX)
    assert answer.headers["date"].endswith("GMT")
    assert answer.headers["server"] == "gateway"
    assert answer.headers["cache-control"] == "no-store"


def certificate(folder: Path) -> None:
    """Write a certificate for loopback, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("gateway.example")]), False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "gateway.crt").write_bytes(made.public_bytes(encoding))
    plain = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    (folder / "gateway.key").write_bytes(key.private_bytes(encoding, plain[1], plain[0]))


async def test_the_shipped_file_ends_tls(scene: Scene, tmp_path: Path) -> None:
    """As it stands, but for ports and the place of the certificate; old protocols are refused."""
    certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(tmp_path / "gateway.crt"))
    with nginx(tmp_path / "nginx", scene.port, tls=tmp_path) as port:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trust, server_hostname="gateway.example"
        )
        writer.write(scene.be("xa").raw("GET", INBOX))
        answer = await read_answer(reader)
        assert answer.status == 200
        assert "max-age" in answer.headers["strict-transport-security"]
        assert writer.get_extra_info("ssl_object").version() in {"TLSv1.2", "TLSv1.3"}
        writer.close()
        plain = await exchange(port, scene.be("xa").raw("GET", INBOX))
        assert plain.status == 400
