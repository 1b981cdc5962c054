"""Wrapping an open share anew: new headers for the keys that its authority has now, the same bodies.

Only headers and the manifest are made; both old and new are kept. It is ordered by the authority's
endpoint or by the sharing team, and issues nothing that a pull would be refused for another reason.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from gateway.exchange.acts import RewrapShare, act_of, check_rights
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.key_life import kid_digest
from gateway.exchange.manifest import Manifest
from gateway.exchange.messages import About
from gateway.exchange.parse import build
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.parties import Role, Status, Use
from gateway.exchange.shares import PULLABLE
from gateway.kernel.errors import ConflictError, ForbiddenError, MalformedError
from gateway.kernel.signing import unverified_payload
from gateway.keyholder.judge import envelope_keys
from gateway.store import share_rewraps, shares
from gateway.store.shares import Header, KeptManifest
from gateway.store.writer import Transaction
from gateway.workflows import suspend
from gateway.workflows.decide import rule
from gateway.workflows.gateway import (
    Answer,
    Gateway,
    Signed,
    check_fresh,
    check_writable,
    mechanism_only,
    perform,
)
from gateway.workflows.post import tell
from gateway.workflows.pull import check_endpoint, visible
from gateway.workflows.suspend import blocked
from gateway.workflows.terms import given
from gateway.workflows.wrapping import Material, read_material, sign_again, wrap_again

_MEANWHILE = "keys or the share changed meanwhile: ask again"


def rewrap(gateway: Gateway, signed: Signed, share_id: str) -> Answer:
    """Have a share's headers wrapped to its authority's usable keys, if these are others by now.

    Raises ConflictError if they are the same, or the share is not served for another reason than a
    revoked key; NotFoundError to an authority that may not know of the share.
    """
    act = act_of(signed.order.body)
    check_rights(signed.actor, act)
    if not isinstance(act, RewrapShare) or act.share != share_id:
        raise MalformedError("expected a re-wrap of this share", field="/act")
    _check_who(gateway, signed, share_id)
    check_writable(gateway)
    with gateway.lock(share_id):
        answer = _rewrap(gateway, signed, act)
    suspend.sweep(gateway, share=share_id)
    return answer


def _check_who(gateway: Gateway, signed: Signed, share_id: str) -> None:
    if signed.actor.party.kind is PartyKind.AUTHORITY:
        check_endpoint(signed)
        with gateway.engine.connect() as conn:
            visible(conn, signed, share_id)
        return
    mechanism_only(signed.actor)
    if not {Role.SHARER, Role.RELEASER} & {*signed.actor.member.roles}:
        raise ForbiddenError("this act needs the role releaser, sharer")


def _rewrap(gateway: Gateway, signed: Signed, act: RewrapShare) -> Answer:
    now = gateway.now()
    check_fresh(gateway, now)
    with gateway.engine.connect() as conn:
        done = share_rewraps.by_order_of(
            conn, act.id, signed.actor.id, signed.order.body_digest.hex()
        )
    if done:  # sent again: nothing is wrapped for it, its first answer is given once more
        return perform(gateway, signed, _answered, creates=act.id)
    made = _make(gateway, act.share, now)
    return perform(gateway, signed, partial(_keep, gateway, signed, made, now), creates=act.id)


def _answered(_: Transaction) -> Answer:
    raise ConflictError(_MEANWHILE)


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made for a share for the *seq*th time, in place of what is *kept*."""

    material: Material
    seq: int
    headers: list[Header]
    manifest: KeptManifest
    kept: KeptManifest


def _make(gateway: Gateway, share_id: str, now: datetime) -> _Made:
    """Wrap and sign; nothing of it is kept yet. Raises ConflictError if there is nothing to be done."""
    of = read_material(gateway, share_id)
    with gateway.engine.connect() as conn:
        check_rewrappable(gateway, conn, of, now)
        kept, seq = shares.manifest(conn, share_id), shares.sequence(conn, share_id)
    before = build(unverified_payload(kept.container), Manifest)
    headers = wrap_again(gateway, of, now, seq + 1)
    return _Made(
        of, seq + 1, headers, sign_again(gateway, of, headers, now, before, kept.digest), kept
    )


def check_rewrappable(gateway: Gateway, conn: Connection, of: Material, now: datetime) -> None:
    """Raise ConflictError unless a share may be issued now and its authority's keys are others by now."""
    share = of.share
    if share.state not in PULLABLE or given(conn, share).ended(now):
        raise ConflictError(f"a share that is {share.state.value} is not wrapped anew")
    ruling = rule(
        gateway, conn, of.package, of.party, now, share=share.id, requester=share.proposer
    )
    why = blocked(gateway, conn, share, ruling, given(conn, share))
    if why and why["cause"] != "key":
        raise ConflictError("the share is suspended for another reason than a revoked key")
    keys = {key for item in of.items for key in envelope_keys(of.party, item.suite, now)}
    lacking = [i.suite for i in of.items if not envelope_keys(of.party, i.suite, now)]
    if lacking:
        raise ConflictError(
            f"the authority has no {lacking[0]} key in force that was introduced: enter one first"
        )
    if keys == shares.keys_of(conn, share.id):
        raise ConflictError("the share is wrapped to the keys in force already: pull it")


def _keep(gateway: Gateway, signed: Signed, made: _Made, now: datetime, tx: Transaction) -> Answer:
    of = made.material
    share = shares.get(tx.conn, of.share.id)
    if gateway.follow(tx.conn).number != of.directory.number or share.state not in PULLABLE:
        raise ConflictError(_MEANWHILE)
    if shares.sequence(tx.conn, share.id) != made.seq - 1:
        raise ConflictError(_MEANWHILE)
    check_rewrappable(gateway, tx.conn, of, now)
    shares.keep_envelopes(tx.conn, share.id, made.headers, made.manifest, now, made.seq)
    entry = tx.record(
        Entry(
            kind=Kind.SHARE_REWRAPPED,
            at=now,
            actor=signed.actor.id,
            order=signed.order.digest,
            subject=share.id,
            recipient=share.recipient,
            content={
                "manifest": made.manifest.digest,
                "replaces": made.kept.digest,
                "rewrap": made.seq,
            },
        )
    )
    share_rewraps.keep(
        tx.conn, share.id, made.seq, entry, signed.actor.id, signed.order.digest, now
    )
    tell(gateway, tx, share.recipient, About.SHARE_REWRAPPED, now, share=share.id)
    return {
        "share": share.id,
        "state": share.state.value,
        "manifest": made.manifest.digest,
        "rewrap": made.seq,
        "entry": entry,
    }


def due(gateway: Gateway, authority: str) -> Answer:
    """Return the open shares of an authority that are wrapped to other keys than it has now."""
    now = gateway.now()
    with gateway.engine.connect() as conn:
        directory = gateway.follow(conn)
        party = directory.party(authority)
        states = [state.value for state in PULLABLE]
        good = {
            kid_digest(key.kid) for key in party.keys(Use.ENVELOPE, now, Status.ACTIVE, Status.NEXT)
        }
        wrapped = share_rewraps.wrapped_to(conn, party.id, states)
    # One key of several is missing: it may be a new one. That it is not introduced, the order will say.
    found = sorted(share for share, keys in wrapped.items() if keys != good)
    return {"authority": party.id, "shares": [*found]}
