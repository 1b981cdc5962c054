"""Shares: package, propose, approve, release, recall.

A release is a resumable sequence, each step durable and repeatable: *released* (order, decision and
entry) → *prepared* (headers wrapped, manifest signed) → *available* (entry of their digests, message
in the inbox). A crash in between is finished at start.
"""

from datetime import datetime

from sqlalchemy import Connection

from gateway.envelope import parse_recipient, seal_bytes
from gateway.exchange.acts import (
    Approve,
    MakePackage,
    Propose,
    Recall,
    Release,
    ReleaseItem,
)
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.manifest import Inner, Manifest, OpenItem, SealedItem, sign_manifest
from gateway.exchange.messages import About, Message, sign_message
from gateway.exchange.parse import plain
from gateway.exchange.parties import Kind as PartyKind
from gateway.exchange.parties import Party
from gateway.exchange.shares import State, Step
from gateway.kernel.encoding import Json, canonical_json, hex_sha256
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    GatewayError,
    MalformedError,
    VerificationError,
)
from gateway.kernel.ids import new_id
from gateway.kernel.time import spell
from gateway.keyholder.vault import envelope_keys
from gateway.policy import Outcome
from gateway.store import inbox, orders, shares, uploads
from gateway.store.shares import Header, KeptManifest, Share
from gateway.store.writer import Transaction
from gateway.workflows.decide import Ruling, check_suite, rule
from gateway.workflows.gateway import (
    Answer,
    Gateway,
    Signed,
    check_fresh,
    perform,
    read_act,
)

_STEP = {Outcome.PERMIT: Step.PERMIT, Outcome.HOLD: Step.HOLD, Outcome.DENY: Step.DENY}


def make_package(gateway: Gateway, signed: Signed) -> Answer:
    """Put deposited items together under one basis."""
    act = read_act(signed)
    if not isinstance(act, MakePackage):
        raise MalformedError("expected a package", field="/act/type")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        items = uploads.deposited(tx.conn, act.items)
        names = [item.particulars.name.casefold() for item in items]
        if len(set(names)) != len(names):
            raise ConflictError("two items of the package have the same name")
        shares.make_package(tx.conn, act, signed.actor.id, signed.order.digest, now)
        entry = tx.record(
            Entry(
                kind=Kind.PACKAGE_MADE,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=act.id,
                items=act.items,
            )
        )
        return {"package": act.id, "entry": entry}

    return perform(gateway, signed, work, creates=act.id)


def propose(gateway: Gateway, signed: Signed) -> Answer:
    """Propose a package to one authority, and decide. Every outcome is recorded, a refusal too."""
    act = read_act(signed)
    if not isinstance(act, Propose):
        raise MalformedError("expected a proposal", field="/act/type")
    recipient = _authority(gateway, act.recipient)
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        package = shares.package(tx.conn, act.package)
        check_suite(uploads.deposited(tx.conn, package.items), recipient, now)
        ruling = rule(gateway, tx.conn, package, recipient, now, requester=signed.actor.id)
        digest = hex_sha256(canonical_json(ruling.json()))
        entry = tx.record(
            _about(Kind.SHARE_PROPOSED, signed, now, act.share, package, digest, ruling)
        )
        shares.propose(
            tx.conn, act, signed.actor.id, signed.order.digest, _STEP[ruling.outcome], entry, now
        )
        shares.keep_decision(tx.conn, act.share, "propose", ruling.json(), [*ruling.facts], now)
        return _answer(tx.conn, act.share, ruling)

    return perform(gateway, signed, work, creates=act.share)


def approve(gateway: Gateway, signed: Signed, share_id: str) -> Answer:
    """Give one clearance to a held share, and decide again with it."""
    act = read_act(signed)
    if not isinstance(act, Approve) or act.share != share_id:
        raise MalformedError("expected an approval of this share", field="/act")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        share, package, ruling = _decide_again(gateway, tx.conn, act.share, now)
        if share.state is not State.HELD:
            raise ConflictError(f"the share is {share.state.value}; only a held one is approved")
        if signed.actor.id == share.proposer:
            raise ForbiddenError("who proposed a share does not approve it")
        if act.recipient != share.recipient or act.items != _release_items(tx.conn, package):
            raise VerificationError("the approval is of other items or another recipient")
        if act.basis != ruling.decision.basis_digest:
            raise ConflictError("the facts or rules have changed: read the share and approve anew")
        shares.approve(tx.conn, act, signed.actor.id, signed.order.digest, now)
        tx.record(
            Entry(
                kind=Kind.SHARE_APPROVED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=share.id,
                items=package.items,
                outcome=act.role.value,
            )
        )
        return _redecide(gateway, tx, signed, share, package, now)

    return perform(gateway, signed, work, creates=act.id)


