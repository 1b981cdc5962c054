"""Sets and facts drawn at random, over a vocabulary with every type and every operator."""

import json
import random
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from gateway.policy import Fact, PolicySet, Vocabulary, load
from gateway.policy.conditions import OPERATORS
from gateway.policy.vocabulary import Attribute, Type

DAYS = ("2026-04-30", "2026-05-01", "2026-05-02", "2026-06-01")
TODAY = "2026-05-01"
WORDS = ("a", "b", "c")
SIDES = {"item": "item.x", "recipient": "recipient.x", "context": "context.x"}


def _attributes() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {"context.today": {"type": "date", "label": "today"}}
    for side, prefix in SIDES.items():
        for n in (1, 2):
            found |= {
                f"{prefix}.bool{n}": {"type": "bool"},
                f"{prefix}.enum{n}": {"type": "enum", "values": [*WORDS]},
                f"{prefix}.set{n}": {"type": "set", "values": [*WORDS]},
                f"{prefix}.int{n}": {"type": "int", "min": 0, "max": 5},
                f"{prefix}.date{n}": {"type": "date"},
                f"{prefix}.text{n}": {"type": "text"},
            }
        assert side
    return {path: {"label": path, **spec} for path, spec in found.items()}


ATTRIBUTES = _attributes()
KINDS: dict[str, dict[str, Any]] = {
    "approval": {"join": "roles", "phase": "before", "values": ["r", "s"]},
    "consultation": {"join": "union", "phase": "before", "values": ["source"]},
    "redact": {"join": "union", "phase": "with", "values": ["x", "y"]},
    "handling": {"join": "order", "phase": "with", "values": ["low", "middle", "high"]},
    "purposes": {"join": "intersection", "phase": "after", "values": ["p", "q"]},
    "max_items": {"join": "min", "phase": "with"},
}
TERMS: dict[str, list[Any]] = {
    "approval": [{"r": 1}, {"s": 1}, {"r": 2, "s": 1}],
    "consultation": [["source"]],
    "redact": [["x"], ["y"], ["x", "y"]],
    "handling": ["low", "middle", "high"],
    "purposes": [["p"], ["q"], ["p", "q"]],
    "max_items": [3, 5],
}


def described() -> dict[str, dict[str, Any]]:
    """Return the kinds of obligation as data."""
    return {kind: {"label": kind, **spec} for kind, spec in KINDS.items()}


_FILES = {
    "vocabulary.yaml": json.dumps({"attributes": ATTRIBUTES}).encode(),
    "obligations.yaml": json.dumps({"obligations": described()}).encode(),
}
EMPTY = load(_FILES)
VOCABULARY: Vocabulary = EMPTY.vocabulary


def of(rules: list[dict[str, Any]], **files: list[dict[str, Any]]) -> PolicySet:
    """Load rules, given as data; those of *files* stand in files of their own."""
    every = {"all": rules, **files}
    texts = {
        f"rules/{name}.yaml": json.dumps({"rules": some}).encode()
        for name, some in every.items()
        if some
    }
    return load({**_FILES, **texts})


def _comparisons() -> list[tuple[str, str, Any]]:
    """Return every operator with every attribute it takes, and what may stand on its right."""
    found: list[tuple[str, str, Any]] = []
    for op, operator in OPERATORS.items():
        for path, left in VOCABULARY.attributes.items():
            rights = {right for one, right in operator.sides if one is left.type}
            others = [p for p, a in VOCABULARY.attributes.items() if a.type in rights and p != path]
            if rights:
                found += [(op, path, f"${other}") for other in others]
                found += [(op, path, literal) for literal in _literals(op, left)] * 6
    return found


def _literals(op: str, left: Attribute) -> list[Any]:
    if op == "in":
        return [["a"], ["a", "b"], [*WORDS], []]
    if op == "contains":
        return [*WORDS]
    match left.type:
        case Type.BOOL:
            return [True, False]
        case Type.ENUM:
            return [*WORDS]
        case Type.SET:
            return [[], ["a"], ["b", "c"], [*WORDS]]
        case Type.INT:
            return [0, 2, 3, 5]
        case Type.DATE:
            return [*DAYS]
        case _:
            return ["one", "two"]


COMPARISONS = _comparisons()


def conditions(*, exists: bool = True) -> st.SearchStrategy[Any]:
    """Draw a condition as data."""
    leaves: st.SearchStrategy[Any] = st.sampled_from(COMPARISONS).map(
        lambda c: {c[0]: [c[1], c[2]]}
    )
    leaves |= st.just(True)
    if exists:
        leaves |= st.sampled_from(sorted(ATTRIBUTES)).map(lambda path: {"exists": path})
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts})
            | st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts})
            | inner.map(lambda part: {"not": part})
        ),
        max_leaves=5,
    )


def terms() -> st.SearchStrategy[dict[str, Any]]:
    """Draw obligations as data, at least one."""
    drawn = st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in TERMS.items()})
    return drawn.filter(bool)


@st.composite
def rules(
    draw: st.DrawFn, *, most: int = 6, exists: bool = True, effects: str = "permit deny require"
) -> list[dict[str, Any]]:
    """Draw rules as data, with terms of validity now and then."""
    found = []
    for n in range(draw(st.integers(1, most))):
        effect = draw(st.sampled_from(effects.split()))
        rule: dict[str, Any] = {"id": f"r{n}", "title": f"t{n}", "basis": "b", "effect": effect}
        rule["when"] = draw(conditions(exists=exists))
        if effect == "require" or (effect == "permit" and draw(st.booleans())):
            rule["obligations"] = draw(terms())
        if draw(st.integers(0, 5)) == 0:
            rule[draw(st.sampled_from(["valid_from", "valid_to"]))] = draw(st.sampled_from(DAYS))
        found.append(rule)
    return found


def facts(*, unknown: int = 4, wrong: bool = True) -> st.SearchStrategy[dict[str, Fact]]:
    """Draw facts; one of so many is absent, and now and then one is not of its type."""
    return st.integers(0, 1 << 32).map(lambda seed: random_facts(seed, unknown, wrong=wrong))


def random_facts(seed: int, unknown: int = 4, *, wrong: bool = True) -> dict[str, Fact]:
    """Return facts that a seed stands for: three dozen draws of their own would take a second."""
    rng = random.Random(seed)
    found = {
        path: random_fact(attribute, rng)
        for path, attribute in VOCABULARY.attributes.items()
        if path != "context.today" and rng.randrange(unknown)
    }
    if wrong and found and rng.randrange(4) == 0:
        strange: list[Fact] = ["?", 99, True]
        found[rng.choice(sorted(found))] = rng.choice(strange)
    return found


def random_fact(attribute: Attribute, rng: random.Random) -> Fact:
    """Return a value of an attribute, for generators that do not shrink."""
    match attribute.type:
        case Type.BOOL:
            return rng.random() < 0.5
        case Type.ENUM:
            return rng.choice(sorted(attribute.values))
        case Type.SET:
            return frozenset(v for v in sorted(attribute.values) if rng.random() < 0.5)
        case Type.INT:
            return rng.randint(attribute.low, attribute.high)
        case Type.DATE:
            return rng.choice(DAYS)
        case _:
            return rng.choice(["one", "two"])


def side(facts_: Mapping[str, Fact], *, item: bool) -> dict[str, Fact]:
    """Return the facts about the item, or all others."""
    return {k: v for k, v in facts_.items() if k.startswith("item.") is item}
