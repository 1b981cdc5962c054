"""Who owns the web process, the database, the blobs and the checkpoint key, but no person's key."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import keyfiles
from gateway.client.profile import open_folder
from gateway.envelope import Identity, Suite, generate_identity, unwrap
from gateway.exchange import tokens
from gateway.exchange.acts import Order
from gateway.exchange.directory import Set, make_set
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parse import decode, plain
from gateway.exchange.parties import Key, Status, Use
from gateway.kernel.encoding import canonical_json, sha256
from gateway.kernel.errors import GatewayError
from gateway.kernel.signing import Signer
from gateway.kernel.time import spell
from gateway.keyholder.judge import Item, Shown, WrapRequest
from gateway.keyholder.protocol import RewrapItem, RewrapRequest, ShowDirectory
from gateway.ledger import Slot
from gateway.store import orders, shares, uploads
from gateway.store.writer import Transaction
from gateway.workflows import proofs
from gateway.workflows.gateway import Gateway
from tests.world import (
    Running,
    World,
    build_world,
    package_of,
    propose,
    release,
    running,
    session,
    source,
)

PLAIN = b"the name of the witness\n" * 40


class Attacker:
    """All of the gateway is his; *share* is proposed and not released, *gone* is, to another authority."""

    def __init__(self, live: Running, share: str, gone: str) -> None:
        self.gateway, self.world, self.share, self.gone = live.gateway, live.world, share, gone
        self.identity = generate_identity(Suite.PQ)

    def item(self, share: str) -> uploads.Sealed:
        with self.gateway.engine.connect() as conn:
            package = shares.package(conn, shares.get(conn, share).package)
            return uploads.deposited(conn, package.items)[0]

    def order_of(self, share: str, kind: Kind) -> Shown:
        with proofs.evidence(self.gateway, 0) as found:
            n = {Kind.SHARE_PROPOSED: 0, Kind.SHARE_RELEASED: 1}[kind]
            digest = shares.events(found.conn, share)[n].order or ""
            return found.order(digest, kind)

    def log(self, order: Order, kind: Kind, actor: str, subject: str) -> str:
        """Keep an order and enter it in the genuine ledger, as the genuine server would."""
        now = self.gateway.now()

        def job(tx: Transaction) -> None:
            known = tx.conn.exec_driver_sql(
                f"SELECT 1 FROM orders WHERE digest = '{order.digest}'"
            ).first()
            if known is None:
                orders.keep(tx.conn, order, actor, now)
            tx.record(Entry(kind=kind, at=now, actor=actor, order=order.digest, subject=subject))

        self.gateway.writer.run(job)
        return order.digest

    def sign(self, signer: Signer, act: dict[str, Any], issuer: str) -> Order:
        body = canonical_json({"act": act, "sig2": None})
        target = f"/v1/shares/{self.share}/release"
        request = tokens.Request("POST", target, sha256(body))
        audience = self.gateway.audience
        now = self.gateway.now()
        token = tokens.make(signer, issuer=issuer, audience=audience, request=request, now=now)
        return Order(token, "POST", target, body, sha256(body))

    def release_act(self, recipient: str) -> dict[str, Any]:
        item = self.item(self.share)
        named = {"item": item.item, "vault_header": item.vault_digest, "body": item.body}
        return {"type": "release", "share": self.share, "recipient": recipient, "items": [named]}

    def ask(self, release: Callable[[proofs.Evidence], Shown], recipient: str, share: str) -> None:
        """Show the keyholder a release, with the item of *share* and its genuine deposit."""
        item = self.item(share)
        state = proofs.inform(self.gateway)
        with proofs.evidence(self.gateway, state.size) as found:
            deposit = uploads.deposit_order(found.conn, item.item)
            shown_item = Item(found.order(deposit, Kind.ITEM_DEPOSITED), item.vault_header)
            wanted = WrapRequest(found.view, recipient, release(found), (shown_item,))
        self.gateway.keyholder.wrap(wanted)


def forged_release(a: Attacker) -> None:
    """He signs in the releaser's name with the keys that he has."""
    releaser = open_folder(a.world.folder("releaser"), None).profile.actor
    order = a.sign(
        a.gateway.log.signer,
        a.release_act(a.world.party("xa")),
        releaser,
    )
    digest = a.log(order, Kind.SHARE_RELEASED, releaser, a.share)
    a.ask(lambda e: e.order(digest, Kind.SHARE_RELEASED), a.world.party("xa"), a.share)


def proposal_as_release(a: Attacker) -> None:
    """The releaser proposed it: her own signed order is entered as a release."""
    kept = a.order_of(a.share, Kind.SHARE_PROPOSED)
    order = Order(kept.token, kept.method, kept.target, kept.body, sha256(kept.body))
    releaser = open_folder(a.world.folder("releaser"), None).profile.actor
    digest = a.log(order, Kind.SHARE_RELEASED, releaser, a.share)
    a.ask(lambda e: e.order(digest, Kind.SHARE_RELEASED), a.world.party("xa"), a.share)


def another_shares_release(a: Attacker) -> None:
    a.ask(lambda _: _genuine(a), a.world.party("xb"), a.share)


def _genuine(a: Attacker) -> Shown:
    return a.order_of(a.gone, Kind.SHARE_RELEASED)


def another_recipient(a: Attacker) -> None:
    a.ask(lambda _: _genuine(a), a.world.party("xa"), a.gone)


def rewrap_of_what_was_never_wrapped(a: Attacker) -> None:
    item = a.item(a.share)
    said = (RewrapItem(item.item, item.vault_header),)
    a.gateway.keyholder.rewrap(RewrapRequest(a.share, said))


