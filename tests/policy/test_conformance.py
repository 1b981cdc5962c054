"""The vectors that another implementation can run: this one agrees with every one of them."""

import json

import pytest

from gateway.kernel.errors import MalformedError
from gateway.policy import ENGINE, Fact, load
from tests.policy import conformance, generated
from tests.policy.conformance import FOLDER, REFUSED
from tests.policy.test_laws_of_sets import as_written, told

DECISIONS = json.loads((FOLDER / "decisions.json").read_text())
REFUSALS = json.loads((FOLDER / "refused.json").read_text())


def _facts(raw: dict[str, object]) -> dict[str, Fact]:
    return {
        path: frozenset(value) if isinstance(value, list) else value  # type: ignore[misc]
        for path, value in raw.items()
    }


@pytest.mark.parametrize("n", range(len(DECISIONS["sets"])))
def test_decisions_are_the_published_ones(n: int) -> None:
    one = DECISIONS["sets"][n]
    policy = load(conformance.as_files(DECISIONS, one["rules"]))
    assert DECISIONS["engine"] == ENGINE
    assert policy.digest == one["policy"]
    for case in one["cases"]:
        facts = _facts(case["given"])
        decided = policy.decide(facts, case["today"]).to_json()
        assert {key: decided[key] for key in case if key not in ("given", "today")} == {
            key: case[key] for key in case if key not in ("given", "today")
        }


def test_the_published_decisions_are_what_the_text_of_the_format_says() -> None:
    seen = set()
    for one in DECISIONS["sets"]:
        policy = load(conformance.as_files(DECISIONS, one["rules"]))
        for case in one["cases"]:
            facts = _facts(case["given"])
            assert told(policy.judge(facts, case["today"])) == as_written(policy, facts)
            seen.add(case["outcome"])
    assert seen == {"permit", "hold", "deny"}


@pytest.mark.parametrize("case", REFUSALS, ids=[case["name"] for case in REFUSALS])
def test_sets_that_must_be_refused_are_refused_with_file_and_line(case: dict[str, object]) -> None:
    files = {name: str(text).encode() for name, text in case["files"].items()}  # type: ignore[attr-defined]
    with pytest.raises(MalformedError) as caught:
        load(files)
    assert str(caught.value).startswith(f"{case['place']}: ")


def test_the_published_refusals_are_the_ones_that_are_made() -> None:
    assert conformance.refusals() == REFUSALS
    assert len(REFUSED) == len(REFUSALS)


def test_the_published_decisions_are_of_the_vocabulary_that_is_published() -> None:
    made = {key: DECISIONS[key] for key in ("vocabulary", "obligations")}
    assert made["vocabulary"] == {"attributes": generated.ATTRIBUTES}
    assert made["obligations"] == {"obligations": generated.described()}
    assert sum(len(one["cases"]) for one in DECISIONS["sets"]) >= 300
