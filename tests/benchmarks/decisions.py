"""Policy decisions per second, beside the verification of a signature that every request costs."""

import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway import wiring
from gateway.policy import Fact, Outcome, Register, recipient_facts
from tests.benchmarks.figures import Absent, Figure, Plan, median, wall
from tests.world import PLAIN, POLICIES


def _facts(register: Register, today: str) -> Mapping[str, Fact]:
    said: dict[str, Fact] = {}
    for path, value in PLAIN.items():
        if isinstance(value, list):
            said[path] = frozenset(str(v) for v in value)
        elif isinstance(value, str | bool):
            said[path] = value
    about, _ = recipient_facts(register, "XA", "xa-prosecutor", "case-1", today)
    context = {"mode": "proactive", "purpose": "criminal", "case": "case-1"}
    named: dict[str, Fact] = {f"context.{name}": value for name, value in context.items()}
    own: dict[str, Fact] = {
        "item.product": "evidence",
        "item.suite": "pq",
        "context.items_given": 1,
    }
    return {**said, **about, **named, **own}


def policy(plan: Plan, _: Path) -> Iterator[Figure | Absent]:
    """Decisions of the shipped policy on one item that it permits."""
    rules, register = wiring.load_policy(POLICIES)
    today = datetime.now(UTC).date().isoformat()
    facts = _facts(register, today)
    if rules.decide(facts, today).outcome is not Outcome.PERMIT:
        raise RuntimeError("the shipped policy no longer permits the plain item")
    key, message = Ed25519PrivateKey.generate(), secrets.token_bytes(500)
    signature, public = key.sign(message), key.public_key()
    ours, theirs, count = [], [], plan.decisions
    for _round in range(plan.repeat):
        ours.append(count / wall(lambda: [rules.decide(facts, today) for _ in range(count)]))
        theirs.append(
            count / wall(lambda: [public.verify(signature, message) for _ in range(count)])
        )
    yield Figure(
        "policy decisions", median(ours), "decisions/s", "Ed25519 verifications", median(theirs)
    )
