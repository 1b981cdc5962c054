"""What one authority is sent, and all it can decrypt of it, names no other authority in any form."""

import asyncio
import base64
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from gateway.client import audit, pull, rfas
from gateway.client.ceremony import read_parties
from gateway.client.profile import KeyFolder, open_folder
from gateway.client.rfas import seal_for
from gateway.client.session import Session, connect
from gateway.client.trust import refresh_directory
from gateway.envelope import unseal_bytes
from gateway.exchange.acts import AskRfa, ReviewWithheld
from gateway.exchange.parties import Key, Party
from gateway.exchange.receipts import Rung
from gateway.exchange.withheld_acts import Finding
from gateway.kernel.encoding import b64url, un_b64url
from gateway.kernel.errors import ForbiddenError, GatewayError
from gateway.kernel.ids import new_id
from tests.isolation.recorder import bodies, recording, taken_apart
from tests.world import (
    World,
    admitted_rfa,
    build_world,
    package_of,
    propose,
    recall,
    release,
    running,
    session,
    source,
    wanted,
)

OTHERS = ("xb", "xc")


def forms(key: Key) -> Iterator[bytes]:
    """Yield the ways to write a key or its thumbprint."""
    if key.alg != "Ed25519":
        yield key.public.lower().encode()
        return
    for raw in (key.raw(), un_b64url(key.kid)):
        yield raw
        yield raw.hex().encode()
        yield b64url(raw).encode()
        yield base64.b64encode(raw).rstrip(b"=")


def needles(party: Party, mine: Party) -> set[bytes]:
    """Return everything that would give *party* away."""
    own = {mine.name, *(member.name for member in mine.members)}
    names = {party.name, *(member.name for member in party.members)} - own
    found = {party.id.encode(), party.short.encode(), *(name.encode() for name in names)}
    for member in party.members:
        found.add(member.id.encode())
        found |= {form for key in member.keys for form in forms(key)}
    return found


def ids_of_others(world: World, mine: str) -> set[bytes]:
    """Return the ids of shares, messages and receipts that are not of the party *mine*.

    And of what is kept back from anyone, *mine* included: items, records, reviews.
    """
    queries: tuple[tuple[str, tuple[str]], ...] = (
        ("SELECT id FROM shares WHERE recipient != ?", (mine,)),
        ("SELECT messages.id FROM messages WHERE recipient != ?", (mine,)),
        ("SELECT id FROM rfas WHERE authority != ?", (mine,)),
        (
            "SELECT id FROM rfa_messages WHERE rfa IN (SELECT id FROM rfas WHERE authority != ?)",
            (mine,),
        ),
        ("SELECT id FROM investigations WHERE authority != ?", (mine,)),
        (
            "SELECT id FROM receipts WHERE share IN (SELECT id FROM shares WHERE recipient != ?)",
            (mine,),
        ),
    )
    queries += tuple(
        (f"SELECT {column} FROM {table} WHERE ? != ''", (mine,))
        for table, column in (("withheld", "id"), ("withheld", "item"), ("withheld_reviews", "id"))
    )
    with sqlite3.connect(world.instance / "data" / "gateway.db") as db:
        return {row[0].encode() for sql, args in queries for row in db.execute(sql, args)}


@asynccontextmanager
async def through(world: World, who: str, port: int) -> AsyncIterator[Session]:
    """Open a session of *who* by way of *port*."""
    folder = open_folder(world.folder(who), None)
    profile = msgspec.structs.replace(folder.profile, url=f"http://127.0.0.1:{port}")
    async with connect(replace(folder, profile=profile)) as opened:
        yield opened


async def play_others(world: World, staff: Session, package: str, out: Path) -> list[str]:
    """Share the same package with the others, who pull it; recall one of them."""
    made = []
    for code in OTHERS:
        share = str((await propose(staff, package, code))["share"])
        await release(staff, share)
        async with session(world, code) as endpoint, session(world, f"{code}-officer") as officer:
            await pull.inbox(endpoint)
            done = await pull.pull(endpoint, share, out / code, lambda _: None)
            await pull.acknowledge(officer, share, done.manifest, Rung.ACCEPTED)
        made.append(share)
    await recall(staff, made[0])
    return made


