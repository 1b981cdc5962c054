"""Ranges of an item (RFC 9110, sections 13 and 14): exact, whole, or refused; never guessed."""

import time

import pytest

from gateway.kernel.encoding import hex_sha256
from gateway.workflows import pull
from tests.web.conftest import Scene
from tests.web.harness import JSON, Answer, Caller
from tests.web.test_others import receipt


def item(scene: Scene, n: int = 0) -> str:
    return f"/v1/shares/{scene.shares.ours}/items/{n}"


async def whole(scene: Scene, n: int = 0) -> bytes:
    answer = await scene.be("xa").get(item(scene, n))
    assert answer.status == 200
    return answer.body


async def ranged(caller: Caller, target: str, text: str, **headers: str) -> Answer:
    return await caller.get(target, Range=text, **headers)


async def test_head_says_what_get_brings_and_is_not_logged_as_a_pull(scene: Scene) -> None:
    endpoint, target = scene.be("xa"), item(scene)
    said = await endpoint.call("HEAD", target)
    brought = await endpoint.get(target)
    assert said.status == 200 and said.body == b""
    assert int(said.headers["content-length"]) == len(brought.body)
    for name in ("etag", "accept-ranges", "cache-control", "content-type", "content-disposition"):
        assert said.headers[name] == brought.headers[name], name
    assert said.headers["accept-ranges"] == "bytes"
    assert said.headers["cache-control"] == "no-store"
    with scene.live.gateway.engine.connect() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM servings").scalar() == 1


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("bytes=0-", 0, None),
        ("bytes=0-0", 0, 1),
        ("bytes=5-1048580", 5, 1048581),
        ("bytes=1000000-", 1000000, None),
        ("bytes=-1", -1, None),
        ("bytes=-1500000", -1500000, None),
        ("bytes=0-99999999999", 0, None),
        ("bytes=-99999999999", 0, None),
        ("bytes=1626-1628", 1626, 1629),
    ],
)
async def test_a_range_is_exact(scene: Scene, text: str, first: int, end: int | None) -> None:
    data = await whole(scene)
    answer = await ranged(scene.be("xa"), item(scene), text)
    assert answer.status == 206
    assert answer.body == data[first:end]
    start = first % len(data)
    last = start + len(answer.body) - 1
    assert answer.headers["content-range"] == f"bytes {start}-{last}/{len(data)}"


@pytest.mark.parametrize(
    "text",
    [
        "bytes=9-3",
        "bytes=-0",
        "bytes=-",
        "bytes=0-1,5-6",
        "bytes=99999999-",
        "bytes=99999999-999999999",
        "bytes=a-b",
        "bytes=٠-٩",
        "bytes=0x0-0x9",
        "bytes=+0-9",
        "bytes=0 - 9",
        "items=0-9",
        "0-9",
        "",
        "bytes=" + "9" * 4000 + "-",
        "bytes=" + ",".join(["0-1"] * 500),
    ],
)
async def test_what_is_no_single_range_is_not_satisfied(scene: Scene, text: str) -> None:
    answer = await ranged(scene.be("xa"), item(scene), text)
    answer.problem(416)
    size = len(await whole(scene))
    assert answer.headers["content-range"] == f"bytes */{size}"
    assert "etag" in answer.headers


async def test_the_end_is_no_first_byte(scene: Scene) -> None:
    size = len(await whole(scene))
    assert (await ranged(scene.be("xa"), item(scene), f"bytes={size}-")).status == 416
    assert (await ranged(scene.be("xa"), item(scene), f"bytes={size - 1}-")).status == 206


async def test_if_range_goes_on_only_with_the_strong_tag_of_today(scene: Scene) -> None:
    endpoint, target = scene.be("xa"), item(scene)
    tag = (await endpoint.call("HEAD", target)).headers["etag"]
    assert tag.startswith('"')
    for said, status in (
        (tag, 206),
        (f"W/{tag}", 200),
        ('"another"', 200),
        (tag.strip('"'), 200),
        ("Tue, 24 Nov 2026 12:00:00 GMT", 200),
    ):
        answer = await ranged(endpoint, target, "bytes=1000000-", If_Range=said)
        assert answer.status == status, said


async def test_tags_differ_between_recipients_and_items(scene: Scene) -> None:
    theirs = f"/v1/shares/{scene.shares.theirs}/items/0"
    tags = [
        (await scene.be(who).call("HEAD", target)).headers["etag"]
        for who, target in (("xa", item(scene)), ("xa", item(scene, 1)), ("xb", theirs))
    ]
    assert len(set(tags)) == 3


@pytest.mark.parametrize("n", ["00", "+0", "-1", "0.0", "1e0", "٠", "%30", "0%00", "9999999", "2"])
async def test_an_item_has_one_number(scene: Scene, n: str) -> None:
    target = f"/v1/shares/{scene.shares.ours}/items/{n}"
    answer = await scene.be("xa").get(target)
    assert answer.status in {400, 404}, answer.body


async def test_small_ranges_have_a_quota_and_large_ones_have_not(scene: Scene) -> None:
    endpoint, target, begun = scene.be("xa"), item(scene), time.monotonic()
    answers = [await ranged(endpoint, target, "bytes=0-9")]
    while answers[-1].status == 206:
        answers.append(await ranged(endpoint, target, "bytes=0-9"))
    # A minute's worth at once, and one more for each second that this took.
    assert 60 <= len(answers) - 1 <= 61 + time.monotonic() - begun
    assert answers[-1].headers["retry-after"].isdigit()
    answers[-1].problem(429)
    large = f"bytes=0-{pull.MIN_RANGE}"
    assert (await ranged(endpoint, target, large)).status == 206
    assert (await ranged(endpoint, target, "bytes=-9")).status == 206  # the end of it
    assert (await endpoint.get(item(scene, 1))).status == 200  # a small item, whole
    theirs = f"/v1/shares/{scene.shares.theirs}/items/0"
    assert (await ranged(scene.be("xb"), theirs, "bytes=0-9")).status == 206


async def test_a_receipt_waits_for_the_last_missing_byte(scene: Scene) -> None:
    endpoint, share, target = scene.be("xa"), scene.shares.ours, item(scene)
    manifest = hex_sha256((await endpoint.get(f"/v1/shares/{share}/manifest")).body)
    await whole(scene, 1)
    for text in ("bytes=0-1499999", "bytes=1500001-"):
        assert (await ranged(endpoint, target, text)).status == 206
    body = receipt(endpoint, share, manifest)
    accept = f"/v1/shares/{share}/receipts"
    (await endpoint.call("POST", accept, body, JSON)).problem(409)
    assert (await ranged(endpoint, target, "bytes=1500000-1500000")).status == 206
    assert (await endpoint.call("POST", accept, body, JSON)).json()["state"] == "pulled"
