"""Consent terms of the sources: data with evidence and an end, which the rules read as facts of items.

What a source agreed to stands in one file and holds for all that it gave. A new term, or one that ends,
is a change of a file and not of ten thousand items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.policy.text import Value, read
from gateway.policy.vocabulary import Fact, Facts, Vocabulary, read_date

FOLDER = "sources/"
SOURCE = "item.source"
"""The fact that names the source whose terms speak for an item."""

_OPTIONAL = frozenset({"valid_from", "valid_to"})
_SPEAKS_OF = ("item.consent.", "item.originator_")
"""What a source decides; what an item shows or how it is graded is said of each item alone."""


@dataclass(frozen=True, slots=True)
class Term:
    """One thing a source agreed to. It counts from *valid_from* to *valid_to*, both inclusive."""

    path: str
    value: Fact
    evidence: str
    valid_from: str | None
    valid_to: str | None

    def counts(self, today: str) -> bool:
        """Tell whether the term is in force on a day."""
        begun = self.valid_from is None or self.valid_from <= today
        return begun and (self.valid_to is None or today <= self.valid_to)

    def meets(self, other: "Term") -> bool:
        """Tell whether there is a day on which both are in force."""
        ends_before = self.valid_to is not None and self.valid_to < (other.valid_from or "")
        begins_after = other.valid_to is not None and other.valid_to < (self.valid_from or "")
        return not ends_before and not begins_after


Sources = Mapping[str, tuple[Term, ...]]
"""The terms by source."""


def load_sources(files: Mapping[str, bytes], vocabulary: Vocabulary) -> Sources:
    """Read sources/*.yaml into terms by source; a file is named after its source.

    Raises MalformedError with file and line.
    """
    sources: dict[str, tuple[Term, ...]] = {}
    for name in sorted(n for n in files if n.startswith(FOLDER) and n.endswith(".yaml")):
        parts = read(name, files[name]).mapping({"source", "name", "terms"})
        source = parts["source"].text()
        if name != f"{FOLDER}{source}.yaml":
            raise parts["source"].fail(f"the terms of {source!r} stand in {FOLDER}{source}.yaml")
        parts["name"].text()
        sources[source] = _terms(parts["terms"], vocabulary)
    return sources


def source_facts(
    sources: Sources, facts: Facts, today: str, amended: frozenset[str] = frozenset()
) -> tuple[dict[str, Fact], str | None]:
    """Return an item's facts with its source's terms in place, and the next day, today included, on
    which one of these terms begins or ends.

    A term in force is the word that stands, whatever was stated; of what only ended terms or those to
    come speak, the fact is unknown. So is all that a source decides if its file is not there. Paths in
    *amended* were changed by order since: where order and term differ, the fact is unknown until
    somebody changes one of them. An item that names no source keeps what was stated.
    """
    if SOURCE not in facts:
        return dict(facts), None
    terms = sources.get(str(facts[SOURCE]))
    if terms is None:
        return {p: f for p, f in facts.items() if not p.startswith(_SPEAKS_OF)}, None
    said = {term.path: term.value for term in terms if term.counts(today)}
    spoken = {term.path for term in terms}
    disputed = {p for p in spoken & amended if facts.get(p) != said.get(p)}
    kept = {p: f for p, f in facts.items() if p not in spoken}
    ends = [d for t in terms for d in (t.valid_from, t.valid_to) if d and d >= today]
    agreed = {p: f for p, f in said.items() if p not in disputed}
    return {**kept, **agreed}, min(ends, default=None)


def _terms(value: Value, vocabulary: Vocabulary) -> tuple[Term, ...]:
    found: list[Term] = []
    for spec in value.sequence():
        term = _term(spec, vocabulary)
        _check_alone(spec, term, found)
        found.append(term)
    return tuple(found)


def _check_alone(spec: Value, term: Term, before: Sequence[Term]) -> None:
    """Check that no day has two terms on the same fact. Raises MalformedError."""
    if any(other.path == term.path and other.meets(term) for other in before):
        raise spec.fail(f"another term speaks of {term.path} on the same days")


def _term(spec: Value, vocabulary: Vocabulary) -> Term:
    parts = spec.mapping({"fact", "value", "evidence"}, _OPTIONAL)
    attribute = vocabulary.get(parts["fact"])
    if not attribute.path.startswith(_SPEAKS_OF):
        raise parts["fact"].fail(f"a source has terms on {' and '.join(_SPEAKS_OF)}… only")
    begins, ends = read_date(parts.get("valid_from")), read_date(parts.get("valid_to"))
    if begins is not None and ends is not None and ends < begins:
        raise parts["valid_to"].fail("the term ends before it begins")
    value, evidence = attribute.literal(parts["value"]), parts["evidence"].text()
    return Term(attribute.path, value, evidence, begins, ends)
