"""Bodies: strict JSON of a known form within a limit, however they come."""

import asyncio

import pytest

from gateway.kernel.ids import new_id
from gateway.web.auth import MAX_BODY
from tests.web.conftest import Scene
from tests.web.harness import JSON, PART, TUS, Caller, exchange, head_of, read_answer, socket_to

TARGET = "/v1/shares"


def proposal(scene: Scene, **change: str) -> str:
    """Spell a proposal by hand; *change* replaces the raw JSON of members."""
    members = {
        "package": f'"{scene.shares.package}"',
        "recipient": f'"{scene.world.party("xb")}"',
        "share": f'"{new_id("shr")}"',
        "type": '"propose"',
    } | change
    return "{" + ",".join(f'"{name}":{raw}' for name, raw in members.items()) + "}"


def body_of(act: str, sig2: str = "null") -> bytes:
    return f'{{"act":{act},"sig2":{sig2}}}'.encode()


async def send(caller: Caller, body: bytes, **headers: str) -> dict[str, object]:
    spelt = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await caller.call("POST", TARGET, body, {**JSON, **spelt})).problem(400)


async def test_the_proposal_that_is_altered_below_is_good_as_it_stands(scene: Scene) -> None:
    answer = await scene.be("sharer").call("POST", TARGET, body_of(proposal(scene)), JSON)
    assert answer.status == 201


ALTERED = {
    "unknown member": {"note": '"x"'},
    "number for text": {"share": "7"},
    "null for text": {"share": "null"},
    "list for text": {"share": '["x"]'},
    "unknown type": {"type": '"destroy"'},
    "float": {"extra": "1.0"},
    "exponent": {"extra": "1e3"},
    "NaN": {"extra": "NaN"},
    "infinity": {"extra": "-Infinity"},
    "huge number": {"extra": "9" * 400},
    "number beyond 2**53": {"extra": str(1 << 53)},
    "lone surrogate": {"extra": '"\\ud800"'},
    "lone surrogate as key": {"\\udc00": "1"},
    "key beyond ASCII": {"ключ": "1"},
    "comment": {"extra": "1/*x*/"},
    "id of another kind": {"share": f'"{new_id("pkg")}"'},
    "id in capitals": {"share": f'"{new_id("shr").upper()}"'},
    "id with a path": {"share": '"shr_../../etc/passwd"'},
    "id with SQL": {"share": '"shr_\' OR 1=1 --"'},
}


@pytest.mark.parametrize("what", ALTERED)
async def test_an_act_of_another_form_is_refused(scene: Scene, what: str) -> None:
    await send(scene.be("sharer"), body_of(proposal(scene, **ALTERED[what])))


@pytest.mark.parametrize(
    ("change", "field"), [({"share": "7"}, "/act/share"), ({"recipient": "[]"}, "/act/recipient")]
)
async def test_a_problem_names_the_field(scene: Scene, change: dict[str, str], field: str) -> None:
    said = await send(scene.be("sharer"), body_of(proposal(scene, **change)))
    assert said["field"] == field


async def test_a_duplicate_key_is_refused_at_every_depth(scene: Scene) -> None:
    sharer, act = scene.be("sharer"), proposal(scene)
    for body in (
        body_of(act[:-1] + ',"type":"propose"}'),
        f'{{"act":{act},"act":{act},"sig2":null}}'.encode(),
        body_of(act[:-1] + ',"\\u0074ype":"propose"}'),
    ):
        assert "duplicate" in str((await send(sharer, body))["detail"])


