"""Explanations as text for people, and as JSON for programs: the same things in both."""

from collections.abc import Iterator

from gateway.kernel.encoding import Json
from gateway.policy.decide import ENGINE
from gateway.policy.enforce import explain_unmet
from gateway.policy.explain import About, Explanation, Given, Line, Owed, Said, failing
from gateway.policy.obligations import Term, term_json
from gateway.policy.wording import plain, which


def render_text(explanation: Explanation) -> str:
    """Write an explanation for the mechanism's people."""
    return "\n".join(_text(explanation))


def _text(all_: Explanation) -> Iterator[str]:
    yield f"{all_.outcome.value.upper()} (policy set {all_.policy[:12]}, {all_.today})"
    if all_.outcome is not all_.rules_say:
        yield f"the rules alone say {all_.rules_say.value}"
    for positions, about in all_.groups:
        if len(all_.groups) > 1 or len(positions) > 1:
            yield f"{_which(positions, all_.names)}: {about.outcome.value}"
        yield from _about(about)
    for kind in all_.nothing_left:
        yield f"- together the items leave no {kind} that all of them allow; nothing is left to permit"
    for owed in all_.obligations:
        yield from _owed(owed)
    for line in explain_unmet(dict(all_.unmet)).splitlines():
        yield f"  unmet: {line.removeprefix('- ')}"
    for name, count in all_.lacking:
        yield f"  lacking: {name} ({count})"
    yield from map(_given, all_.clearances)
    yield from _missing(all_)
    if all_.good_until:
        yield f"to be decided again on {all_.good_until}: on that day a date that was compared begins or ends"


def _which(positions: tuple[int, ...], names: tuple[str, ...]) -> str:
    count = f"{len(positions)} items, " if len(positions) > 1 else ""
    return f"{count}{which(positions, names)}"


def _about(about: About) -> Iterator[str]:
    for said in about.rules:
        yield f"- {said.rule} ({said.effect.value}): {said.title}"
        yield f"    basis: {said.basis}"
        if not said.established:
            yield "    a fact is missing; the rule applies as a precaution"
        yield from _line(said.condition, 2)
    if not about.rules:
        yield "- no rule permits this disclosure; what is not permitted is denied"
        yield from (part for said in about.silent for part in _silent(said))
    for kind in about.nothing_left:
        yield f"- the rules leave no {kind} that all of them allow; nothing is left to permit"


def _silent(said: Said) -> Iterator[str]:
    """Say of a permit why it did not speak."""
    yield f"  {said.rule} would permit: {said.title}"
    if not said.in_force:
        yield "    but it is not in force on this day"
    for part in failing(said.condition):
        yield from _line(part, 2)


def _line(line: Line, depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}[{line.state}] {line.says}{':' if line.parts else ''}"
    for part in line.parts:
        yield from _line(part, depth + 1)


def _owed(owed: Owed) -> Iterator[str]:
    yield f"  obligation ({owed.phase} release): {owed.kind} {term_in_words(owed.term)}"
    for rule, term in owed.asked_by:
        own = "" if term == owed.term else f": {term_in_words(term)}"
        yield f"    asked for by {rule}{own}"


def _given(given: Given) -> str:
    counts = "counts" if given.why_not is None else f"does not count: {given.why_not}"
    return f"  cleared: {given.obligation} by {given.person}; {counts}"


def _missing(all_: Explanation) -> Iterator[str]:
    found = all_.missing
    if found is None:
        return
    if not found.ways:
        yield nothing_helps(complete=found.complete, tried=found.tried)
    for number, way in enumerate(all_.ways):
        yield "what is missing:" if number == 0 else "or:"
        yield from (f"  - {what}" for what in way)
    if found.ways and not found.complete:
        yield "there may be other ways"


def nothing_helps(*, complete: bool, tried: int) -> str:
    """Say that no way to a permit was found, and whether there is none."""
    if complete:
        return "nothing the mechanism could bring about would change this"
    return f"no way to a permit was found within {tried} decisions"


def term_in_words(term: Term) -> str:
    """Write a term of an obligation for people."""
    said = term_json(term)
    if isinstance(said, dict):
        return ", ".join(f"{count} {plain(role)}" for role, count in said.items())
    if isinstance(said, list):
        return ", ".join(plain(str(word)) for word in said) or "none"
    return plain(str(said))


def render_json(explanation: Explanation) -> dict[str, Json]:
    """Return an explanation as JSON (`docs/formats/policy.md`, section 8)."""
    all_ = explanation
    return {
        "outcome": all_.outcome.value,
        "rules_say": all_.rules_say.value,
        "today": all_.today,
        "good_until": all_.good_until,
        "policy": all_.policy,
        "facts": all_.facts,
        "engine": ENGINE,
        "groups": [_group(positions, about, all_.names) for positions, about in all_.groups],
        "obligations": [_owed_json(owed) for owed in all_.obligations],
        "nothing_left": [*all_.nothing_left],
        "unmet": {kind: [*what] for kind, what in all_.unmet},
        "lacking": dict(all_.lacking),
        "clearances": [
            {"person": g.person, "obligation": g.obligation, "counts": not g.why_not, "why_not": g.why_not}
            for g in all_.clearances
        ],
        "missing": _missing_json(all_),
    }  # fmt: skip


def _missing_json(all_: Explanation) -> Json:
    found = all_.missing
    if found is None:
        return None
    ways: list[Json] = [[*way] for way in all_.ways]
    return {"ways": ways, "complete": found.complete, "tried": found.tried}


def _group(positions: tuple[int, ...], about: About, names: tuple[str, ...]) -> Json:
    return {
        "items": [*positions],
        "names": [names[i] for i in positions],
        "outcome": about.outcome.value,
        "rules": [_said_json(said) for said in about.rules],
        "silent": [_said_json(said) for said in about.silent],
        "nothing_left": [*about.nothing_left],
        "obligations": [_owed_json(owed) for owed in about.obligations],
    }


def _said_json(said: Said) -> Json:
    return {
        "rule": said.rule,
        "effect": said.effect.value,
        "title": said.title,
        "basis": said.basis,
        "reason": said.reason,
        "established": said.established,
        "in_force": said.in_force,
        "condition": _line_json(said.condition),
    }


def _line_json(line: Line) -> Json:
    return {
        "state": line.state,
        "says": line.says,
        "fact": line.fact,
        "label": line.label,
        "operator": line.operator,
        "compared": line.compared,
        "recorded": line.recorded,
        "parts": [_line_json(part) for part in line.parts],
    }


def _owed_json(owed: Owed) -> Json:
    asked: list[Json] = [{"rule": rule, "term": term_json(term)} for rule, term in owed.asked_by]
    return {
        "kind": owed.kind,
        "label": owed.label,
        "phase": owed.phase,
        "term": term_json(owed.term),
        "asked_by": asked,
    }