def rewrap_to_a_key_of_his(a: Attacker) -> None:
    """The share was wrapped for xb; its directory shall name his key. He has no custodian's."""
    directory_of_his(a)
    item = a.item(a.gone)
    said = (RewrapItem(item.item, item.vault_header),)
    a.gateway.keyholder.rewrap(RewrapRequest(a.gone, said))


def directory_of_his(a: Attacker) -> None:
    """A higher set, entered in the ledger like any other, that names his key as xb's."""
    now = a.gateway.now()
    made = decode(a.gateway.sets.directory_data, Set)
    term = (spell(now - timedelta(days=1)), spell(now + timedelta(days=30)))
    text = str(a.identity.recipient)
    his = Key(Use.ENVELOPE, "mlkem768x25519", text, Status.ACTIVE, *term)
    parties = []
    for party in made.parties:
        if party.id == a.world.party("xb"):
            first, *rest = party.members
            party = replace(party, members=(replace(first, keys=(his,)), *rest))
        parties.append(party)
    forged = make_set(
        parties,
        number=a.gateway.sets.directory.number + 1,
        issued=now,
        expires=now + timedelta(days=30),
        signers=[a.gateway.log.signer, a.gateway.manifest_signer],
    )
    data = canonical_json(plain(forged))
    number, digest = a.gateway.sets.directory.number + 1, sha256(forged.signed.encode()).hex()
    state = a.gateway.keyholder.state()

    def job(tx: Transaction) -> str:
        content: Any = {"number": number, "digest": digest}
        return tx.record(Entry(kind=Kind.DIRECTORY_ACCEPTED, at=now, content=content))

    entry = a.gateway.writer.run(job)
    with proofs.evidence(a.gateway, state.size) as found:
        proved = found.entry(entry, (Slot.KIND, Slot.TIME, Slot.CONTENT))
        request = ShowDirectory(found.view, data, proved)
    a.gateway.keyholder.show_directory(request)


ATTACKS: dict[Callable[[Attacker], None], str] = {
    forged_release: "release: unknown or revoked key",
    proposal_as_release: "release: it is not a release",
    another_shares_release: "item: the release does not name this item",
    another_recipient: "release: it is for another recipient",
    rewrap_of_what_was_never_wrapped: "item: it was never wrapped for this share",
    directory_of_his: "directory: not signed by enough",
    rewrap_to_a_key_of_his: "directory: not signed by enough",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, str, str]:
    root = tmp_path_factory.mktemp("attacker")
    world = build_world(root, ["xa", "xb"])

    async def prepare() -> tuple[str, str]:
        (root / "secret.txt").write_bytes(PLAIN)
        async with running(world), session(world, "releaser") as staff:
            package, _ = await package_of(staff, [source(root / "secret.txt")])
            share = str((await propose(staff, package, "xa"))["share"])
            (root / "other.txt").write_bytes(b"what xb may read")
            package, _ = await package_of(staff, [source(root / "other.txt")])
            gone = str((await propose(staff, package, "xb"))["share"])
            await release(staff, gone)
        return share, gone

    return world, *asyncio.run(prepare())


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_the_owner_of_the_gateway_gets_no_header_that_nobody_released(
    made: tuple[World, str, str], attack: Callable[[Attacker], None]
) -> None:
    world, share, gone = made
    async with running(world) as live:
        with pytest.raises(GatewayError) as caught:
            await asyncio.to_thread(attack, Attacker(live, share, gone))
    assert ATTACKS[attack] in str(caught.value)


KINDS: tuple[keyfiles.Kind, ...] = ("ed25519", "symmetric", "age")


def secrets_of(gateway: Gateway, world: World) -> list[Identity]:
    """Return every identity that can be made of what the gateway holds, were its keys used for it."""
    found = []
    for path in (world.instance / world.config.secrets).glob("*.key"):
        for kind in KINDS:
            try:
                secret = keyfiles.read(path, kind, None)
            except GatewayError:
                continue
            assert kind != "age", f"{path.name} opens what it should not"
            found += [Identity(suite, secret[:32]) for suite in Suite]
    assert len(found) == 8
    return found


async def test_no_key_of_the_gateway_opens_a_vault_header_or_a_body(
    made: tuple[World, str, str], tmp_path: Path
) -> None:
    """The upload key opens open uploads only: of this one, as of all complete ones, nothing is left."""
    world, share, gone = made
    async with running(world) as live:
        attacker = Attacker(live, share, gone)
        item = attacker.item(share)
        for identity in secrets_of(live.gateway, world):
            with pytest.raises(GatewayError):
                unwrap(item.vault_header, [identity])
        with live.gateway.engine.connect() as conn:
            left = conn.exec_driver_sql(
                f"SELECT secrets FROM uploads WHERE id = '{item.upload}'"
            ).scalar()
            assert left is None
    for path in world.instance.rglob("*"):
        if path.is_file() and path.parent.name != "keyholder":
            data = path.read_bytes()
            assert PLAIN[:24] not in data, path
            assert b"AGE-SECRET-KEY" not in data


async def test_what_entitled_persons_release_goes_the_same_way_and_arrives(
    made: tuple[World, str, str],
) -> None:
    """Were the attacks above refused for some clumsiness of their own, this would be too."""
    world, _, gone = made
    async with running(world) as live:
        attacker = Attacker(live, gone, gone)
        await asyncio.to_thread(attacker.ask, lambda _: _genuine(attacker), world.party("xb"), gone)
