"""Which mutants the cases kill: a mistake that no case notices is one that nobody would notice."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.authoring.accepted import Explained, read_survivors
from gateway.authoring.mutants import Mutant, mutants
from gateway.authoring.sources import sources
from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.policy.cases import Case, differences, read_cases
from gateway.policy.decide import PolicySet
from gateway.policy.text import nearest


@dataclass(frozen=True, slots=True)
class Survey:
    """What became of the mutants. *stale* are explanations of what does not survive any more."""

    killed: int
    survivors: tuple[Mutant, ...]
    explained: tuple[tuple[Mutant, Explained], ...]
    stale: tuple[Explained, ...]

    @property
    def clean(self) -> bool:
        """Tell whether every mutant is killed or explained, and nothing is explained in vain."""
        return not self.survivors and not self.stale


def all_mutants(
    policy: PolicySet, files: Mapping[str, bytes], rule: str | None = None
) -> list[Mutant]:
    """Return the mutants of a set, or of one *rule* of it. Raises NotFoundError."""
    ids = {one.id for one in policy.rules}
    if rule is not None and rule not in ids:
        raise NotFoundError(f"there is no rule {rule!r}{nearest(rule, ids)}")
    chosen = [s for s in sources(policy, files) if rule in (None, s.rule.id)]
    return [mutant for source in chosen for mutant in mutants(source, policy.kinds)]


def survey(
    policy: PolicySet,
    files: Mapping[str, bytes],
    rule: str | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Survey:
    """Run the cases against every mutant; *advance* hears of each.

    Raises ConflictError if a case fails without any mutation, NotFoundError for an unknown *rule*.
    """
    cases = read_cases(policy, files)
    failing = [case.id for case in cases if fails(policy, case)]
    if failing:
        raise ConflictError(f"case {failing[0]} fails as the set is: run gateway policy test first")
    alive: list[Mutant] = []
    found = all_mutants(policy, files, rule)
    for mutant in found:
        if not killed(policy, mutant, cases):
            alive.append(mutant)
        advance(1)
    return _sorted_out(found, alive, read_survivors(files), rule)


def _sorted_out(
    found: Sequence[Mutant], alive: Iterable[Mutant], listed: Iterable[Explained], rule: str | None
) -> Survey:
    why = {one.mutant: one for one in listed if rule is None or one.mutant.startswith(f"{rule} ")}
    surviving = {mutant.name: mutant for mutant in alive}
    return Survey(
        killed=len(found) - len(surviving),
        survivors=tuple(m for name, m in surviving.items() if name not in why),
        explained=tuple((m, why[name]) for name, m in surviving.items() if name in why),
        stale=tuple(one for name, one in why.items() if name not in surviving),
    )


def killed(policy: PolicySet, mutant: Mutant, cases: Iterable[Case]) -> bool:
    """Tell whether some case fails with the mutant in place of its rule."""
    changed = mutated(policy, mutant)
    return any(fails(changed, case) for case in cases)


def mutated(policy: PolicySet, mutant: Mutant) -> PolicySet:
    """Return the set with the mutant in place of its rule. It has the old digest: it is for trial."""
    other = (mutant.changed if rule.id == mutant.rule else rule for rule in policy.rules)
    rules = tuple(rule for rule in other if rule is not None)
    return PolicySet(policy.vocabulary, policy.kinds, rules, policy.digest)


def fails(policy: PolicySet, case: Case) -> bool:
    """Tell whether a case differs from what it expects."""
    return any(differences(case.expect, policy.judge(case.facts, case.today)))
