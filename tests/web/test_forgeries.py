"""Whoever controls the gateway's database and disk, but no person's key, gains nothing by it."""

import io
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.client import pull
from gateway.client.profile import KeyFolder, open_folder
from gateway.client.trust import refresh_directory
from gateway.envelope import body_size, header_size, seal_body, unseal_bytes, unwrap
from gateway.exchange.acts import Release, ReleaseItem
from gateway.exchange.manifest import open_manifest, sign_manifest
from gateway.exchange.parse import build
from gateway.exchange.parties import Use
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import VerificationError
from gateway.keyholder.client import Keyholder
from gateway.keyholder.judge import WrapRequest
from gateway.keyholder.protocol import Headers
from gateway.store.tables import APPEND_ONLY
from tests.web.conftest import BIG, Scene, Shares, range_ends
from tests.web.harness import Answer, caller, everything
from tests.world import Running, World, running, session


@contextmanager
def database(world: World) -> Iterator[sqlite3.Connection]:
    """Open the database as its administrator: what guards the tables is dropped first."""
    with closing(sqlite3.connect(world.instance / "data" / "gateway.db", timeout=10)) as conn:
        for table in (*APPEND_ONLY, "headers"):
            for verb in ("update", "delete"):
                conn.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")
        yield conn
        conn.commit()


def swap(conn: sqlite3.Connection, table: str, column: str, key: str, one: str, two: str) -> None:
    """Exchange a column between two rows."""
    query = f"SELECT {column} FROM {table} WHERE {key} = ?"
    (first,), (second,) = (conn.execute(query, (row,)).fetchone() for row in (one, two))
    for row, value in ((one, second), (two, first)):
        conn.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (value, row))


async def release(scene: Scene, share: str) -> Answer:
    releaser = scene.be("releaser")
    shown = (await releaser.get(f"/v1/shares/{share}")).json()
    act = Release(share, shown["recipient"], build(shown["items"], tuple[ReleaseItem, ...]))
    return await releaser.act(f"/v1/shares/{share}/release", act)


def header_alone(conn: sqlite3.Connection, shares: Shares) -> None:
    swap(conn, "sealed", "vault_header", "item", *shares.items)


def header_and_digest(conn: sqlite3.Connection, shares: Shares) -> None:
    for column in ("vault_header", "vault_digest"):
        swap(conn, "sealed", column, "item", *shares.items)


def deposit_order(conn: sqlite3.Connection, shares: Shares) -> None:
    swap(conn, "items", "order_digest", "id", *shares.items)


def all_of_it(conn: sqlite3.Connection, shares: Shares) -> None:
    header_and_digest(conn, shares)
    deposit_order(conn, shares)


SWAPS = [header_alone, header_and_digest, deposit_order, all_of_it]


@pytest.mark.parametrize("exchange", SWAPS)
async def test_the_keyholder_wraps_no_other_item_than_the_one_that_was_released(
    scene: Scene, exchange: Callable[[sqlite3.Connection, Shares], None]
) -> None:
    shares, endpoint = scene.shares, scene.be("xa")
    with database(scene.world) as conn:
        exchange(conn, shares)
    refused = await release(scene, shares.waiting)
    assert refused.status == 422, refused.body
    shown = (await scene.be("releaser").get(f"/v1/shares/{shares.waiting}")).json()
    assert shown["state"] == "released"
    for path in ("/manifest", "/items/0"):
        (await endpoint.get(f"/v1/shares/{shares.waiting}{path}")).problem(404)
    with scene.live.gateway.engine.connect() as found:
        query = f"SELECT count(*) FROM headers WHERE share = '{shares.waiting}'"
        assert found.exec_driver_sql(query).scalar() == 0


async def test_a_release_that_the_keyholder_refused_is_stuck_until_the_database_is_right(
    world: World, template: tuple[World, Shares]
) -> None:
    shares = template[1]
    async with running(world) as live:
        with database(world) as conn:
            header_alone(conn, shares)
        assert (await release(Scene(live, shares), shares.waiting)).status == 422
    async with running(world) as live:
        assert shares.waiting in live.gateway.stuck
        with database(world) as conn:
            header_alone(conn, shares)
    async with running(world) as live:
        assert not live.gateway.stuck
        shown = (await caller(world, "releaser").get(f"/v1/shares/{shares.waiting}")).json()
        assert shown["state"] == "available"


