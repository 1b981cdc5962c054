"""A token is good for one request, once: replayed, moved or doubled it is refused."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.exchange import tokens
from gateway.exchange.acts import Ask, Basis, MakePackage, Product, Recall, Release, ReleaseItem
from gateway.exchange.parse import build
from gateway.kernel.encoding import parse_json, sha256
from gateway.kernel.ids import new_id
from gateway.store import replay
from gateway.workflows import upkeep
from tests.web.conftest import Scene, Shares
from tests.web.harness import JSON, Caller, caller, exchange, head_of, order
from tests.web.test_others import receipt
from tests.world import World, running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def kind(request: pytest.FixtureRequest) -> str:
    """These run on both databases."""
    return str(request.param)


INBOX = "/v1/inbox"
SPENT = "token was spent before"


def package_of(item: str) -> bytes:
    basis = Basis("proactive", "criminal", "case-9", rationale="why")
    return order(MakePackage(new_id("pkg"), Product.EVIDENCE, basis, (item,)))


async def release_of(releaser: Caller, share: str) -> Release:
    shown = (await releaser.get(f"/v1/shares/{share}")).json()
    return Release(share, shown["recipient"], build(shown["items"], tuple[ReleaseItem, ...]))


async def test_a_token_reads_once(scene: Scene) -> None:
    endpoint = scene.be("xa")
    token = endpoint.token("GET", INBOX)
    assert (await endpoint.call("GET", INBOX, token=token)).status == 200
    assert (await endpoint.call("GET", INBOX, token=token)).problem(401)["detail"] == SPENT


async def test_a_token_writes_once(scene: Scene) -> None:
    releaser, share = scene.be("releaser"), scene.shares.ours
    target, body = f"/v1/shares/{share}/recall", order(Recall(share, Ask.SEQUESTER, "why"))
    token = releaser.token("POST", target, body)
    assert (await releaser.call("POST", target, body, JSON, token)).status == 200
    refused = await releaser.call("POST", target, body, JSON, token)
    assert refused.problem(401)["detail"] == SPENT


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_spent_token_stays_spent_after_a_restart(
    world: World, made: tuple[World, Shares], method: str
) -> None:
    who, target, body, status = caller(world, "xa"), INBOX, b"", 200
    if method == "POST":
        who, target, status = caller(world, "sharer"), "/v1/packages", 201
        body = package_of(made[1].items[0])
    token = who.token(method, target, body)
    async with running(world):
        assert (await who.call(method, target, body, JSON, token)).status == status
    async with running(world):
        assert (await who.call(method, target, body, JSON, token)).problem(401)["detail"] == SPENT


async def test_a_read_token_does_not_write_and_a_write_token_does_not_read(scene: Scene) -> None:
    staff, target = scene.be("releaser"), "/v1/shares"
    (await staff.call("POST", target, b"", JSON, staff.token("GET", target))).problem(401)
    (await staff.call("GET", target, token=staff.token("POST", target))).problem(401)


async def test_a_head_token_does_not_get(scene: Scene) -> None:
    endpoint, target = scene.be("xa"), f"/v1/shares/{scene.shares.ours}/items/0"
    (await endpoint.call("GET", target, token=endpoint.token("HEAD", target))).problem(401)


async def test_the_order_of_one_share_releases_no_other(scene: Scene) -> None:
    releaser, shares = scene.be("releaser"), scene.shares
    body = order(await release_of(releaser, shares.waiting))
    meant, other = (f"/v1/shares/{share}/release" for share in (shares.waiting, shares.theirs))
    moved = await releaser.call("POST", other, body, JSON, releaser.token("POST", meant, body))
    moved.problem(401)
    assert (await releaser.call("POST", other, body, JSON)).problem(400)["field"] == "/act"
    shown = (await releaser.get(f"/v1/shares/{shares.waiting}")).json()
    assert shown["state"] == "proposed"


async def test_an_order_does_not_release_to_another_recipient(scene: Scene) -> None:
    releaser, share = scene.be("releaser"), scene.shares.waiting
    act = await release_of(releaser, share)
    turned = Release(share, scene.world.party("xb"), act.items)
    (await releaser.act(f"/v1/shares/{share}/release", turned)).problem(422)


async def test_an_order_does_not_release_other_items_than_it_names(scene: Scene) -> None:
    releaser, share = scene.be("releaser"), scene.shares.waiting
    act = await release_of(releaser, share)
    for items in (act.items[:1], act.items[::-1], (*act.items, act.items[0])):
        turned = Release(share, act.recipient, items)
        (await releaser.act(f"/v1/shares/{share}/release", turned)).problem(422)


async def test_another_body_under_the_same_token_is_refused(scene: Scene) -> None:
    releaser, share = scene.be("releaser"), scene.shares.ours
    target = f"/v1/shares/{share}/recall"
    signed, sent = (order(Recall(share, Ask.SEQUESTER, why)) for why in ("one", "two"))
    token = releaser.token("POST", target, signed)
    refused = await releaser.call("POST", target, sent, JSON, token)
    assert refused.problem(401)["detail"] == "token is for another body"


@pytest.mark.parametrize("sent", [f"{INBOX}?after=1", f"{INBOX}?", f"{INBOX}/", f"/{INBOX}"])
async def test_another_target_under_the_same_token_is_refused(scene: Scene, sent: str) -> None:
    endpoint = scene.be("xa")
    answer = await endpoint.call("GET", sent, token=endpoint.token("GET", INBOX))
    answer.problem(404 if sent.strip("?").endswith("/") or sent.startswith("//") else 401)


async def test_two_authorization_headers_are_refused(scene: Scene) -> None:
    endpoint = scene.be("xa")
    bearers = [("Authorization", f"Bearer {endpoint.token('GET', INBOX)}") for _ in range(2)]
    (await exchange(scene.port, head_of("GET", INBOX, bearers))).problem(401)


async def test_a_token_in_the_query_is_no_token(scene: Scene) -> None:
    token = scene.be("xa").token("GET", INBOX)
    (await exchange(scene.port, head_of("GET", f"{INBOX}?access_token={token}"))).problem(401)


@pytest.mark.parametrize("scheme", ["bearer ", "Basic ", "Bearer  ", ""])
async def test_only_one_spelling_of_the_header_is_read(scene: Scene, scheme: str) -> None:
    value = f"{scheme}{scene.be('xa').token('GET', INBOX)}"
    (await exchange(scene.port, head_of("GET", INBOX, {"Authorization": value}))).problem(401)


async def test_headers_that_speak_of_another_path_or_method_change_nothing(scene: Scene) -> None:
    endpoint = scene.be("xa")
    spoofed = {
        "X-Original-URL": "/v1/shares",
        "X-Forwarded-Prefix": "/v1/shares",
        "X-HTTP-Method-Override": "DELETE",
        "X-Forwarded-Host": "other.example",
    }
    assert "messages" in (await endpoint.call("GET", INBOX, headers=spoofed)).json()


@pytest.mark.parametrize("seconds", [-200, 200])
async def test_a_token_of_another_hour_is_refused(scene: Scene, seconds: int) -> None:
    endpoint = scene.be("xa")
    token = endpoint.token("GET", INBOX, at=datetime.now(UTC) + timedelta(seconds=seconds))
    (await endpoint.call("GET", INBOX, token=token)).problem(401)


async def test_a_clock_set_back_revives_no_token(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both tables forget a token once it has expired; then the gateway's clock goes back by an hour."""
    monkeypatch.setattr(replay, "_PURGE_EVERY", 1)
    endpoint, sharer, live = scene.be("xa"), scene.be("sharer"), scene.live
    read = endpoint.token("GET", INBOX)
    body = package_of(scene.shares.items[0])
    write = sharer.token("POST", "/v1/packages", body)
    assert (await endpoint.call("GET", INBOX, token=read)).status == 200
    assert (await sharer.call("POST", "/v1/packages", body, JSON, write)).status == 201
    live.skew = timedelta(hours=1)
    await asyncio.to_thread(upkeep.every_minute, live.gateway)
    assert (await scene.be("xa").get(INBOX)).status == 200
    with live.gateway.engine.connect() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM jti").scalar() == 0
    live.skew = timedelta(0)
    again = await endpoint.call("GET", INBOX, token=read)
    assert "clock was set back" in again.problem(503)["detail"]
    again = await sharer.call("POST", "/v1/packages", body, JSON, write)
    assert again.problem(401)["detail"] == SPENT


async def test_a_receipt_is_no_token(scene: Scene) -> None:
    """Nor is it one in the form of a token: its type is another, and its key of another use."""
    endpoint = scene.be("xa")
    container = receipt(endpoint, scene.shares.ours, "0" * 64)
    kept = parse_json(container)
    assert isinstance(kept, dict) and isinstance(kept["signatures"], list)
    first = kept["signatures"][0]
    assert isinstance(first, dict)
    compact = f"{first['protected']}.{kept['payload']}.{first['signature']}"
    for token in (compact, container.decode("latin-1").replace("\n", "")):
        (await endpoint.call("GET", INBOX, token=token)).problem(401)
    signer = endpoint.folder.message_signer()
    profile = endpoint.folder.profile
    forged = tokens.make(
        signer,
        issuer=profile.actor,
        audience=profile.audience,
        request=tokens.Request("GET", INBOX, sha256(b"")),
        now=endpoint.now(),
    )
    said = (await endpoint.call("GET", INBOX, token=forged)).problem(401)
    assert said["detail"] == "unknown or revoked key"
