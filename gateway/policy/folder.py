"""A policy folder as a whole: rules, register and cases loaded together, and checked against each other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.kernel.encoding import digest_of
from gateway.kernel.errors import MalformedError
from gateway.policy.cases import read_cases, run
from gateway.policy.decide import PolicySet
from gateway.policy.invariants import Invariant, load_invariants, violated
from gateway.policy.jurisdictions import Register, check_codes, load_register
from gateway.policy.load import is_rule_file, load
from gateway.policy.text import read
from gateway.policy.vocabulary import Facts


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a policy folder says."""

    policy: PolicySet
    register: Register
    invariants: tuple[Invariant, ...]


def load_files(files: Mapping[str, bytes]) -> Loaded:
    """Load a whole folder. Raises MalformedError with file and line."""
    policy = load(files)
    register = load_register(files, policy.vocabulary)
    check_codes(register, policy.vocabulary)
    return Loaded(policy, register, load_invariants(files, policy))


def rule_digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the digest of each rule as it is written, by its id. The files load."""
    sources = (read(name, files[name]) for name in sorted(files) if is_rule_file(name))
    rules = (rule for source in sources for rule in source.members()["rules"].sequence())
    return {rule.members()["id"].text(): digest_of(rule.json()) for rule in rules}


def check_cases(policy: PolicySet, files: Mapping[str, bytes]) -> int:
    """Run all cases; return how many there are. Raises MalformedError for one that differs, or none."""
    results = list(run(policy, files))
    for result in results:
        if result.differences:
            said = "; ".join(result.differences)
            message = f"{result.place}: case {result.id}: {said}"
            raise MalformedError(message, field=result.place)
    if not results:
        raise MalformedError("tests/: a set has at least one case", field="tests/")
    return len(results)


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


def facts_of_cases(policy: PolicySet, files: Mapping[str, bytes]) -> list[tuple[Facts, str]]:
    """Return the facts of every case, each with its day."""
    return [(case.facts, case.today) for case in read_cases(policy, files)]
