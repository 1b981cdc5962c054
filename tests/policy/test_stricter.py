"""Terms that were given, against those of a decision made now: stricter by the lattice, or covered."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.encoding import Json
from gateway.policy import stricter
from gateway.policy.decide import Decision
from gateway.policy.obligations import Join, Obligation, Phase, Term, merge, terms_json
from tests.policy.test_attested import TODAY
from tests.policy.test_policy import FACTS, POLICY

ORDER = ("mild", "firm", "strict")
KINDS = {
    "order": Obligation("order", Join.ORDER, Phase.WITH, "o", ORDER),
    "uses": Obligation("uses", Join.INTERSECTION, Phase.AFTER, "i", ("a", "b", "c")),
    "duties": Obligation("duties", Join.UNION, Phase.AFTER, "u", ("a", "b", "c")),
    "days": Obligation("days", Join.MIN, Phase.AFTER, "m"),
    "seats": Obligation("seats", Join.ROLES, Phase.AFTER, "r", ("x", "y")),
    "redact": Obligation("redact", Join.UNION, Phase.WITH, "met here", ("a",)),
    "approval": Obligation("approval", Join.ROLES, Phase.BEFORE, "met before", ("x",)),
}
SET = replace(POLICY, kinds=KINDS)
words = st.sets(st.sampled_from("abc")).map(lambda found: tuple(sorted(found)))
seats = st.dictionaries(st.sampled_from("xy"), st.integers(1, 3), min_size=1)
terms = st.fixed_dictionaries(
    {},
    optional={
        "order": st.sampled_from(ORDER),
        "uses": words,
        "duties": words,
        "days": st.integers(0, 9),
        "seats": seats.map(lambda found: tuple(sorted(found.items()))),
    },
)


def now(said: dict[str, Term]) -> Decision:
    """Return a decision with just these terms."""
    return replace(POLICY.decide(FACTS, TODAY), terms=said)


@given(terms)
def test_the_same_terms_are_covered(given_: dict[str, Term]) -> None:
    assert stricter(SET, terms_json(given_), now(given_)) == ()


@given(terms, terms)
def test_what_was_joined_into_the_given_terms_is_covered(
    one: dict[str, Term], two: dict[str, Term]
) -> None:
    both = terms_json(merge(KINDS, [one, two]))
    assert stricter(SET, both, now(one)) == stricter(SET, both, now(two)) == ()


@given(terms, terms)
def test_whatever_adds_to_the_given_terms_is_stricter(
    one: dict[str, Term], two: dict[str, Term]
) -> None:
    joined = merge(KINDS, [one, two])
    more = tuple(kind for kind in two if joined[kind] != one.get(kind))
    assert stricter(SET, terms_json(one), now(two)) == more


@pytest.mark.parametrize(
    ("kind", "given_", "term"),
    [
        ("order", "unheard of", "mild"),
        ("order", 3, "mild"),
        ("days", "9", 9),
        ("uses", "abc", ("a",)),
        ("duties", None, ()),
        ("seats", ["x"], (("x", 1),)),
    ],
)
def test_given_terms_that_cannot_be_read_any_more_cover_nothing(
    kind: str, given_: Json, term: Term
) -> None:
    assert stricter(SET, {kind: given_}, now({kind: term})) == (kind,)


def test_what_the_mechanism_itself_meets_is_no_term_of_the_recipient() -> None:
    assert stricter(SET, {}, now({"redact": ("a",), "approval": (("x", 1),)})) == ()
