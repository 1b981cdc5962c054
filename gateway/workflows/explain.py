"""A recorded decision explained: from its facts, with the set of rules that made it."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from gateway.kernel.encoding import Json
from gateway.kernel.errors import ConflictError
from gateway.kernel.time import spell
from gateway.policy import (
    Applied,
    PolicySet,
    apply,
    as_recorded,
    explain,
    explain_to_recipient,
    facts_of,
    load_files,
    render_json,
    render_text,
)
from gateway.store import policy_sets, shares, uploads
from gateway.store.shares import Decided, Share
from gateway.workflows.gateway import Answer, Gateway

_LOOK = 2000  # decisions on items tried to find what is missing


def explanation(gateway: Gateway, share_id: str, n: int | None) -> Answer:
    """Explain the *n*th recorded decision on a share, from 0; the newest for None. For the mechanism.

    *told* is what its recipient may be told of it. Raises NotFoundError, ConflictError.
    """
    with gateway.engine.connect() as conn:
        share = shares.get(conn, share_id)
        decided = shares.decided(conn, share_id, n)
        policy = _set_of(gateway, conn, str(decided.data["policy"]))
        applied = _as_decided(conn, share, decided, policy)
        items = shares.package(conn, share.package).items
        names = [item.particulars.name for item in uploads.deposited(conn, items)]
    found = explain(applied, names, look=_LOOK)
    return {
        "share": share.id,
        "recipient": share.recipient,
        "package": share.package,
        "items": len(items),
        "n": decided.n,
        "stage": decided.stage,
        "at": spell(decided.at),
        "decision": decided.digest,
        "recomputed": _same(applied, decided.data),
        "explanation": render_json(found),
        "text": render_text(found),
        "told": explain_to_recipient(applied),
    }


def _set_of(gateway: Gateway, conn: Connection, digest: str) -> PolicySet:
    """Return the policy set with this digest, in force or kept. Raises ConflictError if it is neither."""
    policy = gateway.sets.policy
    if policy is not None and policy.digest == digest:
        return policy
    kept = policy_sets.with_digest(conn, digest)
    if kept is None:
        raise ConflictError(
            f"the decision was made with policy set {digest[:12]}, which is not kept; "
            "gateway share show explains what would be decided now"
        )
    return load_files(kept.files).policy


def _as_decided(conn: Connection, share: Share, decided: Decided, policy: PolicySet) -> Applied:
    """Return the decision made again on what it was made on: facts, day, clearances, circumstances."""
    every = facts_of(decided.facts)
    given = shares.clearances_of(conn, share.id, until=decided.at)
    circumstances = as_recorded(policy, _unmet(decided.data), len(every))
    today = decided.at.date().isoformat()
    return apply(policy, every, today, given, share.proposer, circumstances)


def _unmet(data: Mapping[str, Json]) -> dict[str, Sequence[str]]:
    said = data.get("unmet")
    found = said if isinstance(said, dict) else {}
    return {kind: [*map(str, what)] for kind, what in found.items() if isinstance(what, list)}


def _same(applied: Applied, data: Mapping[str, Json]) -> bool:
    """Tell whether deciding again has led to what is recorded, but for when to look again."""
    again: dict[str, Json] = {
        **applied.decision.to_json(),
        "after_clearances": applied.outcome.value,
        "missing": dict(applied.lacking),
        "unmet": {kind: [*what] for kind, what in applied.unmet.items()},
    }
    return {**again, "good_until": None} == {**data, "good_until": None}
