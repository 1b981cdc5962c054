"""The terms of sources: read strictly, and the word that stands for the facts they speak of."""

from collections.abc import Mapping

import pytest

from gateway.kernel.errors import MalformedError
from gateway.policy import Fact, load_register, source_facts
from gateway.policy.sources import Sources, load_sources
from tests.policy.test_policy import FILES, POLICY

HEAD = "source: club\nname: A club\nterms:\n"
GRANTED = "- {fact: item.consent.status, value: granted, evidence: a form}\n"
STATED: Mapping[str, Fact] = {
    "item.source": "club",
    "item.sgbv": True,
    "item.consent.status": "refused",
    "item.consent.scope": "any",
    "item.originator_control": "none",
}


def sources(*terms: str) -> Sources:
    text = HEAD + "".join(terms) if terms else HEAD + "  []\n"
    return load_sources({"sources/club.yaml": text.encode()}, POLICY.vocabulary)


def term(value: str, begins: str | None = None, ends: str | None = None) -> str:
    days = (f", valid_from: {begins}" if begins else "") + (f", valid_to: {ends}" if ends else "")
    return f"- {{fact: item.consent.status, value: {value}, evidence: a form{days}}}\n"


def status(found: Sources, today: str) -> tuple[Fact | None, str | None]:
    facts, until = source_facts(found, STATED, today)
    return facts.get("item.consent.status"), until


def test_a_term_in_force_stands_whatever_was_stated_and_leaves_the_rest() -> None:
    facts, until = source_facts(sources(GRANTED), STATED, "2026-05-01")
    assert facts == {**STATED, "item.consent.status": "granted"}
    assert until is None


def test_a_term_that_ended_or_is_to_come_leaves_its_fact_unknown() -> None:
    ended = sources(term("granted", ends="2026-04-30"))
    assert status(ended, "2026-04-30") == ("granted", "2026-04-30")
    assert status(ended, "2026-05-01") == (None, None)
    to_come = sources(term("granted", begins="2026-05-02"))
    assert status(to_come, "2026-05-01") == (None, "2026-05-02")
    assert status(to_come, "2026-05-02") == ("granted", "2026-05-02")


def test_one_term_follows_another() -> None:
    both = sources(term("consult_first", ends="2026-04-30"), term("granted", begins="2026-05-02"))
    days = ("2026-04-30", "2026-05-01", "2026-05-02")
    assert [status(both, day)[0] for day in days] == ["consult_first", None, "granted"]


def test_an_item_of_an_unknown_source_has_no_consent_that_is_known() -> None:
    facts, until = source_facts({}, STATED, "2026-05-01")
    assert facts == {"item.source": "club", "item.sgbv": True}
    assert until is None


def test_an_item_without_a_source_keeps_what_was_stated() -> None:
    stated = {path: fact for path, fact in STATED.items() if path != "item.source"}
    assert source_facts(sources(GRANTED), stated, "2026-05-01") == (stated, None)


@pytest.mark.parametrize(("ordered", "stands"), [("refused", None), ("granted", "granted")])
def test_where_an_amendment_and_a_term_differ_the_fact_is_unknown(
    ordered: str, stands: str | None
) -> None:
    amended = frozenset({"item.consent.status", "item.sgbv"})
    facts, _ = source_facts(
        sources(GRANTED), {**STATED, "item.consent.status": ordered}, "2026-05-01", amended
    )
    assert facts.get("item.consent.status") == stands
    assert facts["item.sgbv"] is True, "no term speaks of it"


def test_an_amendment_that_takes_a_fact_away_makes_it_unknown() -> None:
    stated = {path: fact for path, fact in STATED.items() if path != "item.consent.status"}
    amended = frozenset({"item.consent.status"})
    facts, _ = source_facts(sources(GRANTED), stated, "2026-05-01", amended)
    assert "item.consent.status" not in facts


def test_the_shipped_sources_are_read_with_the_register() -> None:
    register = load_register(FILES, POLICY.vocabulary)
    assert len(register.sources) == 4
    for source, terms in register.sources.items():
        assert all(one.evidence and one.valid_to for one in terms), source
    facts: dict[str, Fact] = {"item.source": "xh-police"}
    for today, approved in (("2026-05-01", {"XA"}), ("2028-01-01", {"XA", "XB"})):
        said, _ = source_facts(register.sources, facts, today)
        assert said["item.originator_approved"] == frozenset(approved)


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("source: club", "source: clubs", ":1", "sources/clubs.yaml"),
        ("name: A club", "nam: A club", ":2", "'name'"),
        ("name: A club", "name: 5", ":2", "text"),
        ("status", "statos", ":4", "item.consent.status"),
        ("value: granted", "value: grant", ":4", "'granted'"),
        ("evidence: a form", "evidense: a form", ":4", "'evidence'"),
        (", evidence: a form", "", ":4", "evidence"),
        ("item.consent.status, value: granted", "item.sgbv, value: false", ":4", "a source has"),
        ("evidence: a form", "evidence: a form, valid_to: soon", ":4", "date"),
        (
            "evidence: a form",
            "evidence: a form, valid_from: 2026-05-02, valid_to: 2026-05-01",
            ":4",
            "before it begins",
        ),
        ("terms:\n", f"terms:\n{GRANTED}", ":5", "same days"),
        ("terms:\n", "terms:\n" + term("granted", ends="2026-05-01"), ":5", "same days"),
        ("terms:\n", "terms:\n" + term("granted", begins="2026-05-01"), ":5", "same days"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_place(
    old: str, new: str, place: str, says: str
) -> None:
    text = HEAD + GRANTED
    assert old in text
    with pytest.raises(MalformedError) as refused:
        load_sources({"sources/club.yaml": text.replace(old, new, 1).encode()}, POLICY.vocabulary)
    assert f"sources/club.yaml{place}" in str(refused.value)
    assert says in str(refused.value)


def test_terms_on_the_same_days_are_refused_in_either_order() -> None:
    early = term("granted", begins="2026-01-01", ends="2026-05-01")
    late = term("refused", begins="2026-05-01", ends="2026-09-01")
    for pair in ((early, late), (late, early)):
        with pytest.raises(MalformedError, match="same days"):
            sources(*pair)
    sources(early, term("refused", begins="2026-05-02"))
    sources(term("refused", begins="2026-05-02"), early)
