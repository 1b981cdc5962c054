"""Conformance vectors: `python -m tests.policy.conformance` draws `tests/vectors/policy/` anew.

Decisions are drawn at random over every type and operator; nothing is written for which the plainest
reading of the format and the engine differ. Refusals are made by hand.
"""

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from gateway.policy import ENGINE, PolicySet, load, to_json
from tests.policy import generated
from tests.policy.generated import TODAY

FOLDER = Path(__file__).resolve().parent.parent / "vectors" / "policy"
SETS, REQUESTS = 40, 8
_SAID = (
    "outcome",
    "fired",
    "obligations",
    "before",
    "reasons",
    "facts",
    "basis",
    "bases",
    "good_until",
)

VOCABULARY = """attributes:
  item.sgbv: {type: bool, label: concerns sexual violence}
  item.scope: {type: enum, values: [any, named], label: scope}
  item.pages: {type: int, min: 0, max: 99, label: pages}
  item.until: {type: date, label: until}
  recipient.assurances: {type: set, values: [specialty, fair_trial], label: assurances}
  context.today: {type: date, label: today}
"""
OBLIGATIONS = """obligations:
  approval: {join: roles, phase: before, values: [legal_adviser], label: approval}
  handling: {join: order, phase: with, values: [GREEN, RED], label: handling}
  max_items: {join: min, phase: with, label: items}
"""
RULE = "- {id: r, effect: deny, title: t, basis: b, when: %s}\n"
REFUSED: dict[str, tuple[str, str]] = {
    "a typo in a narrowing key": ("- {id: r, effect: deny, title: t, basis: b, when: true, valid_form: 2026-01-01}\n", "2"),
    "an unknown attribute": (RULE % "{eq: [item.sgbw, true]}", "2"),
    "a duplicate key": ("- id: r\n  effect: permit\n  effect: deny\n  title: t\n  basis: b\n  when: true\n", "4"),
    "an anchor": ("- &a {id: r, effect: deny, title: t, basis: b, when: true}\n- *a\n", "2"),
    "an anchor bomb": ("- &a [x, x]\n- &b [*a, *a, *a, *a]\n- [*b, *b, *b, *b]\n", "2"),
    "a tag": (RULE % "!!python/name:os.system {eq: [item.sgbv, true]}", "2"),
    "a literal outside its domain": (RULE % "{eq: [item.scope, everyone]}", "2"),
    "a literal above its bound": (RULE % "{gt: [item.pages, 100]}", "2"),
    "a number for a truth value": (RULE % "{eq: [item.sgbv, 1]}", "2"),
    "a date that is none": (RULE % "{before: [item.until, 2026-02-30]}", "2"),
    "an unknown operator": (RULE % "{equals: [item.sgbv, true]}", "2"),
    "two operators": (RULE % "{eq: [item.sgbv, true], ne: [item.sgbv, true]}", "2"),
    "an operator of another type": (RULE % "{lt: [item.sgbv, true]}", "2"),
    "three sides": (RULE % "{eq: [item.sgbv, true, true]}", "2"),
    "nothing to join": (RULE % "{all: []}", "2"),
    "an empty condition": (RULE % "{}", "2"),
    "false as a condition": (RULE % "false", "2"),
    "an unknown effect": ("- {id: r, effect: allow, title: t, basis: b, when: true}\n", "2"),
    "a rule without a basis": ("- {id: r, effect: deny, title: t, when: true}\n", "2"),
    "a deny with obligations": ("- {id: r, effect: deny, title: t, basis: b, when: true, obligations: {handling: RED}}\n", "2"),
    "a requirement without obligations": ("- {id: r, effect: require, title: t, basis: b, when: true}\n", "2"),
    "an unknown obligation": ("- {id: r, effect: require, title: t, basis: b, when: true, obligations: {handlings: RED}}\n", "2"),
    "a word outside an obligation's domain": ("- {id: r, effect: require, title: t, basis: b, when: true, obligations: {handling: AMBER}}\n", "2"),
    "no person at all": ("- {id: r, effect: require, title: t, basis: b, when: true, obligations: {approval: {legal_adviser: 0}}}\n", "2"),
    "an unknown role": ("- {id: r, effect: require, title: t, basis: b, when: true, obligations: {approval: {legal: 1}}}\n", "2"),
    "an unknown reason": ("- {id: r, effect: deny, title: t, basis: b, when: true, reason: secret}\n", "2"),
    "the same id twice": ((RULE % "true") * 2, "3"),
    "an id that is none": ("- {id: R, effect: deny, title: t, basis: b, when: true}\n", "2"),
    "text where a list is due": ("- rules\n", "2"),
    "nothing": ("", "1"),
}  # fmt: skip
"""Rules that must be refused, by what is wrong with them, and the line that must be named."""


def refused_files(rules: str) -> dict[str, bytes]:
    """Return the files of a set with these rules."""
    text = f"rules:\n{rules}" if rules else ""
    named = {"vocabulary.yaml": VOCABULARY, "obligations.yaml": OBLIGATIONS, "rules/r.yaml": text}
    return {name: source.encode() for name, source in named.items()}


def _drawn_rules() -> list[list[dict[str, Any]]]:
    """Draw sets of rules, the same ones each time."""
    found: list[list[dict[str, Any]]] = []

    @seed(20261124)
    @settings(
        max_examples=SETS * 3,
        database=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(generated.rules(most=7, effects="permit permit deny require require"))
    def keep(rules: list[dict[str, Any]]) -> None:
        found.append(rules)

    keep()
    found.sort(key=lambda rules: -len(json.dumps(rules)))
    return found[:SETS]


def _case(policy: PolicySet, number: int) -> dict[str, Any]:
    facts = generated.random_facts(number, random.Random(number).choice([2, 4, 50]), wrong=False)
    decided = policy.decide(facts, TODAY).to_json()
    return {"given": to_json(facts), "today": TODAY, **{key: decided[key] for key in _SAID}}


def decisions() -> Iterator[dict[str, Any]]:
    """Yield sets with requests and what is decided."""
    for n, rules in enumerate(_drawn_rules()):
        policy = generated.of(rules)
        cases = [_case(policy, n * REQUESTS + m) for m in range(REQUESTS)]
        yield {"rules": rules, "policy": policy.digest, "cases": cases}


def document() -> dict[str, Any]:
    """Return the document of decisions."""
    return {
        "engine": ENGINE,
        "vocabulary": {"attributes": generated.ATTRIBUTES},
        "obligations": {"obligations": generated.described()},
        "sets": [*decisions()],
    }


def refusals() -> list[dict[str, Any]]:
    """Return the document of refusals."""
    return [
        {"name": name, "files": {k: v.decode() for k, v in refused_files(rules).items()},
         "place": f"rules/r.yaml:{line}"}
        for name, (rules, line) in REFUSED.items()
    ]  # fmt: skip


def as_files(document_: Mapping[str, Any], rules: Any) -> dict[str, bytes]:
    """Return a set of the document as files."""
    named = {
        "vocabulary.yaml": document_["vocabulary"],
        "obligations.yaml": document_["obligations"],
        "rules/all.yaml": {"rules": rules},
    }
    return {name: json.dumps(data).encode() for name, data in named.items()}


def main() -> None:
    """Write both files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = document()
    for one in made["sets"]:
        assert load(as_files(made, one["rules"])).digest == one["policy"]
    for name, data in (("decisions", made), ("refused", refusals())):
        (FOLDER / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
