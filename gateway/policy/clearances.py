"""What a held decision still lacks: approvals of distinct persons, consultations, assurances.

Clearances are applied after evaluation and are never facts. Each is bound to the basis on which its
obligation was asked for; whatever changes that voids it, and nothing else does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.policy.decide import Decision

APPROVAL = "approval"
CONSULTATION = "consultation"
ASSURANCE = "assurance"


@dataclass(frozen=True, slots=True)
class Clearance:
    """A signed record that counts: by *person*, for one *obligation*, bound to *basis*.

    *obligation* is `approval:role` or `consultation:whom`.
    """

    person: str
    obligation: str
    basis: str


def missing(
    decision: Decision,
    clearances: Iterable[Clearance],
    requester: str,
    assurances: frozenset[str] = frozenset(),
) -> dict[str, int]:
    """Return what a held decision still lacks, such as `approval:role`, with how many persons.

    Among approvals one person counts once, whatever roles she holds; the requester does not count; a
    clearance for another basis is void. A consultation needs its record, an assurance the fact
    itself, among *assurances*. What no clearance can meet stays missing.
    """
    lacking: dict[str, int] = {}
    valid = [c for c in clearances if _counts(c, decision) and c.person != requester]
    recorded = {c.obligation for c in valid}
    for kind in decision.before:
        term = decision.terms[kind]
        parts = term if isinstance(term, tuple) else ()
        words = [part for part in parts if isinstance(part, str)]
        seats = [part[0] for part in parts if isinstance(part, tuple) for _ in range(part[1])]
        if kind == APPROVAL and seats:
            lacking |= _approvals(seats, valid)
        elif kind == CONSULTATION and words:
            wanted = (f"{CONSULTATION}:{word}" for word in words)
            lacking |= {want: 1 for want in wanted if want not in recorded}
        elif kind == ASSURANCE and words:
            lacking |= {f"{ASSURANCE}:{word}": 1 for word in words if word not in assurances}
        else:  # an obligation that names nothing is never met by nothing
            lacking[kind] = 1
    return lacking


def _counts(clearance: Clearance, decision: Decision) -> bool:
    """Tell whether a clearance was given on the basis on which its obligation is asked for now."""
    return decision.bases.get(clearance.obligation) == clearance.basis


def _approvals(seats: Sequence[str], valid: Sequence[Clearance]) -> dict[str, int]:
    """Return how many persons of which roles are missing."""
    able: dict[str, set[str]] = {}
    for clearance in valid:
        kind, _, role = clearance.obligation.partition(":")
        if kind == APPROVAL:
            able.setdefault(clearance.person, set()).add(role)
    taken: dict[str, int] = {}
    lacking: dict[str, int] = {}
    for seat, role in enumerate(seats):
        if not _fill(seat, seats, able, taken, set()):
            lacking[f"{APPROVAL}:{role}"] = lacking.get(f"{APPROVAL}:{role}", 0) + 1
    return lacking


def _fill(
    seat: int,
    seats: Sequence[str],
    able: Mapping[str, set[str]],
    taken: dict[str, int],
    tried: set[str],
) -> bool:
    """Find a person for a seat, if need be by moving others to seats of their other roles."""
    for person in sorted(p for p, roles in able.items() if seats[seat] in roles):
        if person in tried:
            continue
        tried.add(person)
        if person not in taken or _fill(taken[person], seats, able, taken, tried):
            taken[person] = seat
            return True
    return False