def _redecide(
    gateway: Gateway,
    tx: Transaction,
    signed: Signed,
    share: Share,
    package: MakePackage,
    now: datetime,
) -> Answer:
    _, _, ruling = _decide_again(gateway, tx.conn, share.id, now)
    digest = shares.keep_decision(tx.conn, share.id, "approve", ruling.json(), [*ruling.facts], now)
    if ruling.outcome is not Outcome.HOLD:
        entry = tx.record(
            _about(Kind.SHARE_DECIDED, signed, now, share.id, package, digest, ruling)
        )
        shares.step(
            tx.conn,
            share.id,
            _STEP[ruling.outcome],
            actor=signed.actor.id,
            entry=entry,
            order=signed.order.digest,
            at=now,
        )
    return _answer(tx.conn, share.id, ruling)


def release(gateway: Gateway, signed: Signed, share_id: str) -> Answer:
    """Release one share on a person's order, and carry it through until it is available."""
    act = read_act(signed)
    if not isinstance(act, Release) or act.share != share_id:
        raise MalformedError("expected a release of this share", field="/act")
    now = gateway.now()
    check_fresh(gateway, now)

    def work(tx: Transaction) -> Answer:
        share, package, ruling = _decide_again(gateway, tx.conn, act.share, now)
        if _released_before(tx.conn, share, signed):
            return {**_answer(tx.conn, share.id, ruling), "outcome": Outcome.PERMIT.value}
        if act.recipient != share.recipient or act.items != _release_items(tx.conn, package):
            raise VerificationError("the release names other items or another recipient")
        recipient = _authority(gateway, share.recipient)
        check_suite(uploads.deposited(tx.conn, package.items), recipient, now)
        digest = shares.keep_decision(
            tx.conn, share.id, "release", ruling.json(), [*ruling.facts], now
        )
        permitted = ruling.outcome is Outcome.PERMIT
        made = (
            Step.RELEASE
            if permitted or share.state is not State.PROPOSED
            else _STEP[ruling.outcome]
        )
        kind = Kind.SHARE_RELEASED if permitted else Kind.SHARE_DECIDED
        entry = tx.record(_about(kind, signed, now, share.id, package, digest, ruling))
        shares.step(
            tx.conn,
            share.id,
            made,
            actor=signed.actor.id,
            entry=entry,
            order=signed.order.digest,
            at=now,
        )
        return _answer(tx.conn, share.id, ruling)

    answer = perform(gateway, signed, work)
    if answer.get("outcome") != Outcome.PERMIT.value:
        raise ForbiddenError(f"the share is not permitted any more; it is {answer.get('state')}")
    finish(gateway, act.share)
    with gateway.engine.connect() as conn:
        return {**answer, "state": shares.get(conn, act.share).state.value}


def _released_before(conn: Connection, share: Share, signed: Signed) -> bool:
    """Tell whether this is the repetition of the very order that released the share.

    Only a release that came about is answered again: one that was refused or held may succeed later.
    """
    for event in shares.events(conn, share.id):
        if event.state is State.RELEASED and event.order and event.actor == signed.actor.id:
            return orders.get(conn, event.order).order.body == signed.order.body
    return False


def finish(gateway: Gateway, share_id: str) -> None:
    """Carry a released share on to *available*, from wherever it stands. Repeatable."""
    with gateway.lock(share_id):
        with gateway.engine.connect() as conn:
            state = shares.get(conn, share_id).state
        if state is State.RELEASED:
            _prepare(gateway, share_id)
        if state in (State.RELEASED, State.PREPARED):
            _offer(gateway, share_id)
        gateway.stuck.pop(share_id, None)


def finish_all(gateway: Gateway) -> int:
    """Finish what a crash interrupted; return how many shares that were.

    One that cannot be finished stays as it is, and is named by /readyz until it can.
    """
    with gateway.engine.connect() as conn:
        found = shares.in_states(conn, (State.RELEASED, State.PREPARED))
    done = 0
    for share in found:
        try:
            finish(gateway, share.id)
            done += 1
        except GatewayError as error:
            gateway.stuck[share.id] = str(error)
    return done


