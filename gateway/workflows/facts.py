"""Facts by order: attestations about states and cases, and amendments of what is said of an item.

Whatever changes a fact has every share that it concerns decided again.
"""

from gateway.exchange.acts import Amend, Attest, EndAttestation
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parse import plain
from gateway.kernel.encoding import Json, digest_of
from gateway.kernel.errors import ConflictError, MalformedError, UnavailableError
from gateway.kernel.time import spell
from gateway.policy import PolicySet
from gateway.store import facts
from gateway.store.facts import Attestation
from gateway.store.writer import Transaction
from gateway.workflows import derive, suspend, withhold
from gateway.workflows.decide import item_facts
from gateway.workflows.gateway import Answer, Gateway, Signed, perform, read_act
from gateway.workflows.standing import authority


def attest(gateway: Gateway, signed: Signed) -> Answer:
    """Keep that an officer attests a fact about a state, an authority or a case."""
    act = read_act(signed)
    if not isinstance(act, Attest):
        raise MalformedError("expected an attestation", field="/act/type")
    _policy(gateway).vocabulary.facts({act.fact: act.value}, "recipient", stated=True)
    known = _policy(gateway).vocabulary.attributes["recipient.jurisdiction"].values
    if act.jurisdiction not in known:
        raise MalformedError(f"no jurisdiction {act.jurisdiction}", field="/act/jurisdiction")
    if act.authority is not None:
        party = authority(gateway, act.authority)
        if party.jurisdiction != act.jurisdiction:
            raise MalformedError("the authority is of another state", field="/act/authority")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        facts.attest(tx.conn, act, signed.actor.id, signed.order.digest, now)
        entry = tx.record(
            Entry(
                kind=Kind.FACT_ATTESTED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=act.id,
                content=plain(act),
            )
        )
        return {"attestation": act.id, "entry": entry}

    answer = perform(gateway, signed, work, creates=act.id)
    suspend.sweep(gateway, jurisdiction=act.jurisdiction)
    return answer


def end(gateway: Gateway, signed: Signed, attestation: str) -> Answer:
    """End an attestation at once; from this moment its fact is unknown."""
    act = read_act(signed)
    if not isinstance(act, EndAttestation) or act.attestation != attestation:
        raise MalformedError("expected the end of this attestation", field="/act")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        today = now.date().isoformat()
        order = signed.order.digest
        concerned = facts.end(tx.conn, attestation, today, signed.actor.id, order, now)
        entry = tx.record(
            Entry(
                kind=Kind.FACT_ENDED,
                at=now,
                actor=signed.actor.id,
                order=order,
                subject=attestation,
                content={"reason": act.reason},
            )
        )
        return {"attestation": attestation, "jurisdiction": concerned, "entry": entry}

    answer = perform(gateway, signed, work, creates="end_" + attestation[4:])
    suspend.sweep(gateway, jurisdiction=str(answer["jurisdiction"]))
    return answer


def amend(gateway: Gateway, signed: Signed, item: str) -> Answer:
    """Change an item's facts: consent, embargo, whatever turns out otherwise than was deposited."""
    act = read_act(signed)
    if not isinstance(act, Amend) or act.item != item:
        raise MalformedError("expected an amendment of this item", field="/act")
    _policy(gateway).vocabulary.facts(act.facts, "item", stated=True)
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        (before,) = item_facts(tx.conn, (item,))
        if act.before != digest_of(dict(before)):
            raise ConflictError("the item's facts are other ones by now: read them and amend anew")
        facts.amend(tx.conn, act.id, item, act.facts, signed.actor.id, signed.order.digest, now)
        after = digest_of(act.facts)
        entry = tx.record(
            Entry(
                kind=Kind.ITEM_AMENDED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=item,
                items=(item,),
                content={"before": act.before, "after": after, "evidence": plain(act.evidence)},
            )
        )
        if act.facts.get(withhold.EXCULPATORY) is True:
            withhold.marked(gateway, tx, signed, item, entry)
        return {"item": item, "facts": after, "entry": entry}

    answer = perform(gateway, signed, work, creates=act.id)
    suspend.sweep(gateway, item=item)
    return answer


def show_item(gateway: Gateway, item: str) -> Answer:
    """Return an item's facts as they stand, their digest, and its derivations, for the mechanism."""
    with gateway.engine.connect() as conn:
        (found,) = item_facts(conn, (item,))
        derived = derive.told(conn, item)
    return {"item": item, "facts": dict(found), "digest": digest_of(dict(found)), **derived}


def listed(gateway: Gateway) -> Answer:
    """Return every attestation with how it stands today, for the mechanism."""
    today = gateway.now().date().isoformat()
    with gateway.engine.connect() as conn:
        found: list[Json] = [_told(one, today) for one in facts.attested(conn)]
    return {"attestations": found}


def _told(one: Attestation, today: str) -> dict[str, Json]:
    return {
        "attestation": one.id,
        "fact": one.fact,
        "value": one.value,
        "jurisdiction": one.jurisdiction,
        "authority": one.authority,
        "case": one.case,
        "evidence": one.evidence,
        "valid_from": one.valid_from,
        "valid_to": one.valid_to,
        "state": _state(one, today),
        "actor": one.actor,
        "at": spell(one.at),
    }


def _state(one: Attestation, today: str) -> str:
    """Return one word for people: in force, not yet, lapsed or ended."""
    if one.ended is not None:
        return "ended"
    if today < one.valid_from:
        return "not yet"
    return "in force" if today <= one.valid_to else "lapsed"


def _policy(gateway: Gateway) -> PolicySet:
    if gateway.sets.policy is None:
        raise UnavailableError(
            "no policy set is in force: its vocabulary says what facts there are"
        )
    return gateway.sets.policy
