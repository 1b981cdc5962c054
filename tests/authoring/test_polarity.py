"""Conditions in two values say what the evaluator says in three: for z3, for Cedar, and as closures."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authoring import cedar, symbolic
from gateway.authoring.extras import library
from gateway.authoring.polarity import form
from gateway.authoring.view import View
from gateway.policy import Fact, Facts
from gateway.policy.compiled import compiled
from gateway.policy.conditions import OPERATORS, Compare, Truth
from tests.authoring.sets import COMPARISONS, CONDITIONS, FACTS, VOC, WRONG, condition

cedarpy, z3 = library("cedarpy"), library("z3")


def test_every_operator_is_tried() -> None:
    assert set(COMPARISONS) == set(OPERATORS)


@given(
    CONDITIONS, FACTS, st.dictionaries(st.sampled_from(sorted(VOC.attributes)), WRONG, max_size=3)
)
@settings(max_examples=200, deadline=None)
def test_closures_say_what_conditions_say_of_wrong_facts_too(
    spelt: Any, facts: dict[str, Fact], wrong: dict[str, Fact]
) -> None:
    one, seen = condition(spelt), {**facts, **wrong}
    assert compiled(one)(VOC.known(seen)) is one.eval(seen)


def of_z3(space: symbolic.Space, facts: Facts, terms: list[Any]) -> list[bool]:
    """Return what z3 makes of terms where the facts are exactly these."""
    view, solver = View(space, VOC), z3.Solver()
    solver.add(*space.axioms)
    for path, a in VOC.attributes.items():
        if path in facts:
            solver.add(view.compare(Compare("eq", a, facts[path], None), unknown=False))
        else:
            solver.add(z3.Not(view.recorded(a)))
    assert solver.check() == z3.sat
    model = solver.model()
    assert space.facts(model) == facts
    return [z3.is_true(model.eval(term, model_completion=True)) for term in terms]


@given(CONDITIONS, FACTS)
@settings(max_examples=40, deadline=None)
def test_z3_and_cedar_read_a_condition_as_the_evaluator_does(
    spelt: Any, facts: dict[str, Fact]
) -> None:
    one = condition(spelt)
    truth: Truth = one.eval(facts)
    expected = [truth is True, truth is not False]
    space = symbolic.Space([VOC], [one, condition({"eq": ["item.name", "x"]})])
    view = View(space, VOC)
    assert of_z3(space, facts, [form(one, view, unknown=u) for u in (False, True)]) == expected
    for unknown, right in zip((False, True), expected, strict=True):
        when = form(one, cedar.Cedar(), unknown=unknown)
        reply = cedarpy.is_authorized(
            cedar.request(VOC, facts, "Release"),
            f"permit(principal, action, resource) when {{ {when} }};",
            "[]",
        )
        assert not reply.diagnostics.errors
        assert reply.allowed is right


@pytest.mark.parametrize("spelt", [True, {"exists": "item.name"}])
def test_what_is_never_unknown_has_one_form(spelt: Any) -> None:
    forms = {form(condition(spelt), cedar.Cedar(), unknown=unknown) for unknown in (False, True)}
    assert len(forms) == 1


@given(st.text())
@settings(max_examples=30, deadline=None)
def test_cedar_reads_every_text_as_it_was(text: str) -> None:
    when = f"context.x == {cedar.text(text)}"
    request = {
        "principal": 'P::"p"',
        "action": 'A::"a"',
        "resource": 'R::"r"',
        "context": {"x": text},
    }
    rules = f"permit(principal, action, resource) when {{ {when} }};"
    assert cedarpy.is_authorized(request, rules, "[]").allowed
