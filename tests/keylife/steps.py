"""What tests of keys do again and again, through the public clients."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from gateway.client import ceremony, key_ceremony
from gateway.client import rewrap as rewrapping
from gateway.client.profile import open_folder
from gateway.envelope import Suite
from gateway.exchange.key_life import Step, fingerprint
from gateway.exchange.parties import Key, Status, Use
from tests.world import Running, World, session

HOW = "by telephone with the head of the unit"


def keys_of(world: World, code: str) -> list[Key]:
    """Return the envelope keys of an authority's endpoint, as the files have them."""
    found = ceremony.find_party(world.directory, f"{code}-prosecutor")
    return [key for member in found.members for key in member.keys if key.use is Use.ENVELOPE]


def name_of(world: World, code: str, status: Status) -> str:
    """Return the fingerprint of an authority's only key of this status."""
    (key,) = [key for key in keys_of(world, code) if key.status is status]
    return fingerprint(key)


async def put_into_force(live: Running) -> None:
    """Sign the directory as it is edited, and have the gateway take it."""
    live.world.sign(days=3000)
    assert await asyncio.to_thread(live.reload) == []


def offer_key(world: World, code: str) -> str:
    """Let an endpoint make its next key, and enter it as next; return the fingerprint."""
    now = datetime.now(UTC)
    offer, name = key_ceremony.rotate_envelope(open_folder(world.folder(code), None), Suite.PQ, now)
    entered = key_ceremony.enter(world.directory, offer, now)
    assert fingerprint(entered) == name
    return name


async def introduce(world: World, code: str, key: str, *persons: str) -> None:
    """Challenge, prove and confirm a key that stands in the directory in force."""
    async with session(world, "officer") as officer:
        await key_ceremony.challenge(officer, key)
    async with session(world, code) as endpoint:
        await key_ceremony.prove(endpoint)
    for who in persons or ("officer", "legal"):
        async with session(world, who) as person:
            await key_ceremony.confirm(person, key, HOW)


async def rotate(live: Running, code: str) -> str:
    """Give an authority a next key that is introduced; return the fingerprint."""
    name = offer_key(live.world, code)
    await put_into_force(live)
    await introduce(live.world, code, name)
    return name


async def step(live: Running, key: str, made: Step) -> None:
    """Take a key's next step, and put it into force."""
    key_ceremony.change(live.world.directory, key, made)
    await put_into_force(live)


async def rewrap(world: World, who: str, share: str) -> dict[str, Any]:
    """Have a share wrapped anew."""
    async with session(world, who) as person:
        return await rewrapping.rewrap(person, share)
