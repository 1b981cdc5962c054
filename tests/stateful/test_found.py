"""What the random lives found, each told as a story of its own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange.parties import Role
from gateway.exchange.rfa_acts import RecordRfa
from gateway.exchange.rfa_messages import About
from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.kernel.ids import new_id
from gateway.workflows import request, rfa, waiting
from tests import reconcile
from tests.stateful import steps
from tests.stateful.driver import Driver, driving
from tests.world import PLAIN, build_world


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    world = build_world(tmp_path, ("xa", "xb"))
    world.add_staff("officer2", Role.RFA_OFFICER)
    world.sign(4000)
    with driving(world) as made:
        yield made
        reconcile.check(made.gateway)


def admitted(driver: Driver, who: str = "xa") -> str:
    name = steps.submit(driver, who, steps.wanted("inv-1"))
    steps.register(driver, "officer", name, "R-1")
    steps.assess(driver, "officer", name)
    return name


def answered(driver: Driver) -> tuple[str, str]:
    """An RFA of xa with a share released in answer to it, not yet pulled."""
    name = admitted(driver)
    item = str(steps.deposit_item(driver, "sharer", b"evidence", dict(PLAIN))["item"])
    package = steps.package(driver, "sharer", [item], rfa_id=name, case="inv-1")
    share = str(steps.offer(driver, "sharer", package, driver.party("xa"))["share"])
    steps.release_share(driver, "releaser", share)
    return name, share


def on_paper(driver: Driver, **wanted: Any) -> str:
    scan = str(steps.deposit_item(driver, "sharer", b"a scan", dict(PLAIN))["item"])
    asked, party = steps.wanted("inv-1", **wanted), driver.party("xa")
    return steps.record(driver, "officer", party, asked, scan, "P-1")


def test_an_rfa_from_paper_is_unknown_to_its_authority_until_a_second_person_confirmed_it(
    driver: Driver,
) -> None:
    name = on_paper(driver)
    assert driver.read("xa", "/v1/rfas", request.listed) == {"rfas": []}
    with pytest.raises(NotFoundError):
        driver.read("xa", "/", request.show, name)
    with pytest.raises(NotFoundError):
        driver.message("xa", name, About.WITHDRAWAL)
    steps.confirm(driver, "officer2", name)
    assert driver.read("xa", "/", request.show, name)["origin"] == "paper"


def test_an_rfa_that_was_struck_stays_unknown_to_its_authority(driver: Driver) -> None:
    name = on_paper(driver)
    steps.strike(driver, "officer", name)
    with pytest.raises(NotFoundError):
        driver.read("xa", "/", request.show, name)
    assert driver.read("xa", "/v1/rfas", request.listed) == {"rfas": []}


def test_closing_a_withdrawn_rfa_brings_nothing_back(driver: Driver) -> None:
    name, share = answered(driver)
    driver.message("xa", name, About.WITHDRAWAL)
    with pytest.raises(ConflictError, match="suspended"):
        driver.pull_range("xa", share, 0, 0)
    steps.close(driver, "officer", name)
    with pytest.raises(ConflictError, match="suspended"):
        driver.pull_range("xa", share, 0, 0)


def test_closing_an_answered_rfa_lets_its_shares_be_pulled(driver: Driver) -> None:
    name, share = answered(driver)
    steps.answer(driver, "officer", name, "packages", [share])
    steps.close(driver, "officer", name)
    assert driver.pull_range("xa", share, 0, 0) > 0


def test_an_rfa_taken_up_again_passes_admissibility_anew(driver: Driver) -> None:
    name, share = answered(driver)
    driver.message("xa", name, About.WITHDRAWAL)
    steps.reopen(driver, "officer", name)
    with pytest.raises(ConflictError, match="suspended"):
        driver.pull_range("xa", share, 0, 0)
    steps.assess(driver, "officer", name)
    assert driver.pull_range("xa", share, 0, 0) > 0


def test_an_rfa_id_from_paper_is_not_taken_twice(driver: Driver) -> None:
    name = on_paper(driver)
    with pytest.raises(ConflictError, match="is there already"):
        driver.message("xb", name, About.REQUEST, wanted=steps.wanted("inv-1"))
    act = RecordRfa(
        new_id("stp"), name, driver.party("xb"), steps.wanted("inv-1"),
        str(steps.deposit_item(driver, "sharer", b"scan", dict(PLAIN))["item"]),
        "2026-01-01", "P-2", "2027-01-01",
    )  # fmt: skip
    with pytest.raises(ConflictError, match="is there already"):
        driver.act("officer", "/v1/rfas/paper", act, rfa.record)
    assert reconcile.check(driver.gateway)["refused"] == 2


def test_a_supplementary_rfa_from_paper_is_of_its_parents_investigation(driver: Driver) -> None:
    parent = steps.submit(driver, "xa", steps.wanted("inv-9"))
    with pytest.raises(ConflictError, match="same investigation"):
        on_paper(driver, parent=parent)


def test_a_refusal_does_not_tell_an_authority_how_far_the_review_has_come(driver: Driver) -> None:
    name = admitted(driver)
    steps.ask(driver, "officer", name)
    driver.message("xa", name, About.WITHDRAWAL)
    with pytest.raises(ConflictError) as refusal:
        driver.message("xa", name, About.INFORMATION)
    assert str(refusal.value) == (
        "cannot inform an RFA that is withdrawn; nothing more can be added to it"
    )


def test_an_authority_that_left_the_directory_does_not_stop_the_approvers(driver: Driver) -> None:
    item = str(steps.deposit_item(driver, "sharer", b"x", {**PLAIN, "item.sgbv": True})["item"])
    package = steps.package(driver, "sharer", [item])
    for who in ("xa", "xb"):
        assert steps.offer(driver, "sharer", package, driver.party(who))["state"] == "held"
    (driver.world.directory / "parties" / "xb-prosecutor.json").unlink()
    driver.world.sign(4000)
    assert driver.reload() == []
    queue: Any = driver.read("legal", "/v1/approvals", waiting.approvals)
    assert [one["recipient"] for one in queue["held"]] == [driver.party("xa")]
    told: Any = waiting.status(driver.gateway)
    assert len(told["shares"]) == 2


def test_a_directory_comes_into_force_by_the_gateways_own_clock(tmp_path: Path) -> None:
    """Orders are judged by the directory of their time: both must be told by one clock."""
    begins = datetime.now(UTC) - timedelta(days=900)
    world = build_world(tmp_path, ("xa",), begins=begins, days=2000)
    world.sign(4000)
    with driving(world, begins + timedelta(hours=1)) as driver:
        driver.pass_time(days=100)
        name, share = answered(driver)
        world.sign(4000, driver.now)
        driver.pass_time(days=100)
        assert driver.reload() == []
        assert driver.gateway.directory_at(driver.now - timedelta(days=50)).number == 2
        assert driver.gateway.directory_at(driver.now).number == 3
        assert driver.pull_range("xa", share, 0, 0) > 0
        reconcile.check(driver.gateway)
