"""Uploads: one counter sees one plaintext, and only what its depositor vouches for becomes an item."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.exchange.acts import Complete, Deposit, OpenUpload, Particulars
from gateway.exchange.parse import build, plain
from gateway.kernel.encoding import Json, digest_of, hex_sha256
from gateway.kernel.ids import new_id
from gateway.workflows.deposit import MAX_PART
from tests.web.conftest import Scene
from tests.web.harness import JSON, PART, TUS, Answer, Caller, order
from tests.world import PLAIN

CHUNK = 65536
DATA = random.Random(7).randbytes(2 * CHUNK + 11)


@dataclass
class Upload:
    """An upload in someone's hands."""

    sharer: Caller
    id: str
    data: bytes = DATA

    @property
    def target(self) -> str:
        return f"/v1/uploads/{self.id}"

    async def put(self, at: int, data: bytes, **headers: str) -> Answer:
        spelt = {name.replace("_", "-"): value for name, value in headers.items()}
        said = {**PART, "Upload-Offset": str(at), **spelt}
        return await self.sharer.call("PATCH", self.target, data, said)

    async def offset(self) -> int:
        answer = await self.sharer.call("HEAD", self.target, headers=TUS)
        return int(answer.headers["upload-offset"])

    def statement(self) -> Complete:
        particulars = Particulars(
            "name.bin",
            "application/octet-stream",
            "E-1",
            len(self.data),
            hex_sha256(self.data),
        )
        return Complete(self.id, particulars, dict(PLAIN), "standard", (hex_sha256(self.data),))

    async def complete(self, act: Complete) -> Answer:
        return await self.sharer.act(f"{self.target}/complete", act)


async def begin(scene: Scene, size: int = len(DATA), who: str = "sharer") -> Upload:
    sharer, name = scene.be(who), new_id("upl")
    answer = await sharer.call(
        "POST",
        "/v1/uploads",
        order(OpenUpload(name, size, "pq")),
        {**TUS, **JSON, "Upload-Length": str(size)},
    )
    assert answer.status == 201, answer.body
    assert answer.headers["location"] == f"/v1/uploads/{name}"
    return Upload(sharer, name)


async def uploaded(scene: Scene) -> Upload:
    made = await begin(scene)
    assert (await made.put(0, DATA)).status == 204
    return made


def record(made: Upload, answer: dict[str, Any]) -> Deposit:
    """Vouch for what was sealed, as the client does."""
    act = made.statement()
    said: dict[str, Json] = {
        "type": "deposit",
        **{name: answer[name] for name in ("item", "vault_header", "body", "body_size", "size")},
        "suite": "pq",
        "facts": digest_of(act.facts),
        "particulars": digest_of(plain(act.particulars)),
        "handling": act.handling,
    }
    return build(said, Deposit)


async def test_parts_in_order_become_an_item(scene: Scene) -> None:
    made = await begin(scene)
    assert (await made.put(0, DATA[:CHUNK])).headers["upload-offset"] == str(CHUNK)
    assert (await made.put(CHUNK, DATA[CHUNK:])).headers["upload-offset"] == str(len(DATA))
    parts = (hex_sha256(DATA[:CHUNK]), hex_sha256(DATA[CHUNK:]))
    answer = await made.complete(replace(made.statement(), parts=parts))
    assert answer.status == 201
    assert (await made.sharer.act("/v1/items", record(made, answer.json()))).status == 201


@pytest.mark.parametrize("at", [1, 65535, 2 * CHUNK, 10**17])
async def test_a_part_at_another_offset_is_refused(scene: Scene, at: int) -> None:
    made = await begin(scene)
    await made.put(0, DATA[:CHUNK])
    (await made.put(at, DATA[CHUNK:])).problem(409)
    assert await made.offset() == CHUNK


@pytest.mark.parametrize("at", ["-1", "", "0x0", "1e3", "٠", "0, 0", "9" * 19, "0.0"])
async def test_an_offset_is_a_plain_number(scene: Scene, at: str) -> None:
    made = await begin(scene)
    answer = await made.put(0, DATA, Upload_Offset=at)
    assert answer.problem(400)["field"] == "Upload-Offset"


async def test_the_same_part_sent_again_is_answered_again(scene: Scene) -> None:
    made = await uploaded(scene)
    again = await made.put(0, DATA)
    assert (again.status, again.headers["upload-offset"]) == (204, str(len(DATA)))


