"""Rules and terms as ODRL 2.2, for partners whose systems read that. Lossy, and never read back.

What ODRL's core has no word for stands in a profile of our own, under `eg:`. It knows neither what is
unknown nor how obligations join, so its reader cannot come to our decisions; the signed terms bind, and
this is a translation of them.
"""

from collections.abc import Callable, Mapping, Sequence

from gateway.kernel.encoding import Json
from gateway.policy.conditions import Always, Compare, Condition, Every, Exists, Not, Some
from gateway.policy.decide import PolicySet
from gateway.policy.obligations import Join, terms_json
from gateway.policy.rules import Effect, Rule
from gateway.policy.vocabulary import TODAY, Attribute, Fact, Type

CONTEXT = "http://www.w3.org/ns/odrl.jsonld"
PROFILE = "urn:evidence-gateway:odrl:1"
_PREFIXES: dict[str, Json] = {
    "eg": f"{PROFILE}:",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dcterms": "http://purl.org/dc/terms/",
}
# Core left operands that say what our fact says; every other fact is the profile's.
_CORE = {
    TODAY: "dateTime",
    "context.purpose": "purpose",
    "recipient.jurisdiction": "recipient",
    "item.product": "product",
}
_ORDERED = {"before": "lt", "after": "gt", "lt": "lt", "le": "lteq", "gt": "gt", "ge": "gteq"}
_NOT = {
    "eq": "neq",
    "neq": "eq",
    "lt": "gteq",
    "gteq": "lt",
    "gt": "lteq",
    "lteq": "gt",
    "isAnyOf": "isNoneOf",
    "eg:includes": "eg:excludes",
    "eg:within": "eg:notWithin",
    "eg:overlaps": "eg:notOverlapping",
    "eg:oneOf": "eg:notOneOf",
    "eg:recorded": "eg:notRecorded",
}


def odrl_rules(policy: PolicySet) -> dict[str, Json]:
    """Return a set of rules as one ODRL Set: permissions, prohibitions, and obligations as duties."""
    return {
        "@context": [CONTEXT, _PREFIXES],
        "@type": "Set",
        "uid": f"{PROFILE}:set:{policy.digest}",
        "profile": PROFILE,
        "conflict": "prohibit",
        "permission": [_permission(r, policy) for r in policy.rules if r.effect is Effect.PERMIT],
        "prohibition": [_prohibition(r) for r in policy.rules if r.effect is Effect.DENY],
        "obligation": [
            duty
            for rule in policy.rules
            if rule.effect is Effect.REQUIRE
            for duty in _obligations(rule, policy)
        ],
    }


def odrl_terms(
    terms: Mapping[str, Json],
    *,
    uid: str,
    assigner: str,
    assignee: str,
    targets: Sequence[str],
    form: str = "Agreement",
) -> dict[str, Json]:
    """Return the terms of a share as ODRL, an `Agreement` or, before they are signed, an `Offer`.

    *terms* are the merged obligations by kind, as JSON. A kind that has no translation stands as a duty
    of the profile with its term: nothing is left out. Raises ValueError for another form.
    """
    if form not in ("Agreement", "Offer"):
        raise ValueError("the terms of a share are an Agreement or an Offer")
    onward = _onward(terms.get("onward"), assigner)
    said = _SAID_OTHERWISE | ({"onward"} if onward else set())
    duties: list[Json] = [
        {"assignee": assigner if kind in _ASSIGNERS else assignee, **duty}
        for kind, term in sorted(terms.items())
        if kind not in said
        for duty in _duties(kind, term)
    ]
    use: Json = {"action": "use", "constraint": _limits(terms), "duty": duties}
    told: dict[str, Json] = {
        "permission": [use, *onward.get("permission", [])],
        "prohibition": onward.get("prohibition", []),
    }
    return {
        "@context": [CONTEXT, _PREFIXES],
        "@type": form,
        "uid": uid,
        "profile": PROFILE,
        "conflict": "prohibit",
        "assigner": assigner,
        "assignee": assignee,
        "target": [*targets],
        **told,
    }


_SAID_OTHERWISE = frozenset({"purposes", "expiry_days", "max_items"})
_ASSIGNERS = frozenset({"approval", "consultation", "assurance", "redact", "watermark"})


def _limits(terms: Mapping[str, Json]) -> list[Json]:
    """Return the constraints on use; the days of expiry count from the release."""
    found: list[Json] = []
    if "purposes" in terms:
        found.append(_constraint("purpose", "isAnyOf", terms["purposes"]))
    if "expiry_days" in terms:
        value: Json = {"@value": f"P{terms['expiry_days']}D", "@type": "xsd:duration"}
        found.append(_constraint("elapsedTime", "lteq", value))
    if "max_items" in terms:
        found.append(_constraint("count", "lteq", terms["max_items"]))
    return found


def _onward(word: Json, assigner: str) -> dict[str, list[Json]]:
    """Return what is said of passing it on, by kind of rule; nothing of a word that is not ours."""
    consent: Json = {"action": "obtainConsent", "consentingParty": assigner}
    said: dict[str, dict[str, list[Json]]] = {
        "allowed": {"permission": [{"action": "distribute"}]},
        "with_consent": {"permission": [{"action": "distribute", "duty": [consent]}]},
        "prohibited": {"prohibition": [{"action": "distribute"}]},
    }
    return said.get(str(word), {})


