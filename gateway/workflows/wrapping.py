"""Having the headers of a share wrapped, and its manifest signed. What is made is kept by the caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from gateway.envelope import parse_recipient, seal_bytes
from gateway.exchange.acts import MakePackage
from gateway.exchange.body_parts import BodyParts
from gateway.exchange.directory import Directory
from gateway.exchange.manifest import (
    Inner,
    Manifest,
    OpenItem,
    Rewrapped,
    SealedItem,
    sign_manifest,
)
from gateway.exchange.parse import plain
from gateway.exchange.parties import Party
from gateway.exchange.terms import last_day
from gateway.kernel.encoding import Json, canonical_json, hex_sha256
from gateway.kernel.errors import ConflictError
from gateway.kernel.time import instant, spell
from gateway.keyholder.judge import envelope_keys
from gateway.keyholder.protocol import Wrapped
from gateway.store import shares, uploads
from gateway.store.shares import Header, KeptManifest, Share
from gateway.workflows.gateway import Gateway
from gateway.workflows.introduced import usable
from gateway.workflows.proofs import ask_rewrap, ask_wrap


@dataclass(frozen=True, slots=True)
class Material:
    """What a share is made of, and for whom, by which directory. *party* has usable keys alone."""

    share: Share
    package: MakePackage
    items: Sequence[uploads.Sealed]
    parts: tuple[BodyParts, ...]
    terms: dict[str, Json]
    party: Party
    directory: Directory


def read_material(gateway: Gateway, share_id: str) -> Material:
    """Read what a share is made of, by the directory that is in force now."""
    with gateway.engine.connect() as conn:
        directory = gateway.follow(conn)
        share = shares.get(conn, share_id)
        package = shares.package(conn, share.package)
        items = uploads.deposited(conn, package.items)
        parts = [uploads.body_parts_of(conn, item.item) for item in items]
        return Material(
            share,
            package,
            items,
            tuple(BodyParts(n, digests) for n, digests in enumerate(parts) if digests),
            shares.released_terms(conn, share_id),
            usable(conn, directory.party(share.recipient)),
            directory,
        )


def wrap_share(gateway: Gateway, of: Material, now: datetime) -> list[Header]:
    """Have the keyholder wrap every item of a released share to its recipient's usable keys.

    Raises what the keyholder raises if the orders do not entitle to it, or it is locked.
    """
    return _headers(ask_wrap(gateway, of.share.id, _keys(of, now)), 0)


def wrap_again(gateway: Gateway, of: Material, now: datetime, seq: int) -> list[Header]:
    """Have the keyholder wrap every item anew, for the *seq*th time, to its recipient's keys of today."""
    return _headers(ask_rewrap(gateway, of.share.id, _keys(of, now)), seq)


def _keys(of: Material, now: datetime) -> tuple[str, ...]:
    return (*envelope_keys(of.party, "pq", now), *envelope_keys(of.party, "classic", now))


def _headers(wrapped: Sequence[Wrapped], seq: int) -> list[Header]:
    return [
        Header(n, one.item, one.header, hex_sha256(one.header), one.keys, seq)
        for n, one in enumerate(wrapped)
    ]


def sign_share(
    gateway: Gateway, of: Material, made: Sequence[Header], now: datetime
) -> KeptManifest:
    """Sign the manifest of headers made at the release of a share."""
    return _sign(gateway, of, made, now, issued=now, rewrap=msgspec.UNSET)


def sign_again(
    gateway: Gateway,
    of: Material,
    made: Sequence[Header],
    now: datetime,
    before: Manifest,
    replaces: str,
) -> KeptManifest:
    """Sign the manifest of headers that were wrapped anew. Term and time of issue stay those of the first."""
    rewrap = Rewrapped(before.sequence + 1, spell(now), replaces)
    return _sign(gateway, of, made, now, issued=instant(before.issued), rewrap=rewrap)


def _sign(
    gateway: Gateway,
    of: Material,
    made: Sequence[Header],
    now: datetime,
    *,
    issued: datetime,
    rewrap: Rewrapped | msgspec.UnsetType,
) -> KeptManifest:
    sealed = _seal_inner(of, now)
    outer = Manifest(
        v=1,
        share=of.share.id,
        recipient=of.share.recipient,
        issued=spell(issued),
        directory=of.directory.number,
        product=of.package.product.value,
        items=tuple(
            SealedItem(h.n, h.digest, len(h.data), item.body, item.body_size, item.size)
            for h, item in zip(made, of.items, strict=True)
        ),
        inner=hex_sha256(sealed),
        expires=last_day(of.terms, issued) or msgspec.UNSET,
        rewrap=rewrap,
    )
    container = sign_manifest(outer, gateway.manifest_signer)
    return KeptManifest(container, hex_sha256(container), sealed)


def _seal_inner(of: Material, now: datetime) -> bytes:
    basis = of.package.basis
    inner = Inner(
        share=of.share.id,
        recipient=of.share.recipient,
        items=tuple(OpenItem(n, item.particulars, {}) for n, item in enumerate(of.items)),
        terms=of.terms,
        basis=plain(basis) if basis.mode == "requested" else {"mode": "proactive"},
        note=of.package.note,
        parts=of.parts or msgspec.UNSET,
    )
    # The manifest speaks of every item, so it takes the strongest suite that the recipient has.
    keys = envelope_keys(of.party, "pq", now) or envelope_keys(of.party, "classic", now)
    if not keys:
        raise ConflictError("the recipient has no key in force that was introduced")
    return seal_bytes(canonical_json(plain(inner)), [parse_recipient(key) for key in keys])
