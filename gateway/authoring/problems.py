"""Everything that is wrong with a set, and not only the first of it.

The core loads all of a set or nothing. An author wants the whole list: each file, rule, attribute and
case is read by itself with the core's own readers, so that what is said here is what the core says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from gateway.authoring.accepted import LINT, SURVIVORS, read_accepted, read_survivors
from gateway.kernel.errors import MalformedError
from gateway.policy.cases import base_of, is_case_file, read_case, read_facts
from gateway.policy.conditions import read_condition
from gateway.policy.decide import PolicySet
from gateway.policy.jurisdictions import FOLDER as JURISDICTIONS
from gateway.policy.jurisdictions import read_attested
from gateway.policy.load import OBLIGATIONS, VOCABULARY, is_rule_file
from gateway.policy.obligations import Obligation, read_kind
from gateway.policy.rules import OPTIONAL, REQUIRED, Rule, read_rule, read_terms
from gateway.policy.text import Value, nearest, read
from gateway.policy.vocabulary import (
    TODAY,
    Attribute,
    Fact,
    Type,
    Vocabulary,
    read_attribute,
)

P = ParamSpec("P")
T = TypeVar("T")
CODES = "recipient.jurisdiction"


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a set from being loaded, and where (`file:line`)."""

    place: str
    message: str

    def order(self) -> tuple[str, int, str]:
        """Return what sorts problems by file and line."""
        return (*position(self.place), self.message)


def position(place: str) -> tuple[str, int]:
    """Return file and line of a place; line 0 of one that names no line."""
    name, _, line = place.rpartition(":")
    return (name, int(line)) if name and line.isdigit() else (place, 0)


def problems(files: Mapping[str, bytes]) -> list[Problem]:
    """Return all that is wrong with the files of a policy folder; nothing if they can be loaded."""
    reading = _Reading(dict(files))
    reading.read_all()
    return sorted(set(reading.found), key=Problem.order)