def _prepare(gateway: Gateway, share_id: str) -> None:
    """Have the headers wrapped and sign the manifest; nothing of it is visible yet."""
    now = gateway.now()
    with gateway.engine.connect() as conn:
        share = shares.get(conn, share_id)
        package = shares.package(conn, share.package)
        items = uploads.deposited(conn, package.items)
        released = shares.event_in(conn, share_id, State.RELEASED)
        release_order = orders.get(conn, released.order or "")
        deposits = [orders.get(conn, uploads.deposit_order(conn, item.item)) for item in items]
        decision = shares.latest_decision(conn, share_id)
    directory = gateway.sets.directory
    made: list[Header] = []
    for n, (item, deposit) in enumerate(zip(items, deposits, strict=True)):
        data = gateway.keyholder.wrap(
            deposit,
            release_order,
            item.vault_header,
            share.recipient,
            directory=directory,
            directory_at=gateway.directory_at,
            now=now,
        )
        made.append(Header(n, item.item, data, hex_sha256(data)))
    manifest = _manifest(gateway, share, package, items, made, decision, now)

    def job(tx: Transaction) -> None:
        if shares.get(tx.conn, share_id).state is not State.RELEASED:
            return
        shares.keep_envelopes(tx.conn, share_id, made, manifest)
        entry = tx.record(Entry(kind=Kind.SHARE_PREPARED, at=now, subject=share_id))
        shares.step(tx.conn, share_id, Step.PREPARE, actor=None, entry=entry, order=None, at=now)

    gateway.writer.run(job)


def _manifest(
    gateway: Gateway,
    share: Share,
    package: MakePackage,
    items: list[uploads.Sealed],
    made: list[Header],
    decision: dict[str, Json],
    now: datetime,
) -> KeptManifest:
    recipient = gateway.sets.directory.party(share.recipient)
    terms = decision.get("obligations")
    inner = Inner(
        share=share.id,
        recipient=share.recipient,
        items=tuple(OpenItem(n, item.particulars, {}) for n, item in enumerate(items)),
        terms=terms if isinstance(terms, dict) else {},
        basis=plain(package.basis) if package.basis.mode == "requested" else {"mode": "proactive"},
        note=package.note,
    )
    # The manifest speaks of every item, so it takes the strongest suite that the recipient has.
    keys = envelope_keys(recipient, "pq", now) or envelope_keys(recipient, "classic", now)
    sealed = seal_bytes(canonical_json(plain(inner)), [parse_recipient(key) for key in keys])
    outer = Manifest(
        v=1,
        share=share.id,
        recipient=share.recipient,
        issued=spell(now),
        directory=gateway.sets.directory.number,
        product=package.product.value,
        items=tuple(
            SealedItem(h.n, h.digest, len(h.data), item.body, item.body_size, item.size)
            for h, item in zip(made, items, strict=True)
        ),
        inner=hex_sha256(sealed),
    )
    container = sign_manifest(outer, gateway.manifest_signer)
    return KeptManifest(container, hex_sha256(container), sealed)


def _offer(gateway: Gateway, share_id: str) -> None:
    """Commit to header and manifest digests and put the message into the inbox: the share is visible."""
    now = gateway.now()

    def job(tx: Transaction) -> None:
        share = shares.get(tx.conn, share_id)
        if share.state is not State.PREPARED:
            return
        digest = shares.manifest(tx.conn, share_id).digest
        cause = shares.event_in(tx.conn, share_id, State.RELEASED).entry
        entry = tx.record(
            Entry(
                kind=Kind.SHARE_AVAILABLE,
                at=now,
                subject=share_id,
                recipient=share.recipient,
                cause=cause,
                content={"manifest": digest},
            )
        )
        shares.step(tx.conn, share_id, Step.OFFER, actor=None, entry=entry, order=None, at=now)
        _notify(gateway, tx, share, About.SHARE_AVAILABLE, None, now)

    gateway.writer.run(job)