async def request(world: World, code: str) -> str:
    """Have an authority's RFA go through its life; return its id."""
    rfa = await admitted_rfa(world, code, wanted(f"investigation of {code}"))
    async with session(world, "officer") as officer:
        directory = await refresh_directory(officer)
        party = directory.party(f"{code}-prosecutor")
        text = seal_for(party, f"a question to {code}".encode(), datetime.now(UTC))
        await officer.act(f"/v1/rfas/{rfa}/steps", AskRfa(new_id("stp"), rfa, text))
    return rfa


async def keep_back(world: World, staff: Session, rfa: str, path: Path) -> None:
    """Have exculpatory material denied to xa on its RFA, and have that reviewed."""
    path.write_text("what is kept back")
    about = source(path, consent__status="refused", exculpatory=True)
    package, _ = await package_of(staff, [about], case="investigation of xa", rfa=rfa)
    assert (await propose(staff, package, "xa"))["state"] == "denied"
    async with session(world, "reviewer") as reviewer:
        answer = (await reviewer.get(f"/v1/rfas/{rfa}/withheld")).json()
        (kept,) = re.findall(r"wth_\w{26}", str(answer))
        act = ReviewWithheld(new_id("rvw"), kept, Finding.UPHELD, "a reason that stays inside")
        await reviewer.act(f"/v1/withheld/{kept}/review", act)


async def ask_everything(endpoint: Session, share: str, foreign: list[str], out: Path) -> None:
    """Do all that an authority may do, and try what it may not."""
    await pull.inbox(endpoint, everything=True)
    await pull.pull(endpoint, share, out, lambda _: None)
    await audit.verify(endpoint)
    await audit.prove(endpoint, 3)
    tails = ("", "/manifest", "/manifest/inner", "/items/0", "/evidence")
    for target in (
        *(f"/v1/shares/{other}{tail}" for other in foreign for tail in tails),
        "/v1/shares",
        "/v1/status",
        "/v1/approvals",
        "/v1/suspensions",
        "/v1/attestations",
        "/v1/declarations",
        "/v1/withheld",
        "/v1/events?after=0",
        "/v1/ledger/proof?index=99999",
        "/v1/inbox?after=x",
        "/v1/uploads/upl_x",
        "/nothing",
    ):
        with pytest.raises(GatewayError):
            await endpoint.get(target)


def decrypted(folder: KeyFolder, streams: list[bytes], out: Path) -> Iterator[bytes]:
    """Yield whatever of the streams the authority's keys open, and the files it pulled."""
    for stream in streams:
        for _, body in bodies(stream):
            for part in taken_apart(body):
                if isinstance(part, bytes) and part.startswith(b"age-encryption.org/v1\n"):
                    try:
                        yield unseal_bytes(part, folder.identities())
                    except GatewayError:
                        continue  # an item: its plaintext lies among the files
    yield from (path.read_bytes() for path in out.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, list[bytes], list[bytes]]:
    """Return the world, the streams sent to xa, and what xa could decrypt."""
    return asyncio.run(play(tmp_path_factory.mktemp("isolation")))


