"""HTTP itself: two readings of one message, paths with two spellings, routes that are not there."""

import re

import pytest

from gateway.kernel.ids import new_id
from tests.web.conftest import Scene
from tests.web.harness import JSON, TUS, Answer, exchange, head_of

INBOX = "/v1/inbox"


def bearer(scene: Scene, method: str, target: str, body: bytes = b"") -> tuple[str, str]:
    return ("Authorization", f"Bearer {scene.be('xa').token(method, target, body)}")


def answers(data: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", data)]


SMUGGLED = b"GET /v1/inbox HTTP/1.1\r\nHost: gateway.example\r\n\r\n"
DOUBTFUL = {
    "length and chunks": [("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
    "chunks and length": [("Transfer-Encoding", "chunked"), ("Content-Length", "5")],
    "two lengths": [("Content-Length", "0"), ("Content-Length", str(len(SMUGGLED)))],
    "two equal lengths": [("Content-Length", "0"), ("Content-Length", "0")],
    "list of lengths": [("Content-Length", "0, 5")],
    "signed length": [("Content-Length", "+5")],
    "negative length": [("Content-Length", "-5")],
    "hex length": [("Content-Length", "0x5")],
    "length beyond ASCII": [("Content-Length", "٥")],
    "overflowing length": [("Content-Length", "9" * 40)],
    "unknown coding": [("Transfer-Encoding", "xchunked")],
    "chunked twice": [("Transfer-Encoding", "chunked, chunked")],
    "chunked not last": [("Transfer-Encoding", "chunked, identity")],
    "blank before colon": [("Transfer-Encoding ", "chunked")],
    "tab in coding": [("Transfer-Encoding", "\x0bchunked")],
}


HARDLY_HTTP = [
    b"MADE /v1/inbox HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/inbox HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
    b"GET /v1/inbox HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    b"GET /v1/inbox HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    b"GET /v1/inbox HTTP/1.1\nHost: a\n\n",
    b"GET  /v1/inbox HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/inbox HTTP/9.9\r\nHost: a\r\n\r\n",
    b"GET /v1/in box HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/inbox\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"G\x00T /v1/inbox HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/inbox HTTP/1.1\r\nHost: a\r\nBad Name: b\r\n\r\n",
    b"GET /v1/inbox HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


@pytest.mark.parametrize("raw", HARDLY_HTTP)
async def test_what_is_hardly_http_is_refused(scene: Scene, raw: bytes) -> None:
    answer = await exchange(scene.port, raw + b"\r\n\r\n")
    assert 400 <= answer.status < 500
    answer.problem(answer.status)
    assert answer.headers["server"] == "gateway"
    assert str(scene.world.root).encode() not in answer.body


SPELLINGS = [
    "/v1/shares/%73{id}/manifest",
    "/v1/shares/s{id}%2fmanifest",
    "/v1/shares/s{id}/%6danifest",
    "/v1/shares/x/%2e%2e/s{id}/manifest",
    "/v1/shares/x/../s{id}/manifest",
    "/v1/shares/./s{id}/manifest",
    "/v1//shares/s{id}/manifest",
    "//v1/shares/s{id}/manifest",
    "/v1/shares/s{id}/manifest/",
    "/v1/shares/s{id}/manifest;a=b",
    "/v1/shares/s{id};a=b/manifest",
    "/V1/shares/s{id}/manifest",
    "/v1/shares/S{id}/manifest",
    "/v1/shares/s{id}%00/manifest",
    "/v1/shares/s{id}%20/manifest",
    "/v1/shares/%25%37%33{id}/manifest",
    "/%76%31/shares/s{id}/manifest",
    "\\v1\\shares\\s{id}\\manifest",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_path_has_one_spelling(scene: Scene, spelling: str) -> None:
    target = spelling.replace("s{id}", scene.shares.ours).replace("{id}", scene.shares.ours[1:])
    assert (await scene.be("xa").get(target)).status in {400, 404}


@pytest.mark.parametrize("spelling", SPELLINGS[:4])
async def test_a_token_for_the_plain_path_does_not_open_another_spelling(
    scene: Scene, spelling: str
) -> None:
    target = spelling.replace("s{id}", scene.shares.ours).replace("{id}", scene.shares.ours[1:])
    endpoint = scene.be("xa")
    token = endpoint.token("GET", f"/v1/shares/{scene.shares.ours}/manifest")
    assert (await endpoint.call("GET", target, token=token)).status in {401, 404}


@pytest.mark.parametrize("target", ["/", "/v1", "/v2/inbox", "/metrics", "/readyz", "/livez"])
async def test_a_route_that_is_not_there_is_a_problem(scene: Scene, target: str) -> None:
    (await scene.be("xa").get(target)).problem(404)
    (await exchange(scene.port, head_of("GET", target))).problem(404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_a_method_that_is_not_there_is_a_problem(scene: Scene, method: str) -> None:
    answer = await scene.be("xa").call(method, INBOX)
    answer.problem(405)


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=%D9%A3", "after=1e3", "wait=61",
                                   "wait=999999999999999999999", "after=%2B1"])  # fmt: skip
async def test_a_cursor_is_a_plain_number(scene: Scene, query: str) -> None:
    answer = await scene.be("xa").get(f"{INBOX}?{query}")
    assert answer.problem(400)["field"] == query.partition("=")[0]


async def refusals(scene: Scene) -> list[Answer]:
    """Provoke every kind of refusal that names something."""
    endpoint, staff, shares = scene.be("xa"), scene.be("sharer"), scene.shares
    return [
        await endpoint.get(f"/v1/shares/{shares.theirs}/manifest"),
        await endpoint.get(f"/v1/shares/{shares.ours}"),
        await endpoint.get("/nowhere"),
        await endpoint.call("DELETE", INBOX),
        await endpoint.call("GET", INBOX, token="a.b.c"),
        await endpoint.call("GET", INBOX, token=staff.token("GET", INBOX)[:-3] + "AAA"),
        await endpoint.call("POST", "/v1/shares", b"{", JSON),
        await endpoint.call("HEAD", f"/v1/uploads/{new_id('upl')}", headers=TUS),
        await staff.get(INBOX),
        await staff.post("/v1/shares", {"act": {"type": "propose"}, "sig2": None}),
        await endpoint.get("/v1/ledger/entries?start=x"),
        await endpoint.get(f"/v1/shares/{shares.ours}/items/7"),
    ]


async def test_a_refusal_tells_no_path_no_key_and_no_other_party(scene: Scene) -> None:
    gateway, endpoint = scene.live.gateway, scene.be("xa")
    secret = [str(scene.world.root), "/gateway/", "Traceback", "sqlite", "SELECT", "aiohttp"]
    secret += [scene.world.party("xb"), scene.shares.theirs, "Prosecution", "xb-prosecutor"]
    secret += [gateway.upload_key.hex(), endpoint.token("GET", INBOX)[:40], "Python"]
    for answer in await refusals(scene):
        assert answer.status >= 400
        said = (answer.body + repr(answer.headers).encode()).decode()
        assert not [word for word in secret if word in said], said
        assert answer.headers["cache-control"] == "no-store"


async def test_a_defect_is_a_bare_500(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"at {scene.world.root}")

    monkeypatch.setattr("gateway.workflows.pull.messages", broken)
    said = (await scene.be("xa").get(INBOX)).problem(500)
    assert str(scene.world.root) not in repr(said)
    assert said["detail"] == "internal server error"


async def test_what_is_no_http_fills_no_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    await exchange(scene.port, b"MADE UP\r\n\r\n")
    assert "Traceback" not in caplog.text
