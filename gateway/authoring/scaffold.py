"""A new rule and a case beside it, appended to the text that is there.

The rule's condition is a placeholder that is never true and never unknown, so that the set decides as
before until an author writes the condition; `gateway policy check` names it until then.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.authoring.fmt import canonical
from gateway.authoring.sources import Source, sources
from gateway.kernel.encoding import Json, canonical_json
from gateway.kernel.errors import ConflictError, MalformedError, NotFoundError
from gateway.policy.cases import base_of, is_case_file, read_cases
from gateway.policy.decide import PolicySet
from gateway.policy.judge import Outcome, Verdict
from gateway.policy.load import is_rule_file, load
from gateway.policy.obligations import Join, Obligation, Term, term_json, terms_json
from gateway.policy.rules import Effect, Reason
from gateway.policy.text import Value, nearest, read

FIRST_FILE, FIRST_CASES = "rules/90-new.yaml", "tests/cases.yaml"
TODO = "TODO"
HINTS = {
    "rules": "write the condition in this place; until then the rule never applies",
    "cases": "change the facts so that the rule speaks, and say what must come of it",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the author said of the new rule. *like* is a rule whose condition and terms are copied."""

    id: str
    effect: Effect = Effect.DENY
    title: str = TODO
    basis: str = TODO
    reason: Reason | None = None
    file: str | None = None
    like: str | None = None


def new_rule(files: Mapping[str, bytes], wanted: Wanted) -> dict[str, bytes]:
    """Return the files that change, whole. Nothing but the new rule and its case is other in them.

    Raises ConflictError for an id that is taken or a file that cannot be appended to, NotFoundError
    for an unknown *like*, MalformedError for what no rule may have.
    """
    policy = load(files)
    if any(rule.id == wanted.id for rule in policy.rules):
        raise ConflictError(f"there is a rule {wanted.id} already; choose another id")
    like = _like(policy, files, wanted.like)
    name = _file(files, wanted, like)
    case_file = next(iter(sorted(filter(is_case_file, files))), FIRST_CASES)
    changed = {
        name: _appended(name, files.get(name), "rules", _rule(policy, wanted, like)),
        case_file: _appended(
            case_file, files.get(case_file), "cases", _case(policy, files, wanted)
        ),
    }
    _unchanged(policy, files, changed, wanted.id)
    return changed


def _like(policy: PolicySet, files: Mapping[str, bytes], rule: str | None) -> Source | None:
    if rule is None:
        return None
    found = {source.rule.id: source for source in sources(policy, files)}
    if rule not in found:
        raise NotFoundError(f"there is no rule {rule!r}{nearest(rule, set(found))}")
    return found[rule]


def _file(files: Mapping[str, bytes], wanted: Wanted, like: Source | None) -> str:
    """Return the file of the new rule: the one named, that of *like*, or one whose ids begin alike."""
    if wanted.file is not None:
        name = wanted.file if wanted.file.startswith("rules/") else f"rules/{wanted.file}"
        name = name if name.endswith(".yaml") else f"{name}.yaml"
        if not re.fullmatch(r"rules/[A-Za-z0-9_-]+\.yaml", name):
            raise MalformedError("a file of rules is named in letters, digits and -", field="file")
        return name
    if like is not None:
        return like.spec.place.rpartition(":")[0]
    first = wanted.id.partition(".")[0]
    for name in sorted(filter(is_rule_file, files)):
        ids = [r.members()["id"].text() for r in _specs(name, files[name], "rules")]
        if any(one.partition(".")[0] == first for one in ids):
            return name
    return FIRST_FILE


def _specs(name: str, data: bytes, key: str) -> list[Value]:
    return read(name, data).members()[key].sequence()


def _rule(policy: PolicySet, wanted: Wanted, like: Source | None) -> Json:
    when: Json = {"not": True}
    terms = terms_json(like.rule.terms) if like else {}
    if like is not None:
        when = {"all": [{"not": True}, like.spec.members()["when"].json()]}
    if wanted.effect is Effect.REQUIRE and not terms:
        terms = _mildest(policy)
    rule: dict[str, Json] = {"id": wanted.id, "effect": wanted.effect.value}
    if wanted.effect is Effect.DENY:
        reason = wanted.reason or (like.rule.reason if like else Reason.OTHER)
        rule["reason"] = reason.value
    rule |= {"title": wanted.title, "basis": wanted.basis, "when": when}
    if terms and wanted.effect is not Effect.DENY:
        rule["obligations"] = dict(terms)
    return rule


