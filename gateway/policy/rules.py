"""Rules as lawyers write them: effect, condition, obligations, legal basis, term of validity."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.policy.conditions import Condition, read_condition
from gateway.policy.obligations import Obligation, Terms
from gateway.policy.text import Value, nearest
from gateway.policy.vocabulary import Vocabulary, is_date

ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
REQUIRED = {"id", "effect", "title", "basis", "when"}
OPTIONAL = frozenset({"obligations", "valid_from", "valid_to", "reason"})


class Effect(StrEnum):
    """What a rule does when its condition calls for it."""

    PERMIT = "permit"  # on True only; its obligations also on unknown, if another rule permits
    DENY = "deny"  # on True or unknown
    REQUIRE = "require"  # attaches its obligations on True or unknown


class Reason(StrEnum):
    """What a recipient may be told of a refusal: a category, never a source, rule or other party."""

    CONSENT = "consent"
    RIGHTS = "rights"
    COMPETENCE = "competence"
    PROTECTION = "protection"
    TIME = "time"
    QUANTITY = "quantity"
    TERMS = "terms"  # the recipient's system does not honour what would have to bind it
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. *valid_from* and *valid_to* are the first and last day on which it applies."""

    id: str
    effect: Effect
    title: str
    basis: str
    when: Condition
    terms: Terms
    reason: Reason
    valid_from: str | None
    valid_to: str | None
    place: str

    def applies_on(self, today: str) -> bool:
        """Tell whether the rule is in force on a date."""
        begun = self.valid_from is None or self.valid_from <= today
        return begun and (self.valid_to is None or today <= self.valid_to)


def read_rules(value: Value, vocabulary: Vocabulary, kinds: Mapping[str, Obligation]) -> list[Rule]:
    """Read one file of rules. Raises MalformedError."""
    rules = value.mapping({"rules"})["rules"].sequence()
    return [read_rule(spec, vocabulary, kinds) for spec in rules]


def read_rule(spec: Value, vocabulary: Vocabulary, kinds: Mapping[str, Obligation]) -> Rule:
    """Read one rule. Raises MalformedError."""
    parts = spec.mapping(REQUIRED, OPTIONAL)
    effect, name = parts["effect"], parts["id"]
    if effect.text() not in set(Effect):
        raise effect.fail(f"unknown effect {effect.raw!r}{nearest(effect.text(), set(Effect))}")
    if not ID.fullmatch(name.text()):
        raise name.fail("an id is lower-case words joined by dots")
    terms = read_terms(parts["obligations"], kinds) if "obligations" in parts else {}
    if (effect.raw == Effect.DENY and terms) or (effect.raw == Effect.REQUIRE and not terms):
        raise spec.fail("a deny rule has no obligations, a require rule has some")
    return Rule(
        id=name.text(),
        effect=Effect(effect.text()),
        title=parts["title"].text(),
        basis=parts["basis"].text(),
        when=read_condition(parts["when"], vocabulary),
        terms=terms,
        reason=_reason(parts.get("reason")),
        valid_from=_date(parts.get("valid_from")),
        valid_to=_date(parts.get("valid_to")),
        place=spec.place,
    )


def read_terms(value: Value, kinds: Mapping[str, Obligation]) -> Terms:
    """Read obligations by kind. Raises MalformedError naming the nearest kind."""
    found = {}
    for kind, term in value.members().items():
        if kind not in kinds:
            raise term.fail(f"unknown obligation {kind!r}{nearest(kind, set(kinds))}")
        found[kind] = kinds[kind].read(term)
    return found


def _reason(value: Value | None) -> Reason:
    if value is None:
        return Reason.OTHER
    if value.text() not in set(Reason):
        raise value.fail(f"unknown reason {value.raw!r}{nearest(value.text(), set(Reason))}")
    return Reason(value.text())


def _date(value: Value | None) -> str | None:
    if value is None:
        return None
    if not is_date(value.text()):
        raise value.fail("expected a date such as 2026-11-23")
    return value.text()
