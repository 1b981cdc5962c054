"""A share for a term is served to its last day and not on any day after it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.client import pull, terms
from gateway.exchange.messages import About
from gateway.exchange.receipts import Rung
from gateway.kernel.errors import ConflictError, GatewayError, NotFoundError
from gateway.kernel.ids import new_id
from gateway.store import shares
from gateway.workflows import pull as pulling
from gateway.workflows import suspend, upkeep
from tests import reconcile
from tests.sharing.rules import ask_for
from tests.sharing.steps import released, shown
from tests.web.harness import caller, socket_to
from tests.world import (
    Running,
    World,
    package_of,
    propose,
    recall,
    release,
    running,
    session,
    source,
)

DAYS = 10
BIG = bytes(40 << 20)  # more than the buffers of two sockets hold


async def lent(live: Running, days: int = DAYS) -> str:
    """Release a share to `xa` for so many days."""
    ask_for(live.world, f"{{expiry_days: {days}}}")
    assert live.reload() == []
    return (await released(live.world)).share


def to_last_second(live: Running, day: int = DAYS) -> None:
    """Set the gateway's clock to the end of the day so many days from now."""
    now = datetime.now(UTC)
    end = (now + timedelta(days=day)).replace(hour=23, minute=59, second=57, microsecond=0)
    live.skew = end - now


def state(live: Running, share: str) -> str:
    with live.gateway.engine.connect() as conn:
        return shares.get(conn, share).state.value


def check(live: Running, share: str) -> str:
    """Return why the gateway would refuse an item now, or nothing; its own clock alone is moved."""
    try:
        pulling.check_pullable(live.gateway, share)
    except ConflictError as error:
        return str(error)
    return ""


async def test_manifest_and_terms_say_the_last_day(live: Running) -> None:
    share = await lent(live)
    last = (datetime.now(UTC) + timedelta(days=DAYS)).date().isoformat()
    async with session(live.world, "xa") as endpoint:
        manifest, inner, said = await pull.offered(endpoint, share)
    assert (manifest.expires, said.expires, inner.terms["expiry_days"]) == (last, last, DAYS)
    assert f"served until: {last} (UTC)" in said.words()
    async with session(live.world, "sharer") as sharer:
        assert (await shown(sharer, share))["expires"] == last


async def test_a_share_without_a_term_has_a_manifest_as_ever(live: Running) -> None:
    made = await released(live.world)
    async with session(live.world, "xa") as endpoint:
        manifest, _, said = await pull.offered(endpoint, made.share)
        assert said.expires is None
        assert b"expires" not in (await endpoint.get(f"/v1/shares/{made.share}/manifest")).body
    assert not isinstance(manifest.expires, str)


async def test_it_is_served_on_its_last_day_and_not_on_the_next(live: Running) -> None:
    """Whether or not anything has been swept by then."""
    share = await lent(live)
    to_last_second(live)
    assert check(live, share) == ""
    live.skew += timedelta(seconds=4)
    assert check(live, share) == "the share has expired"
    assert state(live, share) == "available"
    upkeep.every_minute(live.gateway)
    assert state(live, share) == "expired"
    assert check(live, share) == "the share has expired"
    live.skew = timedelta(0)
    assert check(live, share) == "the share has expired", "a clock set back brings nothing back"


async def test_its_recipient_is_told_and_strangers_see_nothing(live: Running) -> None:
    share = await lent(live, 0)
    live.skew = timedelta(days=1)
    upkeep.every_minute(live.gateway)
    live.skew = timedelta(0)
    async with session(live.world, "xa") as endpoint:
        found = [(m.about, m.share) for m in await pull.inbox(endpoint)]
        assert found == [(About.SHARE_AVAILABLE, share), (About.SHARE_EXPIRED, share)]
        for part in ("manifest", "manifest/inner", "items/0"):
            with pytest.raises(ConflictError, match="the share has expired"):
                await endpoint.get(f"/v1/shares/{share}/{part}")
    async with session(live.world, "xb") as stranger:
        for name in (share, new_id("shr")):
            with pytest.raises(NotFoundError, match="no such share"):
                await stranger.get(f"/v1/shares/{name}/items/0")


async def test_it_expires_at_a_start_after_its_last_day(world: World) -> None:
    async with running(world) as live:
        share = await lent(live, 0)
        live.skew = timedelta(days=1)
        assert live.reload() == []
        assert state(live, share) == "expired"
    async with running(world) as live:
        assert state(live, share) == "expired"


