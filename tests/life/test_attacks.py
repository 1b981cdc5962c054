"""Sets that must not come into force: each is refused whole, with file and line where it has one."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from gateway.client import authors, ceremony
from gateway.exchange.parse import plain
from gateway.exchange.parties import Party, Role, Status, Use
from gateway.exchange.policy_sets import TYP, Cases
from gateway.kernel.errors import ConflictError, ForbiddenError, GatewayError, QuarantinedError
from gateway.kernel.signing import sign
from gateway.store import tables
from tests.life.steps import (
    EXTRA,
    activate,
    add_key,
    author,
    change_mechanism,
    extra,
    forge,
    harmless,
    in_folder,
    put,
    refused_both_ways,
    rule,
)
from tests.stateful.driver import Driver
from tests.world import ANY_RULES, World, any_rules

SGBV = "{eq: [item.sgbv, true]}"
CONTENT = {
    "a typo in a narrowing key": (rule(SGBV, "  valid_form: 2027-01-01\n"), 8, "valid_from"),
    "an unknown attribute": (rule("{eq: [item.sgbw, true]}"), 7, "item.sgbv"),
    "a key twice": (rule(SGBV, "  effect: permit\n"), 8, "stands twice"),
    "an anchor bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nrules: [*b, *b]\n", 1, "anchors"),
    "a literal outside its domain": (
        rule("{eq: [item.consent.status, grantid]}"), 7, "did you mean 'granted'",
    ),
    "an unknown operator": (rule("{equal: [item.sgbv, true]}"), 7, "unknown"),
    "a permit with an unknown effect": (rule(SGBV).replace("deny", "alow"), 3, "alow"),
    "an unreadable file": ("rules: [\n", 2, ""),
}  # fmt: skip


@pytest.mark.parametrize("attack", CONTENT)
def test_a_set_that_two_authors_signed_unread_is_refused_with_file_and_line(
    attacked: Driver, attack: str
) -> None:
    text, line, hint = CONTENT[attack]
    (attacked.world.policy / EXTRA).write_text(text)
    forge(attacked.world)
    refused_both_ways(attacked, f"{EXTRA}:{line}: ")
    (said,) = attacked.reload()
    assert hint in said


@pytest.mark.parametrize("attack", CONTENT)
def test_the_authors_tool_signs_no_such_set(attacked: Driver, attack: str) -> None:
    (attacked.world.policy / EXTRA).write_text(CONTENT[attack][0])
    with pytest.raises(GatewayError, match=EXTRA):
        attacked.world.sign_policy()


def unsigned(world: World) -> str:
    for name in (authors.MANIFEST, authors.SIGNATURE):
        (world.policy / name).unlink()
    return "not signed: two authors run gateway policy sign"


def no_signature(world: World) -> str:
    harmless(world)
    world.sign_policy()
    (world.policy / authors.SIGNATURE).unlink()
    return "not signed: two authors run gateway policy sign"


def one_author(world: World) -> str:
    forge(world, author(world, "author1"))
    return "signed by 1 author in force and needs 2"


def one_author_twice(world: World) -> str:
    forge(world, author(world, "author1"), author(world, "author1"))
    return "signed by 1 author in force and needs 2"


def one_author_with_two_keys(world: World) -> str:
    forge(world, author(world, "author1"), add_key(world, "author1"))
    return "signed by 1 author in force and needs 2"


def a_revoked_key(world: World) -> str:
    forge(world, author(world, "author1"), add_key(world, "author2", status=Status.REVOKED))
    return "signed by 1 author in force and needs 2"


def a_retired_key(world: World) -> str:
    forge(world, author(world, "author1"), add_key(world, "author2", status=Status.RETIRED))
    return "signed by 1 author in force and needs 2"


def an_expired_key(world: World) -> str:
    forge(world, author(world, "author1"), add_key(world, "author2", term=(-9, -2)))
    return "signed by 1 author in force and needs 2"


def a_key_that_has_not_begun(world: World) -> str:
    forge(world, author(world, "author1"), add_key(world, "author2", term=(2, 9)))
    return "signed by 1 author in force and needs 2"


def a_key_of_another_use(world: World) -> str:
    forge(world, author(world, "author1"), add_key(world, "author2", use=Use.MESSAGE))
    return "signed by 1 author in force and needs 2"


def a_person_without_the_role(world: World) -> str:
    forge(world, author(world, "author1"), add_key(world, "legal"))
    return "signed by 1 author in force and needs 2"


def a_service_with_the_role(world: World) -> str:
    world._member("mechanism", "A robot", (Role.POLICY_AUTHOR,), "robot", person=False)
    forge(world, author(world, "author1"), add_key(world, "robot"))
    return "signed by 1 author in force and needs 2"


def an_author_of_an_authority(world: World) -> str:
    roles = (Role.OFFICER, Role.POLICY_AUTHOR)
    world._member("xa-prosecutor", "A stranger", roles, "stranger", person=True)
    world.sign(days=3000)
    forge(world, author(world, "author1"), author(world, "stranger"))
    return "signed by 1 author in force and needs 2"


def an_author_who_was_dismissed(world: World) -> str:
    actor = next(
        m.id
        for m in ceremony.find_party(world.directory, "mechanism").members
        if m.name == "Person author2"
    )

    def without(party: Party) -> Party:
        members = (replace(m, roles=()) if m.id == actor else m for m in party.members)
        return replace(party, members=tuple(members))

    forge(world)
    change_mechanism(world, without)
    return "signed by 1 author in force and needs 2"


def nobody_of_the_directory(world: World) -> str:
    forge(world, *(add_key(world, "legal") for _ in range(2)))
    return "no policy author's signature holds"


def signatures_of_another_type(world: World) -> str:
    forge(world, typ="eg-directory")
    return "no policy author's signature holds"


def a_broken_signature(world: World) -> str:
    made = forge(world)
    other = sign(TYP, plain(made), author(world, "author1"), author(world, "author2"))
    put(world, made, other.replace(b'"signature":"', b'"signature":"A', 1)[:-1] + b"}")
    return ""


def signatures_of_another_manifest(world: World) -> str:
    first = authors.read_signed(world.policy)[1]
    put(world, forge(world), first)
    return "the signatures are of another policy manifest"


def another_spelling(world: World) -> str:
    forge(world)
    path = world.policy / authors.MANIFEST
    path.write_bytes(path.read_bytes().replace(b'{"analysis"', b'{ "analysis"'))
    return "a policy manifest is canonical JSON"


def a_file_more(world: World) -> str:
    harmless(world)
    world.sign_policy()
    (world.policy / "rules" / "98-more.yaml").write_text("rules: []\n")
    return "rules/98-more.yaml was not signed"


def a_file_less(world: World) -> str:
    harmless(world)
    world.sign_policy()
    (world.policy / EXTRA).unlink()
    return f"{EXTRA} was signed and is missing"


def a_file_changed_after_signing(world: World) -> str:
    harmless(world)
    world.sign_policy()
    extra(world, "{eq: [item.sgbv, false]}")
    return f"{EXTRA} is not the file that was signed"


def the_same_number_with_other_content(world: World) -> str:
    harmless(world)
    forge(world, number=1)
    return "policy set 1 is in force: a new one has a higher number, and this is 1"


def a_wrong_predecessor(world: World) -> str:
    harmless(world)
    forge(world, supersedes="7" * 64)
    return "the set supersedes another one than is in force (policy set 1, "


def no_predecessor(world: World) -> str:
    harmless(world)
    forge(world, supersedes=None)
    return "the set supersedes another one than is in force"


def other_rules_than_stated(world: World) -> str:
    harmless(world)
    forge(world, policy="7" * 64)
    return "the manifest does not state what its files say"


def other_cases_than_stated(world: World) -> str:
    forge(world, cases=Cases(7000, 7000))
    return "the manifest does not state what its files say"


def another_engine(world: World) -> str:
    forge(world, engine="1")
    return "was signed for engine 1"


def a_case_that_fails(world: World) -> str:
    any_rules(world.policy, ANY_RULES.replace("deny", "permit"))
    forge(world, cases=Cases(1, 1))
    return ".yaml:3: case silence: outcome is deny, expected permit"


def no_case(world: World) -> str:
    for path in (world.policy / "tests").glob("*.yaml"):
        path.unlink()
    forge(world)
    return "tests/: a set has at least one case"


def a_bomb(world: World) -> str:
    for n in range(3):
        (world.policy / f"{n}.yaml").write_text("# " + "x" * (900 << 10) + "\nx: 1\n")
    forge(world)
    return "at most 2097152 bytes together"


ATTACKS: list[Callable[[World], str]] = [
    unsigned, no_signature, one_author, one_author_twice, one_author_with_two_keys, a_revoked_key,
    a_retired_key, an_expired_key, a_key_that_has_not_begun, a_key_of_another_use,
    a_person_without_the_role, a_service_with_the_role, an_author_of_an_authority,
    an_author_who_was_dismissed, nobody_of_the_directory, signatures_of_another_type,
    a_broken_signature, signatures_of_another_manifest, another_spelling, a_file_more, a_file_less,
    a_file_changed_after_signing,
    the_same_number_with_other_content, a_wrong_predecessor, no_predecessor,
    other_rules_than_stated, other_cases_than_stated, another_engine, a_case_that_fails, no_case,
    a_bomb,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_set_that_is_not_sound_is_refused_and_the_old_one_stays(
    attacked: Driver, attack: Callable[[World], str]
) -> None:
    refused_both_ways(attacked, attack(attacked.world))


def test_a_gateway_starts_with_its_old_set_whatever_lies_in_the_folder(driver: Driver) -> None:
    unsigned(driver.world)
    driver.restart()
    assert (driver.gateway.sets.number, driver.gateway.sets.policy is None) == (1, False)
    assert "not signed" in driver.gateway.refused["policy"]


def test_an_old_set_does_not_come_back_in_the_folder_nor_by_order(driver: Driver) -> None:
    world = driver.world
    first = {path: path.read_bytes() for path in world.policy.rglob("*") if path.is_file()}
    harmless(world)
    world.sign_policy()
    assert activate(driver)["number"] == 2
    (world.policy / EXTRA).unlink()
    for path, data in first.items():
        path.write_bytes(data)
    refused_both_ways(
        driver, "policy set 2 is in force: a new one has a higher number, and this is 1"
    )
    driver.restart()
    assert driver.gateway.sets.number == 2, "nor does a restart bring it back"


def test_the_set_in_force_with_a_word_added_is_not_the_set_in_force(driver: Driver) -> None:
    path = driver.world.policy / "vocabulary.yaml"
    path.write_text(path.read_text() + "# a word\n")
    refused_both_ways(
        driver,
        "vocabulary.yaml is not the file that was signed",
        by_order="this very policy set is in force already",
    )


def test_the_number_of_the_order_is_the_manifests(driver: Driver) -> None:
    harmless(driver.world)
    driver.world.sign_policy()
    with pytest.raises(GatewayError, match="the manifest is of another number"):
        activate(driver, number=3)


@pytest.mark.parametrize("who", ["sharer", "legal", "auditor"])
def test_who_may_not_activate_does_not(driver: Driver, who: str) -> None:
    harmless(driver.world)
    driver.world.sign_policy()
    with pytest.raises(ForbiddenError, match="head_of_mechanism, head_of_sharing, policy_author"):
        activate(driver, who)


def test_nothing_comes_into_force_in_quarantine(driver: Driver) -> None:
    harmless(driver.world)
    driver.world.sign_policy()
    driver.gateway.quarantine = "the copy says otherwise"
    with pytest.raises(QuarantinedError):
        activate(driver)
    assert driver.reload() == ["nothing is accepted in quarantine: the copy says otherwise"]
    assert driver.gateway.sets.number == 1
    driver.gateway.quarantine = None
    assert driver.reload() == []
    assert driver.gateway.sets.number == 2


def test_nothing_comes_into_force_by_a_directory_that_is_out_of_date(driver: Driver) -> None:
    harmless(driver.world)
    driver.world.sign_policy()
    driver.pass_time(days=3001)
    assert driver.reload() == ["the directory has expired: a new set must be signed first"]


def test_every_refusal_is_in_the_ledger_and_the_same_one_in_the_folder_once(
    driver: Driver,
) -> None:
    harmless(driver.world)
    forge(driver.world, supersedes="7" * 64)

    def entries() -> int:
        with driver.gateway.engine.connect() as conn:
            return len(conn.execute(select(tables.entries.c.idx)).all())

    before = entries()
    driver.reload()
    assert entries() == before + 1
    driver.reload()
    assert entries() == before + 1
    with pytest.raises(ConflictError):
        activate(driver)
    assert entries() == before + 2
    assert in_folder(driver.world).number == 2
