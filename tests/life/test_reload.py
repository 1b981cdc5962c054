"""Sets come and are refused while people work: no request fails, and each decision is by one set or another."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.client import policies
from gateway.client.session import Session
from gateway.exchange.acts import Propose
from gateway.exchange.policy_acts import MAX_SET
from gateway.kernel.errors import GatewayError, TooLargeError
from gateway.kernel.ids import new_id
from tests.life.steps import EXTRA, extra, forge, harmless, order_of
from tests.life.test_attacks import CONTENT, a_wrong_predecessor, no_signature, one_author, unsigned
from tests.web.harness import JSON, caller, order
from tests.world import (
    Running,
    World,
    any_rules,
    package_of,
    run_cli,
    running,
    serving,
    session,
    source,
)


@pytest.fixture
async def live(world: World) -> AsyncIterator[Running]:
    async with running(world) as made:
        yield made


@dataclass
class Busy:
    """What people saw while they worked: by which set each decision was made, and what failed."""

    policies: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    done: bool = False

    async def work(self, step: Callable[[], Any]) -> None:
        while not self.done:
            try:
                said = await step()
            except GatewayError as error:
                self.failed.append(repr(error))
            else:
                self.policies[said["decision"]["policy"]] += 1


@asynccontextmanager
async def busy(world: World) -> AsyncIterator[Busy]:
    """Have four people propose and read all the while."""
    seen = Busy()
    (world.root / "busy.txt").write_text("a note")
    async with session(world, "sharer") as sharer, session(world, "legal") as legal:
        package, _ = await package_of(sharer, [source(world.root / "busy.txt")])
        recipient = world.party("xa")

        async def offer() -> Any:
            return await sharer.act("/v1/shares", Propose(new_id("shr"), package, recipient))

        share = (await offer())["share"]

        async def read() -> Any:
            return (await legal.get(f"/v1/shares/{share}")).json()

        workers = [asyncio.create_task(seen.work(step)) for step in (offer, read, read, read)]
        yield seen
        seen.done = True
        await asyncio.gather(*workers)


async def refused(live: Running, author: Session, says: str) -> None:
    (said,) = await asyncio.to_thread(live.reload)
    assert says in said
    with pytest.raises(GatewayError):
        await author.act("/v1/policy/sets", order_of(live.world))


def content(name: str) -> Callable[[World], str]:
    def attack(world: World) -> str:
        text, line, _ = CONTENT[name]
        (world.policy / EXTRA).write_text(text)
        forge(world)
        return f"{EXTRA}:{line}: "

    return attack


def a_lower_number(world: World) -> str:
    harmless(world)
    forge(world, number=1)
    return "a new one has a higher number"


async def test_whatever_is_wrong_with_a_set_it_is_refused_whole_while_requests_run(
    live: Running,
) -> None:
    """Typo, unknown attribute, key twice, anchors, literal, missing signature, lower number."""
    world, before = live.world, live.gateway.sets
    good = {path: path.read_bytes() for path in world.policy.rglob("*") if path.is_file()}
    attacks = [*map(content, CONTENT), unsigned, no_signature, one_author, a_lower_number]
    async with session(world, "author1") as author, busy(world) as seen:
        for attack in (*attacks, a_wrong_predecessor):
            await refused(live, author, attack(world))
            (world.policy / EXTRA).unlink(missing_ok=True)
            for path, data in good.items():
                path.write_bytes(data)
    assert before.policy is not None
    assert seen.failed == []
    assert set(seen.policies) == {before.policy.digest}, "none was decided by another set"
    assert sum(seen.policies.values()) > len(attacks)
    assert live.gateway.sets.policy is before.policy


async def test_sets_come_into_force_without_a_request_dropped(live: Running) -> None:
    world, digests = live.world, []
    async with session(world, "author1") as author, busy(world) as seen:
        for n in range(4):
            extra(world, "{eq: [item.sgbv, true]}", f"  valid_to: 200{n}-01-01\n")
            digests.append(world.sign_policy().manifest.policy)
            if n % 2:
                assert await asyncio.to_thread(live.reload) == []
            else:
                await policies.activate(author, world.policy)
            await asyncio.sleep(0.2)
    assert seen.failed == []
    first = (await _sets(live))[0]["set"]
    assert set(seen.policies) <= {first, *digests}
    assert set(digests) <= set(seen.policies), "each of them decided something"


async def _sets(live: Running) -> Any:
    async with session(live.world, "auditor") as auditor:
        return (await auditor.get("/v1/policy/sets")).json()["sets"]


async def test_a_body_beyond_two_mebibytes_is_not_read(live: Running) -> None:
    harmless(live.world)
    live.world.sign_policy()
    act = order_of(live.world, files={"a.yaml": "#" * MAX_SET})
    for path in ("/v1/policy/sets", "/v1/policy/preview"):
        body = order(act)
        said = await caller(live.world, "author1").call("POST", path, body, JSON)
        assert said.problem(413)["detail"] == f"a body has at most {MAX_SET} bytes"
    async with session(live.world, "author1") as author:
        with pytest.raises(TooLargeError):
            await author.act("/v1/policy/sets", act)


async def test_readyz_says_what_is_refused_and_stays_ready(live: Running) -> None:
    said = unsigned(live.world)
    await asyncio.to_thread(live.reload)
    found = await caller_of_admin(live)
    assert found["ready"] is True
    assert any(said in warning for warning in found["warnings"])


async def caller_of_admin(live: Running) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", live.world.config.admin_port)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    data = await reader.read()
    writer.close()
    return json.loads(data.partition(b"\r\n\r\n")[2])


@pytest.mark.slow
def test_people_do_all_of_it_with_commands(world: World) -> None:
    """Sign, look, activate, sign off, go back, make a decision again."""
    folder = str(world.policy)

    def gateway(who: str, *words: str, code: int = 0) -> Any:
        done = run_cli(*words, "--json", "--as", str(world.folder(who)), check=False)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if done.stdout else done.stderr

    with serving(world):
        share = gateway("sharer", "share", "list")[0]["share"]
        old = gateway("auditor", "policy", "recompute", share)
        assert (old["differences"], old["number"]) == ([], 1)
        extra(world, "{eq: [item.sgbv, false]}")
        any_rules(world.policy)
        assert "say --yes" in gateway("author1", "policy", "sign", folder, code=2)
        first = gateway("author1", "policy", "sign", folder, "--yes")
        assert (first["number"], first["changed_rules"]) == (2, ["test.extra"])
        dry = gateway("author1", "policy", "activate", folder, "--dry-run", code=7)
        assert "signed by 1 author" in dry["problems"][0]
        assert gateway("author2", "policy", "sign", folder, "--yes")["signatures"] == 2
        assert gateway("author1", "policy", "activate", folder, "--yes")["number"] == 2

        # Back to what set 1 said, as set 3: it permits what set 2 denied.
        earlier = world.root / "earlier"
        gateway("author1", "policy", "sets", "1", "--out", str(earlier))
        upon = ("--number", "3", "--supersedes", first["manifest"], "--yes")
        gateway("author1", "policy", "sign", str(earlier), *upon)
        gateway("author2", "policy", "sign", str(earlier), "--yes")
        said = gateway("author1", "policy", "activate", str(earlier), "--yes", code=7)
        assert "gateway policy signoff" in said
        assert gateway("legal", "policy", "signoff", str(earlier), "--yes")["signoff"]
        assert gateway("author1", "policy", "activate", str(earlier), "--yes")["number"] == 3
        listed = gateway("auditor", "policy", "sets")
        assert (listed["in_force"], len(listed["sets"])) == (3, 3)
        text = run_cli("policy", "replay", "--as", str(world.folder("auditor"))).stdout
        assert "recorded decisions, of which" in text
        assert "by jurisdiction: " in text