async def test_other_bytes_for_a_sealed_part_are_refused_and_the_first_ones_stay(
    scene: Scene,
) -> None:
    made = await uploaded(scene)
    (await made.put(0, bytes(len(DATA)))).problem(409)
    assert (await made.complete(made.statement())).status == 201


async def test_other_bytes_for_a_part_that_was_not_sealed_yet_spoil_the_upload(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, blobs = await begin(scene), scene.live.gateway.blobs
    with monkeypatch.context() as patch:  # the part is recorded, then the disk fails
        patch.setattr(type(blobs), "_write", _full)
        (await made.put(0, DATA)).problem(503)
    (await made.put(0, bytes(len(DATA)))).problem(409)
    said = (await made.put(0, DATA)).problem(409)
    assert "spoiled" in said["detail"]
    (await made.complete(made.statement())).problem(409)
    with scene.live.gateway.engine.connect() as conn:
        query = "SELECT secrets FROM uploads WHERE state = 'spoiled'"
        assert conn.exec_driver_sql(query).fetchall() == [(None,)]
    fresh = await uploaded(scene)
    assert (await fresh.complete(fresh.statement())).status == 201


def _full(*_: object) -> None:
    raise OSError(28, os.strerror(28))


async def test_a_part_in_the_middle_is_whole_chunks(scene: Scene) -> None:
    made = await begin(scene)
    for size in (1, CHUNK - 1, CHUNK + 1):
        (await made.put(0, DATA[:size])).problem(400)
    assert await made.offset() == 0
    (await made.put(0, b"")).problem(400)
    (await made.put(0, DATA + b"!")).problem(400)


async def test_a_part_has_its_greatest_size(scene: Scene) -> None:
    made = await begin(scene, 2 * MAX_PART)
    (await made.put(0, bytes(MAX_PART + CHUNK))).problem(413)
    assert await made.offset() == 0


@pytest.mark.parametrize("stated", ["10", "", "-9", "9.0", "9" * 19])
async def test_the_stated_length_is_the_signed_one(scene: Scene, stated: str) -> None:
    body = order(OpenUpload(new_id("upl"), 9, "pq"))
    headers = {**TUS, **JSON, "Upload-Length": stated}
    answer = await scene.be("sharer").call("POST", "/v1/uploads", body, headers)
    assert answer.problem(400)["field"] == "Upload-Length"


@pytest.mark.parametrize("size", [-1, 1 << 51, 1 << 62])
async def test_an_upload_has_a_possible_size(scene: Scene, size: int) -> None:
    act: Json = {"id": new_id("upl"), "size": size, "suite": "pq", "type": "upload"}
    headers = {**TUS, **JSON, "Upload-Length": "9"}
    body = b'{"act":' + str(act).replace("'", '"').encode() + b',"sig2":null}'
    (await scene.be("sharer").call("POST", "/v1/uploads", body, headers)).problem(400)


async def test_every_request_of_an_upload_names_its_protocol(scene: Scene) -> None:
    made = await uploaded(scene)
    for method, headers in (("HEAD", {}), ("PATCH", {**PART, "Upload-Offset": "0"})):
        for version in (None, "0.2.2", "1.0.0, 1.0.0"):
            said = {k: v for k, v in headers.items() if k != "Tus-Resumable"}
            said |= {"Tus-Resumable": version} if version else {}
            body = DATA if method == "PATCH" else b""
            answer = await made.sharer.call(method, made.target, body, said)
            assert answer.status == 400
    body = order(OpenUpload(new_id("upl"), 9, "pq"))
    begun = await made.sharer.call("POST", "/v1/uploads", body, {**JSON, "Upload-Length": "9"})
    assert begun.problem(400)["field"] == "Tus-Resumable"


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain", ""])
async def test_a_part_is_of_its_media_type(scene: Scene, kind: str) -> None:
    made = await begin(scene)
    assert (await made.put(0, DATA, Content_Type=kind)).problem(400)["field"] == "Content-Type"


WRONG: dict[str, tuple[Callable[[Complete], Complete], int]] = {
    "digest": (lambda a: _said(a, sha256="0" * 64), 422),
    "size": (lambda a: _said(a, size=len(DATA) + 1), 409),
    "part": (lambda a: replace(a, parts=("0" * 64,)), 422),
    "no parts": (lambda a: replace(a, parts=()), 422),
    "part twice": (lambda a: replace(a, parts=a.parts * 2), 422),
    "another upload": (lambda a: replace(a, upload=new_id("upl")), 400),
}


def _said(act: Complete, **said: Any) -> Complete:
    return replace(act, particulars=replace(act.particulars, **said))


@pytest.mark.parametrize("what", WRONG)
async def test_a_completion_states_what_arrived(scene: Scene, what: str) -> None:
    made = await uploaded(scene)
    change, status = WRONG[what]
    (await made.complete(change(made.statement()))).problem(status)
    assert (await made.complete(made.statement())).status == 201


async def test_an_upload_is_not_complete_before_its_last_byte(scene: Scene) -> None:
    made = await begin(scene)
    await made.put(0, DATA[:CHUNK])
    (await made.complete(made.statement())).problem(409)


async def test_a_completion_repeated_gives_the_first_answer_and_changed_is_refused(
    scene: Scene,
) -> None:
    made = await uploaded(scene)
    first = (await made.complete(made.statement())).json()
    assert (await made.complete(made.statement())).json() == first
    (await made.complete(replace(made.statement(), handling="other"))).problem(409)
    (await made.put(0, DATA)).problem(409)


ALTERED: dict[str, Json] = {
    "vault_header": "0" * 64,
    "body": "0" * 64,
    "body_size": 1,
    "size": 1,
    "suite": "classic",
    "facts": "0" * 64,
    "particulars": "0" * 64,
    "handling": "other",
}


async def test_a_deposit_record_altered_in_any_field_makes_no_item(scene: Scene) -> None:
    made = await uploaded(scene)
    vouched = record(made, (await made.complete(made.statement())).json())
    assert set(ALTERED) == set(Deposit.__struct_fields__) - {"item"}
    for field, value in ALTERED.items():
        (await made.sharer.act("/v1/items", replace(vouched, **{field: value}))).problem(422)
    (await made.sharer.act("/v1/items", replace(vouched, item=new_id("itm")))).problem(404)
    existing = replace(vouched, item=scene.shares.items[0])
    (await made.sharer.act("/v1/items", existing)).problem(409)
    assert (await made.sharer.act("/v1/items", vouched)).status == 201


async def test_nobody_vouches_for_the_upload_of_another(scene: Scene) -> None:
    made = await uploaded(scene)
    vouched = record(made, (await made.complete(made.statement())).json())
    (await scene.be("releaser").act("/v1/items", vouched)).problem(404)
    (await scene.be("releaser").act(f"{made.target}/complete", made.statement())).problem(404)


@pytest.mark.parametrize(
    "name",
    [
        "../up",
        "a/../../up",
        "/etc/passwd",
        "a//b",
        "",
        ".",
        "..\\up",
        "C:x",
        "nul.txt",
        "a\u0000b",
        "a\nb",
        "dot.",
        "x" * 300,
        "d/" * 600 + "x",
    ],
)
async def test_a_name_leads_nowhere(scene: Scene, name: str) -> None:
    made = await uploaded(scene)
    body = made.statement()
    said = {"act": {**plain(body), "particulars": {**plain(body.particulars), "name": name}}}
    answer = await made.sharer.post(f"{made.target}/complete", {**said, "sig2": None})
    assert answer.problem(400)["field"].startswith("/act/particulars")


FACTS: list[tuple[str, Json]] = [
    ("item.unheard_of", True),
    ("item.sgbv", "yes"),
    ("item.sgbv", 1),
    ("item.sgbv", [True]),
    ("item.consent.status", "enthusiastic"),
    ("item.consent.purposes", "criminal"),
    ("item.consent.purposes", ["criminal", "amusement"]),
    ("recipient.death_penalty", False),
    ("context.purpose", "criminal"),
]


@pytest.mark.parametrize(("path", "value"), FACTS)
async def test_a_fact_is_one_of_the_vocabulary_in_its_type(
    scene: Scene, path: str, value: Json
) -> None:
    made = await uploaded(scene)
    act = replace(made.statement(), facts={**PLAIN, path: value})
    said = (await made.complete(act)).problem(400)
    assert path in said["field"]
