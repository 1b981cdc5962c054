"""A policy folder as a whole: rules, register, invariants and cases, checked against each other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from gateway.kernel.encoding import digest_of
from gateway.kernel.errors import MalformedError
from gateway.policy.cases import Case, differences, read_cases
from gateway.policy.decide import PolicySet
from gateway.policy.invariants import Invariant, load_invariants, violated
from gateway.policy.jurisdictions import Register, check_codes, load_register
from gateway.policy.load import is_rule_file, load
from gateway.policy.text import read
from gateway.policy.vocabulary import Facts

_REMEMBERED = 4  # folders: one is often previewed, checked and taken in a row


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a policy folder says. *rules* are the digests of the rules as they are written, by id."""

    policy: PolicySet
    register: Register
    invariants: tuple[Invariant, ...]
    cases: tuple[Case, ...]
    rules: Mapping[str, str]


def load_files(files: Mapping[str, bytes]) -> Loaded:
    """Load a whole folder. Raises MalformedError with file and line."""
    return _load(tuple(sorted(files.items())))


@lru_cache(_REMEMBERED)
def _load(named: tuple[tuple[str, bytes], ...]) -> Loaded:
    files = dict(named)
    policy = load(files)
    register = load_register(files, policy.vocabulary)
    check_codes(register, policy.vocabulary)
    invariants, cases = load_invariants(files, policy), tuple(read_cases(policy, files))
    return Loaded(policy, register, invariants, cases, _rule_digests(files))


def _rule_digests(files: Mapping[str, bytes]) -> dict[str, str]:
    sources = (read(name, files[name]) for name in sorted(files) if is_rule_file(name))
    rules = (rule for source in sources for rule in source.members()["rules"].sequence())
    return {rule.members()["id"].text(): digest_of(rule.json()) for rule in rules}


def check_cases(loaded: Loaded) -> int:
    """Run all cases; return how many there are. Raises MalformedError for one that differs, or none."""
    for case in loaded.cases:
        said = "; ".join(differences(case.expect, loaded.policy.judge(case.facts, case.today)))
        if said:
            message = f"{case.place}: case {case.id}: {said}"
            raise MalformedError(message, field=case.place)
    if not loaded.cases:
        raise MalformedError("tests/: a set has at least one case", field="tests/")
    return len(loaded.cases)


def check_invariants(loaded: Loaded, every: Iterable[tuple[Facts, str]]) -> None:
    """Check the set's invariants on concrete facts, each with its day. Raises MalformedError.

    What is proved for all facts is proved by the authors' tool; here it is checked for some.
    """
    for facts, day in every:
        for broken in violated(loaded.policy, loaded.invariants, facts, day):
            place = next(one.place for one in loaded.invariants if one.id == broken)
            message = (
                f"{place}: the set breaks invariant {broken}: gateway policy analyse shows how"
            )
            raise MalformedError(message, field=place)
