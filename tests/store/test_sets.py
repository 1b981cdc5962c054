"""A set comes into force whole, or the old one stays."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from gateway import wiring
from gateway.client import ceremony
from gateway.kernel.errors import NotFoundError, VerificationError
from gateway.store import sets, tables
from gateway.store.headcopy import HeadCopy
from gateway.workflows.gateway import Gateway
from tests.world import Running, World, running

RULES = "rules/40-protection.yaml"


def _accepted(gateway: Gateway) -> tuple[list[int], int]:
    """Return the accepted directory sets, and how many policy sets there are."""
    with gateway.engine.connect() as conn:
        numbers = list(conn.execute(select(tables.directory_sets.c.number)).scalars())
        policies = list(conn.execute(select(tables.policy_sets.c.number)).scalars())
    return sorted(numbers), len(policies)


def _publish(live: Running) -> None:
    config = live.world.config
    wiring.copy_head(live.gateway, HeadCopy(live.world.instance / config.head_copy))


def _policy_file(world: World, name: str) -> Path:
    return world.instance / world.config.policy / name


async def test_a_newer_directory_comes_into_force(world: World) -> None:
    async with running(world) as live:
        assert _accepted(live.gateway) == ([1], 1)
        world.add_authority("xb")
        world.sign()
        assert live.reload() == []
        assert live.gateway.sets.directory.number == 2
        assert live.gateway.sets.directory.party(world.party("xb")).jurisdiction == "XB"
        assert live.reload() == []
        assert _accepted(live.gateway) == ([1, 2], 1)


async def test_each_moment_has_the_directory_that_was_in_force_then(world: World) -> None:
    async with running(world) as live:
        gateway, before = live.gateway, live.now()
        first = gateway.directory_at(before)
        world.add_authority("xb")
        world.sign()
        assert live.reload() == []
        assert (first.number, gateway.directory_at(before).number) == (1, 1)
        assert gateway.directory_at(live.now()) == gateway.sets.directory
        assert gateway.directory_at(live.now()).number == 2
        with pytest.raises(NotFoundError):
            gateway.directory_at(before - timedelta(days=1))


async def test_a_set_that_nobody_signed_is_not_used_even_from_the_database(world: World) -> None:
    async with running(world) as live:
        gateway, now = live.gateway, live.now()
        good = gateway.sets.directory_data
        assert gateway.directory_at(now) == gateway.sets.directory
        forged = good.replace(b"Prosecution service", b"Persecution service", 1)
        assert forged != good
        gateway.writer.run(lambda tx: sets.accept_directory(tx.conn, 99, forged, "0" * 64, now))
        for _ in range(2):
            with pytest.raises(VerificationError):
                gateway.directory_at(now)


async def test_a_rolled_back_directory_brings_no_revoked_key_back(world: World) -> None:
    path = world.directory / "set.json"
    with capture_logs():
        async with running(world) as live:
            old, kid = path.read_bytes(), _endpoint_kid(live)
            ceremony.revoke(world.directory, kid)
            world.sign()
            live.reload()
            path.write_bytes(old)
            assert live.reload() == ["directory set 2 is in force: a new one has a higher number"]
            assert _revoked(live, kid)
            _publish(live)
        async with running(world) as live:  # nor does a restart
            assert live.gateway.sets.directory.number == 2
            assert _revoked(live, kid)
            assert _accepted(live.gateway) == ([1, 2], 1)


def _endpoint_kid(live: Running) -> str:
    party = live.gateway.sets.directory.party(live.world.party("xa"))
    return next(key.kid for key in party.members[0].keys if key.use.value == "request")


def _revoked(live: Running, kid: str) -> bool:
    actor = live.gateway.sets.directory.actor(kid)
    return actor is None or not actor.key.in_force(live.now())


async def test_another_set_under_the_same_number_is_refused(world: World) -> None:
    path = world.directory / "set.json"
    with capture_logs():
        async with running(world) as live:
            data = live.gateway.sets.directory_data
            path.unlink()
            world.sign()
            assert live.reload() != []
            assert live.gateway.sets.directory_data == data != path.read_bytes()


async def test_a_directory_with_a_bad_signature_leaves_the_old_one_in_force(world: World) -> None:
    path = world.directory / "set.json"
    with capture_logs() as logs:
        async with running(world) as live:
            data = live.gateway.sets.directory_data
            world.add_authority("xb")
            world.sign()
            path.write_bytes(path.read_bytes().replace(b'"XB"', b'"XA"'))
            assert len(live.reload()) == 1
            assert live.gateway.sets.directory_data == data
            path.write_bytes(b"{")
            assert len(live.reload()) == 1
            path.unlink()
            assert len(live.reload()) == 1
            assert live.gateway.sets.directory_data == data
            assert _accepted(live.gateway) == ([1], 1)
            _publish(live)
        async with running(world) as live:  # the accepted set needs no file
            assert live.gateway.sets.directory_data == data
            assert live.gateway.sets.policy is not None
    assert {log["event"] for log in logs} == {"set_refused", "shares_decided_again", "recovered"}


async def test_a_policy_that_does_not_load_leaves_the_old_one_in_force(world: World) -> None:
    path = _policy_file(world, "rules/30-rights.yaml")
    with capture_logs():
        async with running(world) as live:
            sets, good = live.gateway.sets, path.read_text()
            path.write_text(good + "- id: broken\n  effect: maybe\n")
            line = len(path.read_text().splitlines())
            (said,) = live.reload()
            assert said.startswith(f"rules/30-rights.yaml:{line - 1}: ")
            assert live.gateway.sets.policy is sets.policy
            path.write_text(good + "\tnot yaml: [")
            (said,) = live.reload()
            assert said.startswith("rules/30-rights.yaml")
            _policy_file(world, "obligations.yaml").rename(_policy_file(world, "obligations.away"))
            assert "obligations.yaml is missing" in live.reload()[0]
            assert live.gateway.sets.policy is sets.policy
            assert _accepted(live.gateway) == ([1], 1)


async def test_a_changed_policy_comes_into_force_once(world: World) -> None:
    path = _policy_file(world, RULES)
    async with running(world) as live:
        before = live.gateway.sets.policy
        path.write_text(path.read_text().replace("under an embargo", "under embargo"))
        assert live.reload() == [f"{RULES} is not the file that was signed: sign the set again"]
        assert live.gateway.sets.policy is before
        world.sign_policy()
        assert live.reload() == []
        assert live.gateway.sets.policy is not before
        live.reload()
        assert _accepted(live.gateway) == ([1], 2)


async def test_a_broken_directory_does_not_keep_a_good_policy_out(world: World) -> None:
    with capture_logs():
        async with running(world) as live:
            (world.directory / "set.json").write_bytes(b"{")
            path = _policy_file(world, RULES)
            path.write_text(path.read_text().replace("under an embargo", "under embargo"))
            world.sign_policy()
            assert len(live.reload()) == 1
            assert _accepted(live.gateway) == ([1], 2)
