"""What is on file about the states: data with evidence and expiry, which the rules read as facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.kernel.encoding import Json
from gateway.kernel.errors import MalformedError
from gateway.policy.sources import Sources, load_sources
from gateway.policy.text import Value, nearest, read
from gateway.policy.vocabulary import Fact, Vocabulary, read_date

FOLDER = "jurisdictions/"
_OPTIONAL = frozenset({"valid_from", "valid_to", "case", "authority"})


@dataclass(frozen=True, slots=True)
class Attested:
    """One fact as somebody attested it. It counts from *valid_from* to *valid_to*, both inclusive,
    for one *case* or *authority* (short name) if it names one.
    """

    path: str
    value: Fact
    evidence: str
    valid_from: str | None
    valid_to: str | None
    case: str | None
    authority: str | None

    def counts(self, authority: str, case: str, today: str) -> bool:
        """Tell whether the fact speaks about this authority and case on this day."""
        ended = self.valid_to is not None and self.valid_to < today
        return self.concerns(authority, case) and self.begun(today) and not ended

    def concerns(self, authority: str, case: str) -> bool:
        """Tell whether the fact is about this authority and case, on whatever day."""
        return self.authority in (None, authority) and self.case in (None, case)

    def begun(self, today: str) -> bool:
        """Tell whether the fact has begun to count, though it may have ended since."""
        return self.valid_from is None or self.valid_from <= today


class Register(dict[str, tuple[Attested, ...]]):
    """What is on file: facts about recipients by jurisdiction code, and the terms of the *sources*."""

    def __init__(self, sources: Sources | None = None) -> None:
        super().__init__()
        self.sources: Sources = sources or {}


def load_register(files: Mapping[str, bytes], vocabulary: Vocabulary) -> Register:
    """Read jurisdictions/*.yaml and sources/*.yaml into a register. Raises MalformedError."""
    register = Register(load_sources(files, vocabulary))
    for name in sorted(n for n in files if n.startswith(FOLDER) and n.endswith(".yaml")):
        value = read(name, files[name]).mapping({"jurisdiction", "name", "facts"})
        code = value["jurisdiction"].text()
        if code in register:
            raise value["jurisdiction"].fail(f"jurisdiction {code} stands in another file already")
        register[code] = tuple(read_attested(f, vocabulary) for f in value["facts"].sequence())
    return register


def recipient_facts(
    register: Mapping[str, Sequence[Attested]],
    jurisdiction: str,
    authority: str,
    case: str,
    today: str,
    later: Sequence[Attested] = (),
) -> tuple[dict[str, Fact], str | None]:
    """Return the facts that count, and the next day, today included, on which a term begins or ends.

    A fact on one authority or case overrides a general one; sets add up. An expired fact is absent,
    and so unknown to the rules. *later* attestations come after the register's facts that are as
    narrow, oldest first: the last one is the word that stands, so that once it has lapsed the fact is
    unknown, whatever as general was on file before.
    """
    facts: dict[str, Fact] = {"recipient.jurisdiction": jurisdiction}
    changes: list[str] = []
    on_file = [(attested, False) for attested in register.get(jurisdiction, ())]
    by_order = [(attested, True) for attested in later]
    for attested, stands in sorted((*on_file, *by_order), key=lambda one: _generality(one[0])):
        changes += (d for d in (attested.valid_from, attested.valid_to) if d and d >= today)
        if attested.counts(authority, case, today):
            _add(facts, attested)
        elif stands and _silences(attested, authority, case, today):
            facts.pop(attested.path, None)
    return facts, min(changes, default=None)


def _silences(attested: Attested, authority: str, case: str, today: str) -> bool:
    """Tell whether a lapsed attestation leaves its fact unknown; of a set it takes only its own part."""
    spoke = attested.concerns(authority, case) and attested.begun(today)
    return spoke and not isinstance(attested.value, frozenset)


def _add(facts: dict[str, Fact], attested: Attested) -> None:
    before = facts.get(attested.path)
    both = isinstance(before, frozenset) and isinstance(attested.value, frozenset)
    # mypy does not carry `both` over to the two it speaks of.
    facts[attested.path] = before | attested.value if both else attested.value  # type: ignore[operator]


def _generality(attested: Attested) -> int:
    return (attested.authority is not None) + (attested.case is not None)


def read_attested(spec: Value, vocabulary: Vocabulary) -> Attested:
    """Read one fact on file. Raises MalformedError."""
    parts = spec.mapping({"fact", "value", "evidence"}, _OPTIONAL)
    attribute = vocabulary.get(parts["fact"])
    if not attribute.path.startswith("recipient."):
        raise parts["fact"].fail("a jurisdiction has facts about recipients only")
    return Attested(
        path=attribute.path,
        value=attribute.literal(parts["value"]),
        evidence=parts["evidence"].text(),
        valid_from=read_date(parts.get("valid_from")),
        valid_to=read_date(parts.get("valid_to")),
        case=parts["case"].text() if "case" in parts else None,
        authority=parts["authority"].text() if "authority" in parts else None,
    )


def register_json(register: Register) -> Json:
    """Return the register as JSON, for its digest."""
    return {
        code: [[a.path, str(a.value), a.evidence, a.valid_from, a.valid_to, a.case] for a in facts]
        for code, facts in register.items()
    }


def check_codes(register: Register, vocabulary: Vocabulary) -> None:
    """Check that every jurisdiction on file is one that the vocabulary knows. Raises MalformedError."""
    attribute = vocabulary.attributes.get("recipient.jurisdiction")
    known = attribute.values if attribute is not None else frozenset[str]()
    for code in register:
        if code not in known:
            hint = nearest(code, known)
            raise MalformedError(f"{FOLDER}: {code} is not in the vocabulary{hint}", field=FOLDER)
