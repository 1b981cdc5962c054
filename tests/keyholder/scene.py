"""A keyholder with everything around it that an attacker may own: ledger, checkpoint key, clients."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gateway.envelope import Identity, Suite, generate_identity, new_file_key, unwrap, wrap
from gateway.exchange import tokens
from gateway.exchange.acts import Order
from gateway.exchange.directory import Root, make_set
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parse import plain
from gateway.exchange.parties import Key, Member, Party, Role, Status, Use
from gateway.exchange.parties import Kind as PartyKind
from gateway.kernel.encoding import b64url, canonical_json, hex_sha256, sha256
from gateway.kernel.ids import new_id
from gateway.kernel.signing import KeySigner
from gateway.keyholder.client import Keyholder
from gateway.keyholder.folder import ROOT, SOCKET, Config, VaultFile, write_config
from gateway.keyholder.judge import (
    SHOWN_SLOTS,
    Floor,
    Item,
    Proved,
    Shown,
    View,
    WrapRequest,
)
from gateway.keyholder.protocol import ShowDirectory
from gateway.keyholder.server import LOG, Server, opened
from gateway.ledger import (
    Checkpoint,
    Edge,
    Opening,
    Slot,
    Verifier,
    commit,
    consistency_path,
    encode_openings,
    inclusion_path,
    leaf_hash,
    only,
)

AUDIENCE = "https://gateway.example"
ORIGIN = "test.example/ledger"
NOW = datetime(2026, 11, 23, 16, 18, tzinfo=UTC)
TERM = ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")


class Log:
    """A ledger in memory, with the key that signs its checkpoints."""

    def __init__(self, signer: KeySigner, origin: str = ORIGIN) -> None:
        self.signer, self.origin = signer, origin
        self.leaves: list[tuple[bytes, dict[Slot, Opening]]] = []
        self._edge = Edge()
        self._full: dict[tuple[int, int], bytes] = {}

    @property
    def size(self) -> int:
        return len(self.leaves)

    def add(self, entry: Entry) -> int:
        """Append an entry; return its place."""
        leaf, openings = commit(
            sha256(new_id("ent").encode())[:16],
            int(entry.at.timestamp()) // 3600,
            entry.values(),
        )
        self.leaves.append((leaf, dict(openings)))
        self._edge.append(leaf_hash(leaf))
        self._full.update({(level, n): data for level, n, data in self._edge.take_full()})
        return self.size - 1

    def tile(self, level: int, n: int) -> bytes:
        return self._full.get((level, n)) or self._edge.partial()[level]

    def proved(self, index: int, slots: Sequence[Slot] = SHOWN_SLOTS) -> Proved:
        leaf, openings = self.leaves[index]
        path = inclusion_path(index, self.size, self.tile)
        return Proved(leaf, encode_openings(only(openings, slots)), index, tuple(path))

    def view(self, since: int) -> View:
        note = Checkpoint(self.origin, self.size, self._edge.root()).sign(self.signer)
        proof = consistency_path(since, self.size, self.tile) if since else []
        return View(note, since, tuple(proof))


def member(prefix: str, name: str, roles: Sequence[Role], signer: KeySigner, *more: Key) -> Member:
    key = Key(Use.REQUEST, "Ed25519", _text(signer.public_key), Status.ACTIVE, *TERM)
    return Member(new_id(prefix), name, tuple(roles), (key, *more))


def _text(raw: bytes) -> str:
    return b64url(raw)


def age_key(identity: Identity, status: Status = Status.ACTIVE) -> Key:
    alg = "mlkem768x25519" if identity.suite is Suite.PQ else "x25519"
    return Key(Use.ENVELOPE, alg, str(identity.recipient), status, *TERM)


@dataclass
class Scene:
    """All keys there are, and a keyholder's folder. *people* order; *log* and *vault* are the gateway's."""

    folder: Path
    now: datetime = NOW
    log: Log = field(default_factory=lambda: Log(KeySigner.generate()))
    root_signer: KeySigner = field(default_factory=KeySigner.generate)
    vault: Identity = field(default_factory=lambda: generate_identity(Suite.PQ))
    theirs: Identity = field(default_factory=lambda: generate_identity(Suite.PQ))
    others: Identity = field(default_factory=lambda: generate_identity(Suite.PQ))
    signers: dict[str, KeySigner] = field(default_factory=dict)
    people: dict[str, Member] = field(default_factory=dict)
    sets: dict[int, tuple[bytes, str, int]] = field(default_factory=dict)
    file_keys: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, roles in (
            ("sharer", [Role.SHARER]),
            ("releaser", [Role.RELEASER, Role.LEGAL_ADVISER]),
            ("legal", [Role.LEGAL_ADVISER]),
            ("victims", [Role.VICTIMS_UNIT]),
            ("head", [Role.HEAD_OF_SHARING, Role.LEGAL_ADVISER]),
            ("fired", [Role.RELEASER]),
            ("plain", [Role.COMPLIANCE]),
        ):
            self.signers[name] = KeySigner.generate()
            self.people[name] = member("psn", name, roles, self.signers[name])
        self.signers["turncoat"] = KeySigner.generate()
        roles = [Role.SHARER, Role.RELEASER]
        turncoat = member("psn", "turncoat", roles, self.signers["turncoat"])
        self.people["turncoat"] = turncoat
        ours = tuple(m for name, m in self.people.items() if name != "turncoat")
        self.mechanism = Party(new_id("pty"), "mechanism", "M", PartyKind.MECHANISM, ours)
        self.authority = self._authority("xa", self.theirs, turncoat)
        self.other = self._authority("xb", self.others)
        self.folder.mkdir(parents=True, mode=0o700)
        key = Key(
            Use.DIRECTORY, "Ed25519", _text(self.root_signer.public_key), Status.ACTIVE, *TERM
        )
        root = Root((key,), 1)
        (self.folder / ROOT).write_bytes(canonical_json(plain(root)))
        log = str(Verifier(ORIGIN, self.log.signer.public_key))
        roles2 = (Role.LEGAL_ADVISER, Role.VICTIMS_UNIT)
        floors = {"standard": Floor(0), "guarded": Floor(1), "protected": Floor(2, roles2)}
        write_config(self.folder, Config(AUDIENCE, log, floors=floors))
        self.new_directory(NOW - timedelta(days=2))

    def _authority(self, code: str, identity: Identity, *more: Member) -> Party:
        endpoint = Member(new_id("svc"), code, (Role.ENDPOINT,), (age_key(identity),))
        parts = (new_id("pty"), code, code, PartyKind.AUTHORITY, (endpoint, *more), code.upper())
        return Party(*parts)

    def new_directory(
        self, at: datetime, *, days: int = 90, signer: KeySigner | None = None
    ) -> int:
        """Sign a directory of everybody as they are now and enter it; return its number."""
        number = max(self.sets, default=0) + 1
        made = make_set(
            (self.mechanism, self.authority, self.other),
            number=number,
            issued=at,
            expires=at + timedelta(days=days),
            signers=[signer or self.root_signer],
        )
        digest = sha256(made.signed.encode()).hex()
        content: Any = {"number": number, "digest": digest}
        index = self.log.add(Entry(kind=Kind.DIRECTORY_ACCEPTED, at=at, content=content))
        self.sets[number] = canonical_json(plain(made)), digest, index
        return number

    def shown_directory(self, number: int, since: int) -> ShowDirectory:
        data, _, index = self.sets[number]
        entry = self.log.proved(index, (Slot.KIND, Slot.TIME, Slot.CONTENT))
        return ShowDirectory(self.log.view(since), data, entry)

    def revoke(self, name: str, at: datetime) -> int:
        """Revoke the key of a person of the mechanism in a new directory."""
        old = self.people[name]
        key = replace(old.keys[0], status=Status.REVOKED)
        self.people[name] = replace(old, keys=(key,))
        members = tuple(self.people[name] if m == old else m for m in self.mechanism.members)
        self.mechanism = replace(self.mechanism, members=members)
        return self.new_directory(at)

    def new_keys(self, at: datetime, *keys: Key) -> int:
        """Give the authority other envelope keys in a new directory."""
        endpoint, *rest = self.authority.members
        members = (replace(endpoint, keys=keys), *rest)
        self.authority = replace(self.authority, members=members)
        return self.new_directory(at)

    def order(
        self, act: dict[str, Any], who: str, at: datetime | None = None, *, audience: str = AUDIENCE
    ) -> Order:
        body = canonical_json({"act": act, "sig2": None})
        request = tokens.Request("POST", "/v1/x", sha256(body))
        token = tokens.make(
            self.signers[who],
            issuer=self.people[who].id,
            audience=audience,
            request=request,
            now=at or self.now,
        )
        return Order(token, "POST", "/v1/x", body, sha256(body))

    def enter(self, order: Order, kind: Kind, subject: str, who: str, **more: Any) -> int:
        """Enter an order as the gateway would; return its place."""
        at = more.pop("at", self.now)
        said = {"actor": self.people[who].id, "order": order.digest, **more}
        return self.log.add(Entry(kind=kind, at=at, subject=subject, **said))

    def logged(
        self, act: dict[str, Any], who: str, kind: Kind, subject: str, at: datetime | None = None
    ) -> "Logged":
        order = self.order(act, who, at)
        return Logged(self, order, self.enter(order, kind, subject, who, at=at or self.now))

    def deposit(
        self, handling: str = "standard", who: str = "sharer", suite: str = "pq"
    ) -> "Deposited":
        item, file_key = new_id("itm"), new_file_key()
        header = wrap(file_key, [self.vault.recipient])
        self.file_keys[item] = file_key
        act = {
            "type": "deposit",
            "item": item,
            "vault_header": hex_sha256(header),
            "body": hex_sha256(item.encode()),
            "body_size": 10,
            "size": 4,
            "suite": suite,
            "facts": hex_sha256(b"facts"),
            "particulars": hex_sha256(b"particulars"),
            "handling": handling,
        }
        return Deposited(act, header, self.logged(act, who, Kind.ITEM_DEPOSITED, item))

    def proposed(self, share: str, to: Party | None = None, who: str = "sharer") -> "Logged":
        act = {
            "type": "propose",
            "share": share,
            "package": new_id("pkg"),
            "recipient": (to or self.authority).id,
        }
        return self.logged(act, who, Kind.SHARE_PROPOSED, share)

    def approved(
        self,
        share: str,
        items: Sequence["Deposited"],
        who: str,
        role: Role,
        to: Party | None = None,
    ) -> "Logged":
        act = {
            "type": "approve",
            "id": new_id("clr"),
            "share": share,
            "recipient": (to or self.authority).id,
            "role": role.value,
            "basis": hex_sha256(b"basis"),
            "items": [one.named for one in items],
        }
        return self.logged(act, who, Kind.SHARE_APPROVED, share)

    def released(
        self,
        share: str,
        items: Sequence["Deposited"],
        who: str = "releaser",
        to: Party | None = None,
        at: datetime | None = None,
    ) -> "Logged":
        act = {
            "type": "release",
            "share": share,
            "recipient": (to or self.authority).id,
            "items": [one.named for one in items],
        }
        return self.logged(act, who, Kind.SHARE_RELEASED, share, at)

    def request(
        self,
        release: "Logged",
        items: Sequence["Deposited"],
        since: int,
        approvals: Sequence["Logged"] = (),
        proposal: "Logged | None" = None,
        to: Party | None = None,
    ) -> WrapRequest:
        return WrapRequest(
            view=self.log.view(since),
            recipient=(to or self.authority).id,
            release=release.shown(),
            items=tuple(Item(one.logged.shown(), one.header) for one in items),
            approvals=tuple(one.shown() for one in approvals),
            proposal=proposal.shown() if proposal else None,
        )

    def opens(self, header: bytes, item: str, identity: Identity | None = None) -> bool:
        """Tell whether the recipient's identity gets the item's file key out of a header."""
        return unwrap(header, [identity or self.theirs]) == self.file_keys[item]

    def said(self) -> str:
        """Return the keyholder's log."""
        return (self.folder / LOG).read_text()

    @contextmanager
    def serving(self) -> Iterator[tuple[Keyholder, Server]]:
        """Serve the folder by threads of this process, and bring it up to the first directory."""
        with opened(self.folder, VaultFile(self.vault), lambda: self.now) as server:
            holder = Keyholder(self.folder / SOCKET)
            if not holder.state().directory:
                holder.show_directory(self.shown_directory(1, 0))
            yield holder, server


@dataclass
class Logged:
    """An order in the scene's ledger."""

    scene: Scene
    order: Order
    index: int

    def shown(self) -> Shown:
        o = self.order
        return Shown(o.token, o.method, o.target, o.body, self.scene.log.proved(self.index))


@dataclass
class Deposited:
    """A deposited item."""

    act: dict[str, Any]
    header: bytes
    logged: Logged

    @property
    def id(self) -> str:
        return str(self.act["item"])

    @property
    def named(self) -> dict[str, Any]:
        return {name: self.act[name] for name in ("item", "vault_header", "body")}
