"""Loading a set: all of it or none of it, with file and line for whatever is wrong."""

from collections.abc import Mapping

from gateway.kernel.encoding import Json, canonical_json, digest_of
from gateway.kernel.errors import MalformedError
from gateway.policy.decide import PolicySet
from gateway.policy.obligations import read_kinds
from gateway.policy.rules import Rule, read_rules
from gateway.policy.text import Value, read
from gateway.policy.vocabulary import TODAY, Type, read_vocabulary

VOCABULARY = "vocabulary.yaml"
OBLIGATIONS = "obligations.yaml"
RULES = "rules/"


def load(files: Mapping[str, bytes]) -> PolicySet:
    """Load a set from its files, named relative to the policy folder. Raises MalformedError."""
    for name in (VOCABULARY, OBLIGATIONS):
        if name not in files:
            raise MalformedError(f"{name} is missing from the policy folder", field=name)
    values = {name: read(name, files[name]) for name in (VOCABULARY, OBLIGATIONS)}
    vocabulary = read_vocabulary(values[VOCABULARY])
    today = vocabulary.attributes.get(TODAY)
    if today is None or today.type is not Type.DATE:
        raise MalformedError(f"{VOCABULARY}: {TODAY} must be a date", field=VOCABULARY)
    kinds = read_kinds(values[OBLIGATIONS])
    sources = [read(name, files[name]) for name in sorted(files) if is_rule_file(name)]
    rules = [rule for source in sources for rule in read_rules(source, vocabulary, kinds)]
    _distinct(rules)
    return PolicySet(vocabulary, kinds, tuple(rules), _digest(values, sources))


def is_rule_file(name: str) -> bool:
    """Tell whether a file of the policy folder holds rules."""
    return name.startswith(RULES) and name.endswith(".yaml")


def _digest(values: Mapping[str, Value], sources: list[Value]) -> str:
    """Return the set's digest: canonical JSON of vocabulary, obligations and the rules in order.

    How the rules are split over files, and in which order they stand, makes no difference.
    """
    rules = [rule.json() for source in sources for rule in source.members()["rules"].sequence()]
    ordered: list[Json] = [*sorted(rules, key=canonical_json)]
    return digest_of([values[VOCABULARY].json(), values[OBLIGATIONS].json(), ordered])


def _distinct(rules: list[Rule]) -> None:
    seen: dict[str, str] = {}
    for rule in rules:
        if rule.id in seen:
            message = f"{rule.place}: rule {rule.id} stands already at {seen[rule.id]}"
            raise MalformedError(message, field=rule.place)
        seen[rule.id] = rule.place