@dataclass(slots=True)
class _Reading:
    """One pass over all files: what could be read so far, and what could not."""

    files: dict[str, bytes]
    found: list[Problem] = field(default_factory=list)
    attributes: dict[str, Attribute] = field(default_factory=dict)
    kinds: dict[str, Obligation] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def read_all(self) -> None:
        """Read in the order in which one file builds on another."""
        for name in (VOCABULARY, OBLIGATIONS):
            if name not in self.files:
                self.found.append(Problem(name, "is missing from the policy folder"))
        self._vocabulary()
        self._kinds()
        for name in self._named(is_rule_file):
            self._rule_file(name)
        codes: dict[str, str] = {}
        for name in self._named(lambda n: n.startswith(JURISDICTIONS) and n.endswith(".yaml")):
            self._jurisdiction(name, codes)
        cases: dict[str, str] = {}
        for name in self._named(is_case_file):
            self._case_file(name, cases)
        for name, reader in ((LINT, read_accepted), (SURVIVORS, read_survivors)):
            if name in self.files:
                self.attempt(reader, self.files)

    def attempt(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Do something that may find a mistake, and go on."""
        try:
            return work(*args, **kwargs)
        except MalformedError as error:
            message = str(error).removeprefix(f"{error.field}: ")
            if not any(f"{word!r}" in message for word in self.broken):
                self.found.append(Problem(error.field, message))
            return None

    def _named(self, wanted: Callable[[str], bool]) -> list[str]:
        return sorted(filter(wanted, self.files))

    def _file(
        self, name: str, keys: set[str], optional: frozenset[str] = frozenset()
    ) -> dict[str, Value]:
        """Return the members of a file that can be read and has these keys; nothing of another."""
        data = self.files.get(name)
        value = None if data is None else self.attempt(read, name, data)
        return (self.attempt(value.mapping, keys, optional) if value else None) or {}

    def _members(self, parts: Mapping[str, Value], key: str) -> dict[str, Value]:
        return (self.attempt(parts[key].members) if key in parts else None) or {}

    def _elements(self, parts: Mapping[str, Value], key: str) -> list[Value]:
        return (self.attempt(parts[key].sequence) if key in parts else None) or []

    def _vocabulary(self) -> None:
        specs = self._members(self._file(VOCABULARY, {"attributes"}), "attributes")
        for path, spec in specs.items():
            attribute = self.attempt(read_attribute, path, spec)
            if attribute is None:
                self.broken.add(path)
            else:
                self.attributes[path] = attribute
        today = self.attributes.get(TODAY)
        if VOCABULARY in self.files and (today is None or today.type is not Type.DATE):
            self.found.append(Problem(VOCABULARY, f"{TODAY} must be a date"))

    def _kinds(self) -> None:
        specs = self._members(self._file(OBLIGATIONS, {"obligations"}), "obligations")
        for name, spec in specs.items():
            kind = self.attempt(read_kind, name, spec)
            if kind is None:
                self.broken.add(name)
            else:
                self.kinds[name] = kind

    @property
    def vocabulary(self) -> Vocabulary:
        """The attributes that could be read."""
        return Vocabulary(self.attributes)

    def _rule_file(self, name: str) -> None:
        for spec in self._elements(self._file(name, {"rules"}), "rules"):
            before = len(self.found)
            rule = self.attempt(read_rule, spec, self.vocabulary, self.kinds)
            if rule is not None:
                self.rules.append(rule)
            elif len(self.found) > before:
                self._rule_parts(spec)
            self._own_id(spec)

    def _own_id(self, spec: Value) -> None:
        raw = spec.raw.get("id") if isinstance(spec.raw, dict) else None
        name = raw.raw if raw is not None else None
        if not isinstance(name, str):
            return
        if name in self.ids:
            self.found.append(
                Problem(spec.place, f"rule {name} stands already at {self.ids[name]}")
            )
        self.ids.setdefault(name, spec.place)

    def _rule_parts(self, spec: Value) -> None:
        """Read each part of a broken rule by itself, so that its other mistakes are named too."""
        parts = spec.raw if isinstance(spec.raw, dict) else {}
        for key in REQUIRED:
            if parts and key not in parts:
                self.attempt(Value({}, spec.place).mapping, {key})
        for key, value in parts.items():
            one = Value({key: value}, spec.place)
            self.attempt(one.mapping, set(), OPTIONAL | REQUIRED)
        if "when" in parts:
            self._condition(parts["when"])
        for kind, term in self._members(parts, "obligations").items():
            one = Value({kind: term}, term.place)
            self.attempt(read_terms, one, self.kinds)
        known = {k: v for k, v in parts.items() if k in OPTIONAL | REQUIRED}
        for key in ("effect", "id", "reason", "valid_from", "valid_to"):
            self._rule_key(key, known, spec)

    def _rule_key(self, key: str, parts: Mapping[str, Value], spec: Value) -> None:
        """Read one key of a rule whose other keys are sound."""
        if key not in parts:
            return
        place = spec.place
        sound: dict[str, str | bool] = {
            "id": "a",
            "effect": "permit",
            "title": "a",
            "basis": "a",
            "when": True,
        }
        whole = {name: Value(word, place) for name, word in sound.items()}
        trial = Value({**whole, key: parts[key]}, place)
        if key == "effect" and parts[key].raw == "require":
            return  # its obligations are looked at by themselves
        self.attempt(read_rule, trial, self.vocabulary, self.kinds)

    def _condition(self, value: Value) -> None:
        """Read each comparison by itself."""
        raw = value.raw
        if isinstance(raw, dict) and len(raw) == 1:
            ((op, operand),) = raw.items()
            if op in ("all", "any") and isinstance(operand.raw, list) and operand.raw:
                for part in operand.raw:
                    self._condition(part)
                return
            if op == "not":
                self._condition(operand)
                return
        self.attempt(read_condition, value, self.vocabulary)

    def _jurisdiction(self, name: str, codes: dict[str, str]) -> None:
        parts = self._file(name, {"jurisdiction", "name", "facts"})
        code = self.attempt(parts["jurisdiction"].text) if parts else None
        known = self.attributes[CODES].values if CODES in self.attributes else frozenset()
        if code is not None and code in codes:
            message = f"jurisdiction {code} stands in another file already"
            self.found.append(Problem(parts["jurisdiction"].place, message))
        elif code is not None and code not in known:
            message = f"{code} is not in the vocabulary{nearest(code, known)}"
            self.found.append(Problem(parts["jurisdiction"].place, message))
        codes.setdefault(code or "", name)
        for spec in self._elements(parts, "facts"):
            self.attempt(read_attested, spec, self.vocabulary)

    def _case_file(self, name: str, seen: dict[str, str]) -> None:
        parts = self._file(name, {"cases"}, frozenset({"base"}))
        shared = self.attempt(base_of, parts, self.files) if parts else None
        base: dict[str, Fact | None] = {}
        for path, fact in self._members({"base": shared} if shared else {}, "base").items():
            one = Value({path: fact}, fact.place)
            base |= self.attempt(read_facts, one, self.vocabulary) or {}
        policy = PolicySet(self.vocabulary, self.kinds, (), "")
        for spec in self._elements(parts, "cases"):
            case = self.attempt(read_case, policy, base, spec)
            if case is None:
                continue
            if case.id in seen:
                message = f"case {case.id} stands already at {seen[case.id]}"
                self.found.append(Problem(spec.place, message))
            seen.setdefault(case.id, spec.place)
            for rule in sorted((case.expect.rules or frozenset()) - set(self.ids)):
                message = f"case {case.id} expects an unknown rule {rule!r}"
                self.found.append(Problem(spec.place, message + nearest(rule, set(self.ids))))
