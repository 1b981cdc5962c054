"""Cases beside the rules: how they are read, and what is said of one that fails."""

import pytest

from gateway.kernel.errors import MalformedError
from gateway.policy import read_cases, run
from tests.authoring.small import CASES, SMALL

BASE = "base: {item.kind: paper, context.today: 2026-05-01}\ncases:\n"


def differences(expect: str, change: str = "{}") -> tuple[str, ...]:
    """Return what the small set has otherwise than expected of the base of its own cases."""
    base = CASES.decode().partition("cases:")[0]
    text = f"{base}cases:\n- {{id: a, set: {change}, expect: {expect}}}\n"
    (result,) = run(SMALL, {"tests/a.yaml": text.encode()})
    return result.differences


def test_a_case_expects_as_much_as_it_names() -> None:
    assert differences("{outcome: permit}") == ()
    assert differences("{outcome: permit, reasons: []}") == ()
    assert differences("{outcome: permit, rules: []}") == ()
    closed = "{item.secret: true, item.until: 2026-06-01}"
    expect = (
        "{outcome: deny, rules: [secret, embargo], reasons: [time, protection], obligations: {}}"
    )
    assert differences(expect, closed) == ()


def test_what_differs_is_said_by_its_kind() -> None:
    said = differences("{outcome: hold, rules: [embargo], reasons: [time]}", "{item.secret: true}")
    assert said == (
        "outcome is deny, expected hold",
        "denied by: embargo is missing; secret is not expected",
        "reasons: time is missing; protection is not expected",
    )
    (obligations,) = differences("{outcome: permit, obligations: {handling: RED, expiry_days: 5}}")
    assert obligations == (
        "obligations: expiry_days is none, expected 5; handling is AMBER, expected RED;"
        " purposes is ['criminal'], expected none"
    )


def test_sets_in_obligations_have_no_order() -> None:
    for order in ("names, faces", "faces, names"):
        rest = (
            "approval: {head: 1, lawyer: 2}, expiry_days: 30, handling: AMBER, purposes: [criminal]"
        )
        expect = f"{{outcome: hold, obligations: {{redact: [{order}], {rest}}}}}"
        assert differences(expect, "{item.grade: 6}") == ()


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("{id: a, expect: {outcome: permitt}}", "unknown outcome 'permitt'; did you mean 'permit'"),
        ("{id: a, expect: {outcome: deny, reasons: [tim]}}", "unknown reason 'tim'"),
        ("{id: a, expect: {outcome: deny, ruls: []}}", "did you mean 'rules'"),
        ("{id: a, expects: {outcome: deny}}", "did you mean 'expect'"),
        ("{id: a, expect: {outcome: hold, obligations: {handlin: RED}}}", "'handling'"),
        ("{id: a, expect: {outcome: hold, obligations: {handling: REDD}}}", "'RED'"),
        ("{id: a, set: {item.knd: paper}, expect: {outcome: deny}}", "'item.kind'"),
        ("{id: a, set: {item.kind: papr}, expect: {outcome: deny}}", "'paper'"),
        ("{id: a, set: {context.today: null}, expect: {outcome: deny}}", "needs context.today"),
    ],
)
def test_a_mistake_in_a_case_is_named_with_its_line(case: str, says: str) -> None:
    with pytest.raises(MalformedError, match=r"tests/a\.yaml:3") as caught:
        read_cases(SMALL, {"tests/a.yaml": f"{BASE}- {case}\n".encode()})
    assert says in str(caught.value)


def test_a_case_id_stands_once_in_all_files() -> None:
    text = f"{BASE}- {{id: a, expect: {{outcome: deny}}}}\n".encode()
    files = {"tests/a.yaml": text, "tests/b.yaml": text}
    with pytest.raises(MalformedError, match=r"tests/b\.yaml:3: case a stands already at tests/a"):
        read_cases(SMALL, files)
    assert [case.id for case in read_cases(SMALL, {"tests/a.yaml": text, "b.yaml": text})] == ["a"]