async def test_receipts_for_what_was_pulled_before_are_taken_after_it(live: Running) -> None:
    share = await lent(live, 0)
    async with session(live.world, "xa") as endpoint:
        await pull.offered(endpoint, share)
        await endpoint.request("GET", f"/v1/shares/{share}/items/0")
        manifest = pull.manifest_digest(endpoint.folder, share)
        await pull.acknowledge(endpoint, share, manifest, Rung.PULLED)
        live.skew = timedelta(days=1)
        upkeep.every_minute(live.gateway)
        live.skew = timedelta(0)
        async with session(live.world, "xa-officer") as officer:
            with pytest.raises(ConflictError, match="cannot accept a share that is pulled"):
                await pull.acknowledge(officer, share, manifest, Rung.ACCEPTED)
            for person, rung in ((endpoint, Rung.VERIFIED), (officer, Rung.OPENED)):
                assert await pull.acknowledge(person, share, manifest, rung) == "expired"
            officer.folder.forget(f"receipt-{Rung.ACCEPTED.value}-{share}")
            assert await pull.acknowledge(officer, share, manifest, Rung.ACCEPTED) == "expired"
    async with session(live.world, "sharer") as sharer:
        at = await shown(sharer, share)
        assert [r["rung"] for r in at["receipts"]] == ["pulled", "verified", "opened", "accepted"]
        found = (await sharer.get(f"/v1/items/{at['items'][0]['item']}/holders")).json()
    assert reconcile.check(live.gateway)["share.expired"] == 1
    assert [h["share"] for h in found["holders"]] == [share]  # type: ignore[union-attr,index,call-overload]


async def test_a_receipt_for_what_was_never_pulled_is_refused_after_it_too(live: Running) -> None:
    share = await lent(live, 0)
    async with session(live.world, "xa") as endpoint:
        await pull.offered(endpoint, share)
        live.skew = timedelta(days=1)
        upkeep.every_minute(live.gateway)
        live.skew = timedelta(0)
        with pytest.raises(ConflictError, match="was not served"):
            manifest = pull.manifest_digest(endpoint.folder, share)
            await pull.acknowledge(endpoint, share, manifest, Rung.PULLED)


async def test_who_holds_copies_of_an_expired_share_is_still_asked_by_a_recall(
    live: Running,
) -> None:
    share = await lent(live, 0)
    live.skew = timedelta(days=1)
    upkeep.every_minute(live.gateway)
    live.skew = timedelta(0)
    async with session(live.world, "releaser") as releaser, session(live.world, "xa") as endpoint:
        assert (await recall(releaser, share))["state"] == "expired"
        assert [m.about for m in await pull.inbox(endpoint)][-1] is About.SHARE_RECALLED
        with pytest.raises(ConflictError, match="the share has expired"):
            await endpoint.get(f"/v1/shares/{share}/manifest")
    reconcile.check(live.gateway)


async def test_a_longer_term_later_prolongs_nothing_and_a_shorter_one_suspends(
    live: Running,
) -> None:
    share = await lent(live)
    ask_for(live.world, "{expiry_days: 900}")
    assert live.reload() == []
    live.skew = timedelta(days=DAYS + 1)
    assert check(live, share) == "the share has expired"
    live.skew = timedelta(0)
    ask_for(live.world, "{expiry_days: 9}")
    assert live.reload() == []
    assert check(live, share) == "the share is suspended"


async def test_status_names_what_expires_within_two_weeks(live: Running) -> None:
    far, near = await lent(live, 15), await lent(live, 14)
    async with session(live.world, "sharer") as sharer:
        found: Any = (await sharer.get("/v1/status")).json()["expiring"]
    last = (datetime.now(UTC) + timedelta(days=14)).date().isoformat()
    assert [(row["share"], row["expires"], row["state"]) for row in found] == [
        (near, last, "available")
    ]
    assert far != near


async def test_a_running_download_ends_with_the_term(live: Running) -> None:
    path = live.world.root / "big.bin"
    path.write_bytes(BIG)
    ask_for(live.world, f"{{expiry_days: {DAYS}}}")
    assert live.reload() == []
    async with session(live.world, "releaser") as staff:
        package, _ = await package_of(staff, [source(path)])
        share = str((await propose(staff, package, "xa"))["share"])
        await release(staff, share)
    async with socket_to(live.world.config.port) as (reader, writer):
        writer.write(caller(live.world, "xa").raw("GET", f"/v1/shares/{share}/items/0"))
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1000)
        live.skew = timedelta(days=DAYS + 1)
        async with asyncio.timeout(10):
            while live.gateway.underway:
                await asyncio.sleep(0.01)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(len(BIG))


@pytest.mark.parametrize("days", [0, 1, 3])
async def test_no_range_is_authorised_on_a_day_after_the_last(live: Running, days: int) -> None:
    """Hour by hour over the end of a term: what is served stands in the ledger with its time."""
    share = await lent(live, days)
    last = (datetime.now(UTC) + timedelta(days=days)).date()
    now = datetime.now(UTC)
    for hour in range(-2, 28, 3):
        moment = datetime.combine(last, datetime.min.time(), UTC) + timedelta(hours=hour)
        if moment < now:
            continue
        live.skew = moment - datetime.now(UTC)
        suspend.sweep(live.gateway, dated=True)
        served = check(live, share) == ""
        assert served is (live.now().date() <= last), moment
    assert state(live, share) == "expired"


async def test_a_manifest_that_states_another_last_day_is_refused(live: Running) -> None:
    share = await lent(live)
    async with session(live.world, "xa") as endpoint:
        manifest, inner, said = await pull.offered(endpoint, share)
    for other in ("2030-01-01", "2020-01-01"):
        with pytest.raises(GatewayError, match="another last day"):
            terms.told(replace(manifest, expires=other), said.manifest, inner)