async def test_the_keyholder_wraps_for_nobody_whom_the_release_does_not_name(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, shares, wrap = scene.live.gateway, scene.shares, Keyholder.wrap
    other = scene.world.party("xb")

    def turned(self: Keyholder, request: WrapRequest) -> Headers:
        return wrap(self, replace(request, recipient=other))

    monkeypatch.setattr(type(gateway.keyholder), "wrap", turned)
    assert "another recipient" in (await release(scene, shares.waiting)).problem(422)["detail"]


def blobs_of(live: Running, item: str) -> list[Path]:
    with live.gateway.engine.connect() as conn:
        query = (
            "SELECT parts.blob FROM parts JOIN sealed ON sealed.upload = parts.upload "
            f"WHERE sealed.item = '{item}' ORDER BY parts.n"
        )
        names = [str(row[0]) for row in conn.exec_driver_sql(query)]
    return [next((live.world.instance / "data" / "blobs").glob(f"*/{name}")) for name in names]


def nothing_came_out(out: Path) -> bool:
    """Tell whether no plaintext was written, under whatever name; the terms are shown before that.

    Beside a sealed file may lie which of its parts hold: numbers and digests, nothing else.
    """
    files = (path for path in out.rglob("*") if path.is_file() and path.suffix != ".age")
    left = [path for path in files if not path.name.endswith(".terms.json")]
    return all(path.suffix == ".verified" and _DIGESTS.fullmatch(path.read_text()) for path in left)


_DIGESTS = re.compile(r"([0-9]+ [0-9a-f]{64}\n)*", re.ASCII)


async def refused_pull(world: World, share: str, out: Path) -> str:
    async with session(world, "xa") as endpoint:
        with pytest.raises(VerificationError) as caught:
            await pull.pull(endpoint, share, out, lambda _: None)
    assert nothing_came_out(out)
    return str(caught.value)


async def test_a_body_forged_by_a_co_recipient_is_never_decrypted(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`xb` knows the file key, so it can seal what it likes under the header of `xa`."""
    shares, out = scene.shares, tmp_path / "out"
    theirs = (await scene.be("xb").get(f"/v1/shares/{shares.theirs}/items/0")).body
    ours = (await scene.be("xa").get(f"/v1/shares/{shares.ours}/items/0")).body
    file_key = unwrap(theirs, open_folder(scene.world.folder("xb"), None).identities())
    lie = b"Nobody gave the order. ".ljust(len(BIG), b".")
    forged = io.BytesIO()
    seal_body(file_key, theirs[header_size(theirs) :][:16], io.BytesIO(lie), forged)
    (blob,) = blobs_of(scene.live, shares.items[0])
    assert len(forged.getvalue()) == body_size(len(BIG)) == blob.stat().st_size
    blob.write_bytes(forged.getvalue())
    # age alone would believe it.
    folder = open_folder(scene.world.folder("xa"), None)
    joined = ours[: header_size(ours)] + forged.getvalue()
    assert unseal_bytes(joined, folder.identities()) == lie
    monkeypatch.setattr(pull, "open_body", _never)
    assert "nothing was decrypted" in await refused_pull(scene.world, shares.ours, out)


def _never(*_: object) -> None:
    raise AssertionError("it was decrypted")


async def test_a_body_that_rotted_is_never_decrypted(scene: Scene, tmp_path: Path) -> None:
    (blob,) = blobs_of(scene.live, scene.shares.items[1])
    data = bytearray(blob.read_bytes())
    data[100] ^= 1
    blob.write_bytes(data)
    assert "item 1" in await refused_pull(scene.world, scene.shares.ours, tmp_path / "out")


def cut(blob: Path) -> None:
    blob.write_bytes(blob.read_bytes()[: 16 + 65552])


@pytest.mark.parametrize("damage", [cut, Path.unlink])
async def test_a_body_cut_or_lost_breaks_the_connection_off(
    scene: Scene, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """Neither silence nor a second answer may follow where bytes of the item are due."""
    (blob,) = blobs_of(scene.live, scene.shares.items[0])
    size = blob.stat().st_size
    damage(blob)
    endpoint = scene.be("xa")
    target = f"/v1/shares/{scene.shares.ours}/items/0"
    raw = endpoint.raw("GET", target).replace(b"Connection: close\r\n", b"")
    data = await everything(scene.port, raw)
    assert len(data) < size and data.count(b"HTTP/1.1") == 1 and b"problem" not in data
    assert await range_ends(scene) == ["interrupted"]


async def test_headers_swapped_between_two_items_are_refused(scene: Scene, tmp_path: Path) -> None:
    share = scene.shares.ours
    with database(scene.world) as conn:
        rows = conn.execute("SELECT n, data FROM headers WHERE share = ?", (share,)).fetchall()
        for n, data in rows:
            query = "UPDATE headers SET data = ? WHERE share = ? AND n = ?"
            conn.execute(query, (data, share, 1 - n))
    assert "item 0" in await refused_pull(scene.world, share, tmp_path / "out")


async def test_bodies_swapped_between_two_items_are_refused(scene: Scene, tmp_path: Path) -> None:
    blobs = [blobs_of(scene.live, item)[0] for item in scene.shares.items]
    first, second = (blob.read_bytes() for blob in blobs)
    blobs[0].write_bytes(second.ljust(len(first), b"\0"))
    blobs[1].write_bytes(first[: len(second)])
    assert "item 0" in await refused_pull(scene.world, scene.shares.ours, tmp_path / "out")


@pytest.mark.parametrize(
    ("other", "why"), [("alone", "another share"), ("theirs", "another recipient")]
)
async def test_a_manifest_of_another_share_replayed_is_refused(
    scene: Scene, tmp_path: Path, other: str, why: str
) -> None:
    with database(scene.world) as conn:
        query = (
            "UPDATE manifests SET (container, digest, inner) = "
            "(SELECT container, digest, inner FROM manifests WHERE share = ?) WHERE share = ?"
        )
        conn.execute(query, (getattr(scene.shares, other), scene.shares.ours))
    assert why in await refused_pull(scene.world, scene.shares.ours, tmp_path / "out")


async def test_an_inner_manifest_of_another_share_is_refused(scene: Scene, tmp_path: Path) -> None:
    with database(scene.world) as conn:
        query = (
            "UPDATE manifests SET inner = (SELECT inner FROM manifests WHERE share = ?) "
            "WHERE share = ?"
        )
        conn.execute(query, (scene.shares.alone, scene.shares.ours))
    said = await refused_pull(scene.world, scene.shares.ours, tmp_path / "out")
    assert "inner manifest" in said


async def sign_anew(scene: Scene) -> None:
    """Have the gateway's own key sign the same share with other content, and serve that."""
    gateway, share = scene.live.gateway, scene.shares.ours
    async with session(scene.world, "xa") as endpoint:
        directory = await refresh_directory(endpoint)
        container = (await endpoint.get(f"/v1/shares/{share}/manifest")).body
    keys = directory.verify_keys(directory.mechanism(), Use.MANIFEST, scene.live.now())
    manifest = open_manifest(container, keys, share=share, recipient=scene.world.party("xa"))
    lie = replace(manifest.items[1], body="0" * 64)
    forged = sign_manifest(
        replace(manifest, items=(manifest.items[0], lie)), gateway.manifest_signer
    )
    with database(scene.world) as conn:
        query = "UPDATE manifests SET container = ?, digest = ? WHERE share = ?"
        conn.execute(query, (forged, hex_sha256(forged), share))


async def test_a_second_manifest_for_a_share_is_not_the_one_in_the_ledger(
    scene: Scene, tmp_path: Path
) -> None:
    await sign_anew(scene)
    said = await refused_pull(scene.world, scene.shares.ours, tmp_path / "out")
    assert "ledger" in said


async def test_a_second_manifest_is_refused_by_whoever_saw_the_first(
    scene: Scene, tmp_path: Path
) -> None:
    folder: KeyFolder = open_folder(scene.world.folder("xa"), None)
    async with session(scene.world, "xa") as endpoint:
        await pull.pull(endpoint, scene.shares.ours, tmp_path / "first", lambda _: None)
    assert pull.manifest_digest(folder, scene.shares.ours)
    await sign_anew(scene)
    said = await refused_pull(scene.world, scene.shares.ours, tmp_path / "out")
    assert "another manifest" in said


async def test_a_name_that_leads_out_of_its_folder_is_refused_by_the_reader(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the gateway to let one through, the client's own decoding would stop it."""
    inner = (await scene.be("xa").get(f"/v1/shares/{scene.shares.ours}/manifest/inner")).body
    plain = unseal_bytes(inner, open_folder(scene.world.folder("xa"), None).identities())
    lie = plain.replace(b'"small.txt"', b'"../up.txt"')
    assert lie != plain
    monkeypatch.setattr(pull, "unseal_bytes", lambda data, ids: _lie(data, ids, inner, lie))
    async with session(scene.world, "xa") as endpoint:
        with pytest.raises(Exception, match="relative path"):
            await pull.pull(endpoint, scene.shares.ours, tmp_path / "out", lambda _: None)
    assert not (tmp_path / "up.txt").exists() and nothing_came_out(tmp_path / "out")


def _lie(data: bytes, identities: object, inner: bytes, lie: bytes) -> bytes:
    return lie if data == inner else unseal_bytes(data, identities)  # type: ignore[arg-type]