def recall(gateway: Gateway, signed: Signed, share_id: str) -> Answer:
    """Recall a share: pulls stop at once, the authority is asked and never told why."""
    act = read_act(signed)
    if not isinstance(act, Recall) or act.share != share_id:
        raise MalformedError("expected a recall of this share", field="/act")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        share = shares.get(tx.conn, act.share)
        entry = tx.record(
            Entry(
                kind=Kind.SHARE_RECALLED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=share.id,
                recipient=share.recipient,
                outcome=act.ask.value,
            )
        )
        offered = any(e.state is State.AVAILABLE for e in shares.events(tx.conn, share.id))
        shares.step(
            tx.conn,
            share.id,
            Step.RECALL,
            actor=signed.actor.id,
            entry=entry,
            order=signed.order.digest,
            at=now,
        )
        if offered:
            _notify(gateway, tx, share, About.SHARE_RECALLED, act.ask.value, now)
        return {"share": share.id, "state": State.RECALLED.value, "entry": entry}

    answer = perform(gateway, signed, work, creates="rca_" + act.share[4:])
    gateway.stopped.add(act.share)
    return answer


def _notify(
    gateway: Gateway, tx: Transaction, share: Share, about: About, ask: str | None, now: datetime
) -> None:
    message = Message(
        v=1,
        id=new_id("msg"),
        to=share.recipient,
        seq=inbox.next_seq(tx.conn, share.recipient),
        at=spell(now),
        about=about,
        share=share.id,
        ask=ask,
    )
    inbox.put(tx.conn, message, sign_message(message, gateway.manifest_signer))


def _authority(gateway: Gateway, name: str) -> Party:
    party = gateway.sets.directory.party(name)
    if party.kind is not PartyKind.AUTHORITY:
        raise ForbiddenError("a share is for an authority")
    return party


def _decide_again(
    gateway: Gateway, conn: Connection, share_id: str, now: datetime
) -> tuple[Share, MakePackage, Ruling]:
    share = shares.get(conn, share_id)
    package = shares.package(conn, share.package)
    recipient = _authority(gateway, share.recipient)
    ruling = rule(gateway, conn, package, recipient, now, share=share_id, requester=share.proposer)
    return share, package, ruling


def _release_items(conn: Connection, package: MakePackage) -> tuple[ReleaseItem, ...]:
    return tuple(
        ReleaseItem(item.item, item.vault_digest, item.body)
        for item in uploads.deposited(conn, package.items)
    )


def _about(
    kind: Kind,
    signed: Signed,
    now: datetime,
    share: str,
    package: MakePackage,
    decision: str,
    ruling: Ruling,
) -> Entry:
    return Entry(
        kind=kind,
        at=now,
        actor=signed.actor.id,
        order=signed.order.digest,
        subject=share,
        items=package.items,
        decision=decision,
        outcome=ruling.outcome.value,
    )


def _answer(conn: Connection, share_id: str, ruling: Ruling) -> Answer:
    share = shares.get(conn, share_id)
    package = shares.package(conn, share.package)
    items: list[Json] = [plain(item) for item in _release_items(conn, package)]
    return {
        "share": share.id,
        "recipient": share.recipient,
        "package": share.package,
        "state": share.state.value,
        "outcome": ruling.outcome.value,
        "missing": dict(ruling.lacking),
        "basis": ruling.decision.basis_digest,
        "items": items,
        "explanation": ruling.explanation,
        "decision": ruling.json(),
    }


def show(gateway: Gateway, share_id: str) -> Answer:
    """Return a share with its life and latest decision, for the mechanism."""
    now = gateway.now()
    with gateway.engine.connect() as conn:
        share, _, ruling = _decide_again(gateway, conn, share_id, now)
        life: list[Json] = [
            {"state": e.state.value, "actor": e.actor, "entry": e.entry, "at": spell(e.at)}
            for e in shares.events(conn, share_id)
        ]
        kept: list[Json] = [
            {"id": r.id, "rung": r.rung, "actor": r.actor, "at": spell(r.at)}
            for r in shares.receipts_of(conn, share_id)
        ]
        return {**_answer(conn, share.id, ruling), "life": life, "receipts": kept}


def listed(gateway: Gateway) -> Answer:
    """Return every share with its state, for the mechanism."""
    with gateway.engine.connect() as conn:
        found: list[Json] = [
            {"share": s.id, "recipient": s.recipient, "package": s.package, "state": s.state.value}
            for s in shares.in_states(conn, State)
        ]
    return {"shares": found}