@pytest.mark.parametrize("depth", [65, 1000, 200_000])
async def test_deep_nesting_is_refused(scene: Scene, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    await send(scene.be("sharer"), body_of(proposal(scene, extra=nested)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b"\xff\xfe{}",
        b'\xef\xbb\xbf{"act":{},"sig2":null}',
        b'{"act":{},"sig2":null',
        b'{"act":{},"sig2":null}{}',
        b"<act/>",
        b"act=propose",
    ],
)
async def test_what_is_no_order_is_refused(scene: Scene, body: bytes) -> None:
    await send(scene.be("sharer"), body)


async def test_a_second_signature_that_nobody_checks_is_refused(scene: Scene) -> None:
    said = await send(scene.be("sharer"), body_of(proposal(scene), '"AAAA"'))
    assert said["field"] == "/sig2"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity", "gzip, gzip"])
async def test_an_encoded_body_is_refused(scene: Scene, coding: str) -> None:
    said = await send(scene.be("sharer"), body_of(proposal(scene)), Content_Encoding=coding)
    assert said["field"] == "Content-Encoding"


async def test_a_body_over_the_limit_is_refused_by_its_stated_length(scene: Scene) -> None:
    sharer = scene.be("sharer")
    stated = {
        "Authorization": f"Bearer {sharer.token('POST', TARGET)}",
        "Content-Length": str(MAX_BODY + 1),
    }
    (await exchange(scene.port, head_of("POST", TARGET, stated))).problem(413)


async def test_a_body_in_chunks_is_refused(scene: Scene) -> None:
    sharer = scene.be("sharer")
    stated = {
        "Authorization": f"Bearer {sharer.token('POST', TARGET)}",
        "Transfer-Encoding": "chunked",
    }
    raw = head_of("POST", TARGET, stated) + b"1\r\nx\r\n0\r\n\r\n"
    assert (await exchange(scene.port, raw)).problem(400)["field"] == "Transfer-Encoding"


async def test_a_read_has_no_body(scene: Scene) -> None:
    endpoint = scene.be("xa")
    (await endpoint.call("GET", "/v1/inbox", b"x")).problem(413)
    chunked = {
        "Authorization": f"Bearer {endpoint.token('GET', '/v1/inbox')}",
        "Transfer-Encoding": "chunked",
    }
    raw = head_of("GET", "/v1/inbox", chunked) + b"1\r\nx\r\n0\r\n\r\n"
    assert (await exchange(scene.port, raw)).problem(400)["field"] == "Transfer-Encoding"


async def test_a_body_is_not_read_for_a_token_that_does_not_hold(scene: Scene) -> None:
    """Else anyone could have 8 MiB held for each connection, and for two minutes."""
    sharer, body = scene.be("sharer"), bytes(MAX_BODY)
    target = f"/v1/uploads/{new_id('upl')}"
    for method, path, headers in (
        ("POST", TARGET, JSON),
        ("POST", "/v1/uploads", {**TUS, "Upload-Length": "9"}),
        ("PATCH", target, {**PART, "Upload-Offset": "0"}),
        ("POST", f"{target}/complete", JSON),
    ):
        for token in ("a.b.c", sharer.token(method, "/another"), sharer.token("PUT", path)):
            raw = sharer.raw(method, path, body, dict(headers), token)
            head = raw[: raw.index(b"\r\n\r\n") + 4]
            async with socket_to(scene.port) as (reader, writer):
                writer.write(head)  # and not a byte of the body
                (await read_answer(reader)).problem(401)


async def test_a_body_that_drips_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.web.auth.BODY_SECONDS", 0.3)
    sharer, body = scene.be("sharer"), body_of(proposal(scene))
    raw = sharer.raw("POST", TARGET, body, JSON)
    async with socket_to(scene.port) as (reader, writer):
        writer.write(raw[: -len(body)])
        for byte in body[:12]:  # each comes within the time that the whole has
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)
        (await read_answer(reader)).problem(408)


async def test_a_body_that_never_ends_is_given_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.auth.BODY_SECONDS", 0.2)
    sharer, body = scene.be("sharer"), body_of(proposal(scene))
    raw = sharer.raw("POST", TARGET, body, JSON)
    (await exchange(scene.port, raw[:-3])).problem(408)


async def test_a_body_cut_off_does_nothing(scene: Scene) -> None:
    sharer = scene.be("sharer")
    before = (await sharer.get("/v1/shares")).json()["shares"]
    raw = sharer.raw("POST", TARGET, body_of(proposal(scene)), JSON)
    async with socket_to(scene.port) as (_, writer):
        writer.write(raw[:-3])
        await writer.drain()
    assert (await sharer.get("/v1/shares")).json()["shares"] == before