async def play(tmp: Path) -> tuple[World, list[bytes], list[bytes]]:
    """Play everything once, with xa behind the recorder."""
    world = build_world(tmp, ("xa", *OTHERS))
    (tmp / "a.txt").write_text("what was seen at the bridge")
    (tmp / "b.bin").write_bytes(bytes(200_000))
    async with running(world), recording(world.config.port) as (port, recorder):
        async with session(world, "releaser") as staff, through(world, "xa", port) as endpoint:
            sources = [source(tmp / "a.txt"), source(tmp / "b.bin")]
            package, _ = await package_of(staff, sources)
            foreign = await play_others(world, staff, package, tmp / "out")
            theirs = [await request(world, code) for code in OTHERS]
            await rfas.send(endpoint, wanted("our own"), b"what we ask for")
            mine = await request(world, "xa")
            await rfas.add(endpoint, mine, b"our reply", None)
            assert [m.about for m in await rfas.read(endpoint, mine)][-1] == "rfa.information"
            await keep_back(world, staff, mine, tmp / "c.txt")
            for rfa in (*theirs, mine):
                with pytest.raises(ForbiddenError):
                    await endpoint.get(f"/v1/rfas/{rfa}/withheld")
            for rfa in theirs:
                with pytest.raises(GatewayError):
                    await endpoint.get(f"/v1/rfas/{rfa}")
                with pytest.raises(GatewayError):
                    await rfas.add(endpoint, rfa, b"not ours", None)
            await endpoint.get("/v1/rfas")
            share = str((await propose(staff, package, "xa"))["share"])
            await release(staff, share)
            await ask_everything(endpoint, share, foreign, tmp / "out" / "xa")
            await recall(staff, share)
            await pull.inbox(endpoint)
            with pytest.raises(GatewayError):
                await pull.pull(endpoint, share, tmp / "again", lambda _: None)
    streams = [bytes(stream) for stream in recorder.streams]
    folder = open_folder(world.folder("xa"), None)
    return world, streams, list(decrypted(folder, streams, tmp / "out" / "xa"))


def parties(world: World) -> dict[str, Party]:
    return {party.short: party for party in read_parties(world.directory)}


def everything(streams: list[bytes], opened: list[bytes]) -> Iterator[bytes]:
    """Yield every stream whole, every body taken apart, and everything decrypted, taken apart."""
    yield from streams
    for body in (body for stream in streams for _, body in bodies(stream)):
        yield from (p.encode() if isinstance(p, str) else p for p in taken_apart(body))
    for data in opened:
        yield from (p.encode() if isinstance(p, str) else p for p in taken_apart(data))


Sent = tuple[World, list[bytes], list[bytes]]


def test_no_id_name_or_key_of_another_authority_is_sent(sent: Sent) -> None:
    world, streams, opened = sent
    known = parties(world)
    mine = known["xa-prosecutor"]
    secret = ids_of_others(world, mine.id)
    for code in OTHERS:
        secret |= needles(known[f"{code}-prosecutor"], mine)
    assert len(secret) > 50
    hay = list(everything(streams, opened))
    assert sum(map(len, hay)) > 500_000
    hits = [needle for needle in secret if any(needle.lower() in h.lower() for h in hay)]
    print(f"{sum(map(len, hay)):,} bytes searched for {len(secret)} needles: {len(hits)} hits")
    assert hits == []


def test_no_code_of_another_jurisdiction_stands_in_what_can_be_read(sent: Sent) -> None:
    world, streams, opened = sent
    codes = re.compile(r"(?<![A-Za-z0-9])X[B-Q](?![A-Za-z0-9])", re.IGNORECASE)
    heads = [head.decode("latin-1") for stream in streams for head, _ in bodies(stream)]
    texts = [p for s in streams for _, b in bodies(s) for p in taken_apart(b) if isinstance(p, str)]
    texts += [p for data in opened for p in taken_apart(data) if isinstance(p, str)]
    # Text that only happens to be base64 says nothing: words of it are cut at + / and -.
    readable = [text for text in texts if not re.fullmatch(r"[A-Za-z0-9+/_=-]{40,}", text)]
    prose = [re.sub(r"[A-Za-z0-9+/_=-]{40,}", "", text) for text in [*heads, *readable]]
    assert any("XA" in text for text in prose)
    assert [text for text in prose if codes.search(text)] == []


def test_the_search_finds_what_is_there(sent: Sent) -> None:
    world, streams, opened = sent
    mine = parties(world)["xa-prosecutor"]
    hay = list(everything(streams, opened))
    for member in mine.members:
        assert any(member.id.encode() in h for h in hay)
        for key in member.keys:
            assert any(form in h.lower() or form in h for form in forms(key) for h in hay)
    assert any(b"what was seen at the bridge" in data for data in opened)
    assert any(b"a question to xa" in data for data in opened)
    assert any(b'"statement' in d or b'"particulars"' in d for d in opened)