def _duties(kind: str, term: Json) -> list[dict[str, Json]]:
    """Return a term as duties, one for each of its words."""
    if isinstance(term, dict):
        return [
            {"action": [_refined(kind, role, [_constraint("count", "gteq", n)])]}
            for role, n in sorted(term.items())
        ]
    words = term if isinstance(term, list) else [term]
    duties: list[dict[str, Json]] = [{"action": [_refined(kind, word, [])]} for word in words]
    return duties or [{"action": f"eg:{kind}"}]


def _refined(kind: str, word: Json, more: list[Json]) -> Json:
    refinement: list[Json] = [_constraint(f"eg:{kind}", "eq", word), *more]
    return {"rdf:value": {"@id": f"eg:{kind}"}, "refinement": refinement}


def _about(rule: Rule) -> dict[str, Json]:
    """Return what every rule says of itself, with its condition as constraints."""
    return {
        "uid": f"{PROFILE}:rule:{rule.id}",
        "dcterms:title": rule.title,
        "dcterms:source": rule.basis,
        "constraint": [*_constraints(rule.when), *_term(rule)],
        "eg:onUnknown": "eg:doesNotApply" if rule.effect is Effect.PERMIT else "eg:applies",
    }


def _permission(rule: Rule, policy: PolicySet) -> Json:
    return {**_about(rule), "action": "distribute", "duty": [*_phased(rule, policy)]}


def _prohibition(rule: Rule) -> Json:
    return {**_about(rule), "action": "distribute", "eg:reason": rule.reason.value}


def _obligations(rule: Rule, policy: PolicySet) -> list[Json]:
    """Return each obligation of a rule as a duty of its own, under the rule's constraints."""
    about = _about(rule)
    return [
        {**about, "uid": f"{about['uid']}:{n}", **duty}
        for n, duty in enumerate(_phased(rule, policy), 1)
    ]


def _phased(rule: Rule, policy: PolicySet) -> list[dict[str, Json]]:
    """Return the obligations of a rule as duties that say when they are due."""
    found = []
    for kind, term in terms_json(rule.terms).items():
        if policy.kinds[kind].join is Join.INTERSECTION:  # its words are alternatives
            one: Json = {"rdf:value": {"@id": f"eg:{kind}"}, "refinement": [_any_of(kind, term)]}
            duties: list[dict[str, Json]] = [{"action": [one]}]
        else:
            duties = _duties(kind, term)
        found += [{**duty, "eg:phase": policy.kinds[kind].phase.value} for duty in duties]
    return found


def _any_of(kind: str, term: Json) -> Json:
    return _constraint(f"eg:{kind}", "isAnyOf", term)


def _term(rule: Rule) -> list[Json]:
    days = (("gteq", rule.valid_from), ("lteq", rule.valid_to))
    return [_constraint("dateTime", operator, _day(day)) for operator, day in days if day]


def _constraints(condition: Condition) -> list[Json]:
    """Return a condition as constraints that all hold."""
    if isinstance(condition, Always):
        return []
    if isinstance(condition, Every):
        return [found for part in condition.parts for found in _constraints(part)]
    return [_one(condition, denied=False)]


def _one(condition: Condition, *, denied: bool) -> Json:
    """Return a condition, or its opposite, as one constraint: ODRL has no `not`, so it moves inwards."""
    match condition:
        case Always():
            return _constraint("eg:always", "eq", not denied)
        case Not(part):
            return _one(part, denied=not denied)
        case Every(parts) | Some(parts):
            every = isinstance(condition, Every) is not denied
            told: list[Json] = [_one(part, denied=denied) for part in parts]
            return {"@type": "LogicalConstraint", "and" if every else "or": {"@list": told}}
        case Exists(attribute):
            return _constraint(_operand(attribute), _operator("eg:recorded", denied=denied), True)
        case _:
            return _comparison(condition, denied=denied)


def _comparison(compare: Compare, *, denied: bool) -> Json:
    """Return a comparison. Its operator may be the profile's where a set meets a set."""
    operator = _operator(_WORDS[compare.op](compare), denied=denied)
    return _constraint(_operand(compare.left), operator, _right(compare))


def _operator(operator: str, *, denied: bool) -> str:
    return _NOT[operator] if denied else operator


def _always(word: str) -> Callable[[Compare], str]:
    return lambda _: word


_WORDS: dict[str, Callable[[Compare], str]] = {
    "eq": _always("eq"),
    "ne": _always("neq"),
    "in": lambda compare: "eg:oneOf" if compare.other else "isAnyOf",
    "contains": _always("eg:includes"),
    "subset": _always("eg:within"),
    "intersects": _always("eg:overlaps"),
    **{op: _always(word) for op, word in _ORDERED.items()},
}


def _operand(a: Attribute) -> str:
    return _CORE.get(a.path, f"eg:{a.path}")


def _right(compare: Compare) -> Json:
    if compare.other is not None:
        return {"@id": _operand(compare.other)}
    if compare.left.type is Type.DATE:
        return _day(str(compare.right))
    return _plain(compare.right)


def _plain(value: Fact | None) -> Json:
    return [*sorted(value)] if isinstance(value, frozenset) else value


def _day(day: str) -> Json:
    return {"@value": day, "@type": "xsd:date"}


def _constraint(left: str, operator: str, right: Json) -> Json:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}