def _mildest(policy: PolicySet) -> dict[str, Json]:
    """Return one obligation to stand where a require rule must have some."""
    if not policy.kinds:
        raise MalformedError("a require rule needs a kind of obligation; see obligations.yaml")
    kind = next(iter(policy.kinds.values()))
    return {kind.kind: term_json(_some_term(kind))}


def _some_term(kind: Obligation) -> Term:
    match kind.join:
        case Join.MIN:
            return 0
        case Join.ORDER:
            return kind.values[0]
        case Join.ROLES:
            return ((kind.values[0], 1),)
        case Join.INTERSECTION:
            return tuple(sorted(kind.values))
        case _:
            return kind.values[:1]


def _case(policy: PolicySet, files: Mapping[str, bytes], wanted: Wanted) -> Json:
    """Return a case that holds as the set is; its facts and outcome are for the author to change."""
    name = wanted.id.replace(".", "-").replace("_", "-")
    taken = {case.id for case in read_cases(policy, files)}
    while name in taken:
        name += "-2"
    verdict = _base_verdict(policy, files)
    expect: dict[str, Json] = {"outcome": verdict.outcome.value}
    if verdict.outcome is Outcome.DENY:
        expect["rules"] = [*sorted(r.id for r, _ in verdict.fired if r.effect is Effect.DENY)]
    return {"id": name, "set": {}, "expect": expect}


def _base_verdict(policy: PolicySet, files: Mapping[str, bytes]) -> Verdict:
    name = next(iter(sorted(filter(is_case_file, files))), None)
    if name is None:
        return policy.judge({}, _FIRST_DAY)
    base = base_of(read(name, files[name]).members(), files).json()
    trial: Json = {"base": base, "cases": [{"id": "a", "expect": {"outcome": "deny"}}]}
    (case,) = read_cases(policy, {name: canonical_json(trial)})
    return policy.judge(case.facts, case.today)


_FIRST_DAY = "2026-01-01"


def _appended(name: str, data: bytes | None, key: str, new: Json) -> bytes:
    """Return a file with one element more at the end of its list, and every other byte as it was."""
    written = canonical(name, canonical_json({key: [new]})).decode()
    lines = written.replace("{not: true}", "{not: true}  # " + HINTS["rules"], 1).splitlines()[1:]
    if key == "cases":
        lines = [f"# {HINTS[key]}", *lines]
    if data is None:
        base = f"base: {{context.today: {_FIRST_DAY}}}\n" if key == "cases" else ""
        return f"{base}{key}:\n{chr(10).join(lines)}\n".encode()
    text = data.decode("utf-8")
    last = [line for line in text.splitlines() if re.match(r" *- ", line)]
    indent = " " * min((len(line) - len(line.lstrip()) for line in last), default=0)
    end = "" if text.endswith("\n") else "\n"
    return f"{text}{end}{''.join(f'{indent}{line}{chr(10)}' for line in lines)}".encode()


def _unchanged(
    policy: PolicySet, files: Mapping[str, bytes], changed: Mapping[str, bytes], rule: str
) -> None:
    """Check that the new set is the old one with one rule more that never applies."""
    told = "the list of rules or cases does not end its file; name another with --file"
    try:
        after = load({**files, **changed})
        cases = len(read_cases(after, {**files, **changed}))
    except MalformedError as error:
        at = error.field.rpartition(":")[0]
        raise ConflictError(f"{at} cannot be appended to: {told}; ({error})") from None
    old = [r for r in after.rules if r.id != rule]
    same = [(r.id, r.when, r.terms) for r in old] == [(r.id, r.when, r.terms) for r in policy.rules]
    one_more = len(after.rules) == len(policy.rules) + 1
    if not (same and one_more and cases == len(read_cases(policy, files)) + 1):
        raise ConflictError(told)
