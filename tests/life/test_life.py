"""A set's life: signed by one author and another, looked at, signed off, in force, kept, and gone back from."""

import shutil
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, delete, text, update

from gateway import settings
from gateway.client import authors, ceremony, policies
from gateway.exchange.acts import PreviewPolicy, SignOffPolicy
from gateway.exchange.parties import Role
from gateway.exchange.policy_sets import Analysis, manifest_bytes
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    GatewayError,
    MalformedError,
    NotFoundError,
    UnavailableError,
    VerificationError,
)
from gateway.kernel.ids import new_id
from gateway.kernel.signing import KeySigner, thumbprint
from gateway.policy import load_files
from gateway.policy.replay import differences
from gateway.store import tables
from gateway.workflows import policy_preview, policy_replay, policy_sets
from tests import reconcile
from tests.life.steps import (
    EXTRA,
    activate,
    add_key,
    author,
    extra,
    forge,
    harmless,
    in_folder,
    order_of,
)
from tests.stateful import steps
from tests.stateful.driver import Driver
from tests.world import World

STOP = "{eq: [item.sgbv, false]}"  # what was released in these tests


def preview(driver: Driver, who: str = "legal", *, signed: bool = True) -> dict[str, Any]:
    found = policies.texts(driver.world.policy)
    order = order_of(driver.world)
    manifest, signature = (order.manifest, order.signature) if signed else ("", "")
    act = PreviewPolicy(manifest, signature, found)
    return driver.act(who, "/v1/policy/preview", act, policy_preview.preview)


def sign_off(driver: Driver, who: str, seen: dict[str, Any]) -> None:
    act = SignOffPolicy(new_id("sgn"), seen["manifest"], seen["flips_digest"])
    driver.act(who, "/v1/policy/signoffs", act, policy_replay.sign_off)


def stopped(driver: Driver) -> None:
    """Put a set into force that stops what was released."""
    extra(driver.world, STOP)
    driver.world.sign_policy(untested=True)
    assert activate(driver)["number"] == 2


def back(world: World) -> None:
    """Take that rule away again, and sign."""
    (world.policy / EXTRA).unlink()
    world.sign_policy()


def test_a_set_comes_into_force_by_order_and_shares_follow_it(driver: Driver) -> None:
    extra(driver.world, STOP)
    made = driver.world.sign_policy(untested=True)
    seen = preview(driver)
    assert (seen["number"], seen["manifest"], seen["problems"]) == (2, made.digest, [])
    assert len(seen["signers"]) == 2
    told = {(f["before"], f["after"], *f["rules"], f["product"]) for f in seen["flips"]}
    assert told == {("permit", "deny", "test.extra", "evidence")}
    assert {f["jurisdiction"]: f["count"] for f in seen["flips"]} == {"XA": 2, "XB": 1}
    done = activate(driver)
    assert (done["number"], done["manifest"], len(done["signers"])) == (2, made.digest, 2)
    assert driver.gateway.sets.number == 2
    with driver.gateway.engine.connect() as conn:
        assert {row.suspended for row in conn.execute(tables.suspensions.select())} == {True}
    assert policy_sets.listed(driver.gateway)["in_force"] == 2
    shown: Any = policy_sets.shown(driver.gateway, 2)
    assert shown["files"] == policies.texts(driver.world.policy)
    reconcile.check(driver.gateway)


def test_the_same_order_sent_again_is_answered_again_and_nobody_elses_is(driver: Driver) -> None:
    harmless(driver.world)
    driver.world.sign_policy()
    first = activate(driver)
    assert activate(driver) == first
    with pytest.raises(ConflictError, match="used for something else"):
        activate(driver, "author2")
    assert driver.reload() == []


def test_what_turns_to_permit_is_signed_off_by_somebody_else(driver: Driver) -> None:
    world = driver.world
    world.add_staff("lawyer", Role.LEGAL_ADVISER, Role.POLICY_AUTHOR)
    world.sign(days=3000)
    assert driver.reload() == []
    stopped(driver)
    (world.policy / EXTRA).unlink()
    world.sign_policy("author1", "lawyer")
    needs = "would turn to permit: a legal adviser or the head of the mechanism"
    (said,) = driver.reload()
    assert needs in said
    with pytest.raises(ConflictError, match=needs):
        activate(driver)
    seen = preview(driver)
    assert any(needs in problem for problem in seen["problems"])
    assert {flip["after"] for flip in seen["flips"]} == {"permit"}
    sign_off(driver, "lawyer", seen)
    with pytest.raises(ConflictError, match=needs):
        activate(driver)  # she is one of the authors
    with pytest.raises(ForbiddenError, match="head_of_mechanism, legal_adviser"):
        sign_off(driver, "author2", seen)
    sign_off(driver, "legal", {**seen, "flips_digest": "7" * 64})
    sign_off(driver, "legal", {**seen, "manifest": "7" * 64})
    with pytest.raises(ConflictError, match=needs):
        activate(driver)  # of another set, and of other flips
    sign_off(driver, "legal", seen)
    assert len(preview(driver)["signed_off"]) == 2
    assert activate(driver)["number"] == 3
    assert policy_sets.listed(driver.gateway)["in_force"] == 3
    reconcile.check(driver.gateway)


def test_who_activates_a_set_does_not_sign_it_off(driver: Driver) -> None:
    driver.world.add_staff("chief", Role.HEAD_OF_MECHANISM)
    driver.world.sign(days=3000)
    assert driver.reload() == []
    stopped(driver)
    back(driver.world)
    sign_off(driver, "chief", preview(driver, "chief"))
    with pytest.raises(ConflictError, match="who neither signed the set nor activates it"):
        activate(driver, "chief")
    assert activate(driver, "author1")["number"] == 3


def test_a_sign_off_by_who_left_counts_no_more(driver: Driver) -> None:
    driver.world.add_staff("chief", Role.HEAD_OF_MECHANISM)
    driver.world.sign(days=3000)
    assert driver.reload() == []
    stopped(driver)
    back(driver.world)
    sign_off(driver, "chief", preview(driver, "chief"))
    path = driver.world.directory / "parties" / "mechanism.json"
    path.write_text(path.read_text().replace("head_of_mechanism", "compliance"))
    driver.world.sign(days=3000)
    assert len(driver.reload()) == 1
    assert driver.gateway.sets.number == 2


def test_a_change_on_file_about_a_state_shows_in_the_replay(driver: Driver) -> None:
    path = driver.world.policy / "jurisdictions" / "xa.yaml"
    was, becomes = "recipient.competent, value: true", "recipient.competent, value: false"
    assert was in path.read_text()
    path.write_text(path.read_text().replace(was, becomes))
    driver.world.sign_policy()
    flips = preview(driver)["flips"]
    assert [(f["after"], f["jurisdiction"]) for f in flips] == [("deny", "XA")]
    assert driver.reload() == []


def test_a_folder_that_nobody_signed_can_be_replayed(driver: Driver) -> None:
    extra(driver.world, STOP)
    seen = preview(driver, "auditor", signed=False)
    assert seen["problems"] == ["the set is not signed: two authors run gateway policy sign"]
    assert (seen["manifest"], seen["decisions"], len(seen["flips"])) == (None, 3, 2)
    with pytest.raises(MalformedError, match=f"{EXTRA}:7"):
        extra(driver.world, "{eq: [item.sgbw, 1]}")
        preview(driver, signed=False)
    with pytest.raises(ForbiddenError):
        preview(driver, "sharer")


def test_the_set_in_force_is_replayed_on_what_was_decided_by_others(driver: Driver) -> None:
    stopped(driver)
    seen = driver.act("auditor", "/v1/policy/preview", PreviewPolicy(), policy_preview.preview)
    assert {flip["after"] for flip in seen["flips"]} == {"deny"}
    driver.gateway.sets = replace(driver.gateway.sets, policy=None)
    with pytest.raises(ConflictError, match="no policy set is in force"):
        driver.act("auditor", "/v1/policy/preview", PreviewPolicy(), policy_preview.preview)


def test_a_preview_says_everything_that_is_missing(driver: Driver) -> None:
    stopped(driver)
    (driver.world.policy / EXTRA).unlink()
    forge(driver.world, supersedes="7" * 64)
    said = preview(driver)["problems"]
    assert "supersedes another one" in said[0]
    assert "turn to permit" in said[1]
    forge(driver.world, author(driver.world, "author1"))
    assert preview(driver)["problems"][0].startswith("the policy set is signed by 1 author")


# --- what is kept -----------------------------------------------------------------------------------
def test_a_set_in_force_needs_no_folder_and_outlives_its_authors_keys(driver: Driver) -> None:
    harmless(driver.world)
    driver.world.sign_policy()
    activate(driver)
    for who in ("author1", "author2"):
        folder = driver.world.folder(who)
        kid = thumbprint(author(driver.world, who).public_key)
        ceremony.revoke(driver.world.directory, kid)
        assert folder.exists()
    driver.world.sign(days=3000)
    shutil.rmtree(driver.world.policy)
    driver.restart()
    assert driver.gateway.sets.number == 2
    assert driver.gateway.refused == {"policy": "the policy folder is not signed: two authors run "
                                                "gateway policy sign"}  # fmt: skip


def _unguard(conn: Connection, table: str) -> None:
    """Take the guards of an append-only table away."""
    query = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t")
    for row in conn.execute(query, {"t": table}).all():
        conn.execute(text(f"DROP TRIGGER {row.name}"))


def _rewrite(driver: Driver, column: str, old: bytes, new: bytes) -> None:
    """Change what is kept of the newest set, as one who owns the database could."""
    with driver.gateway.engine.begin() as conn:
        table = tables.policy_bundles
        _unguard(conn, table.name)
        (row,) = conn.execute(table.select())
        kept = getattr(row, column)
        assert old in kept
        conn.execute(update(table).values({column: kept.replace(old, new, 1)}))


@pytest.mark.parametrize(
    ("column", "old", "new"),
    [
        ("files", b"consent.refused", b"consent.granted"),
        ("manifest", b'"signature":"', b'"signature":"A'),
        ("manifest", b'{"payload":"ey', b'{"payload":"ex'),
    ],
)
def test_a_kept_set_that_is_not_what_was_signed_is_not_used(
    driver: Driver, column: str, old: bytes, new: bytes
) -> None:
    _rewrite(driver, column, old, new)
    shutil.rmtree(driver.world.policy)
    driver.restart()
    assert driver.gateway.sets.policy is None
    assert set(driver.gateway.refused) == {"kept", "policy"}
    with pytest.raises(UnavailableError, match="everything is denied"):
        _offer(driver)


def _offer(driver: Driver) -> None:
    with driver.gateway.engine.connect() as conn:
        package = str(conn.execute(tables.packages.select()).first().id)  # type: ignore[union-attr]
    steps.offer(driver, "sharer", package, driver.party("xa"))


def test_a_gateway_that_never_had_a_set_denies_everything_until_one_is_signed(
    driver: Driver,
) -> None:
    with driver.gateway.engine.begin() as conn:
        for name in ("policy_bundles", "policy_sets"):
            _unguard(conn, name)
            conn.execute(delete(tables.metadata.tables[name]))
    for name in (authors.MANIFEST, authors.SIGNATURE):
        (driver.world.policy / name).unlink()
    driver.restart()
    assert driver.gateway.sets.policy is None
    with pytest.raises(UnavailableError, match="everything is denied"):
        _offer(driver)
    driver.world.sign_policy()
    assert driver.reload() == []
    assert driver.gateway.sets.number == 1


def test_a_set_from_before_sets_were_signed_is_followed_by_a_higher_number(driver: Driver) -> None:
    """Then sets had numbers and no files: the first signed one follows nothing, and is no number again."""
    with driver.gateway.engine.begin() as conn:
        _unguard(conn, "policy_bundles")
        conn.execute(delete(tables.policy_bundles))
    driver.restart()
    assert (
        "policy set 1 is in force: a new one has a higher number"
        in driver.gateway.refused["policy"]
    )
    for name in (authors.MANIFEST, authors.SIGNATURE):
        (driver.world.policy / name).unlink()
    for who in ("author1", "author2"):
        stated = driver.world.stated()
        one = author(driver.world, who)
        made = authors.draft(driver.world.policy, one, driver.now, number=2, analysis=stated)
        authors.keep(driver.world.policy, made)
    assert driver.reload() == []
    assert driver.gateway.sets.number == 2
    with pytest.raises(NotFoundError, match="kept with its files"):
        policy_sets.shown(driver.gateway, 1)


# --- recorded decisions -----------------------------------------------------------------------------
def test_every_recorded_decision_comes_out_the_same_by_the_set_of_its_time(driver: Driver) -> None:
    stopped(driver)
    with driver.gateway.engine.connect() as conn:
        rows = conn.execute(tables.decisions.select()).all()
    sets: Any = policy_sets.listed(driver.gateway)["sets"]
    files = {row["set"]: row["number"] for row in sets}
    seen = set()
    for row in rows:
        one: Any = policy_replay.decision(driver.gateway, row.digest)
        shown: Any = policy_sets.shown(driver.gateway, int(files[one["policy"]]))
        made = load_files({name: said.encode() for name, said in shown["files"].items()}).policy
        assert differences(made, one["decision"], one["facts"], one["at"][:10]) == []
        seen.add((one["stage"], one["policy"]))
    assert {stage for stage, _ in seen} >= {"propose", "change"}
    listed: Any = policy_replay.decisions_of(driver.gateway, rows[0].share)
    assert rows[0].digest in {one["digest"] for one in listed["decisions"]}
    with pytest.raises(NotFoundError):
        policy_replay.decision(driver.gateway, "7" * 64)
    with pytest.raises(NotFoundError):
        policy_replay.decisions_of(driver.gateway, new_id("shr"))


# --- the authors' tool ------------------------------------------------------------------------------
def draft(world: World, signer: KeySigner, **how: Any) -> authors.Draft:
    made = authors.draft(world.policy, signer, world._moment(), **how)
    authors.keep(world.policy, made)
    return made


def test_the_first_author_makes_the_manifest_and_the_second_signs_just_that(world: World) -> None:
    one, two = author(world, "author1"), author(world, "author2")
    old = in_folder(world)
    harmless(world)
    first = draft(world, one)
    assert (first.manifest.number, first.signatures) == (2, 1)
    assert (first.changed_rules, first.changed_files) == (("test.extra",), (EXTRA,))
    assert first.manifest.supersedes == hex_sha256(manifest_bytes(old))
    second = draft(world, two)
    assert (second.manifest, second.signatures) == (first.manifest, 2)
    assert draft(world, two).signatures == 2, "a second time is the same signature"


def test_a_draft_is_its_authors_until_another_has_signed(world: World) -> None:
    one, two = author(world, "author1"), author(world, "author2")
    harmless(world)
    draft(world, one)
    extra(world, "{eq: [item.sgbv, true]}", "  valid_to: 2002-01-01\n")
    with pytest.raises(VerificationError, match=f"{EXTRA} is not the file that was signed"):
        draft(world, two)
    again = draft(world, one)
    assert (again.manifest.number, again.signatures) == (2, 1), "the draft was never in force"
    draft(world, two)
    harmless(world)
    assert draft(world, one).manifest.number == 3
    draft(world, two)
    extra(world, "{eq: [item.sgbv, true]}", "  valid_to: 2003-01-01\n")
    instead = draft(world, one, again=True)
    assert (instead.manifest.number, instead.changed_rules) == (3, ("test.extra",))
    given = draft(world, one, number=9, supersedes="7" * 64, again=True)
    assert (given.manifest.number, given.manifest.supersedes) == (9, "7" * 64)


def test_a_manifest_that_says_what_is_not_so_gets_no_second_signature(world: World) -> None:
    harmless(world)
    forge(world, author(world, "author1"), policy="7" * 64)
    with pytest.raises(VerificationError, match="does not state what its files say"):
        draft(world, author(world, "author2"))
    forge(world, author(world, "author1"), analysis=Analysis(("never",), "proved"))
    with pytest.raises(VerificationError, match="proved that you cannot prove"):
        draft(world, author(world, "author2"), analysis=Analysis((), "nothing"))
    draft(world, author(world, "author2"))  # without a prover she takes the other's word
    with pytest.raises(ConflictError, match="signed as set 3 already"):
        draft(world, author(world, "author2"), number=4)


def test_a_folder_is_there_and_readable(world: World) -> None:
    with pytest.raises(MalformedError, match="no policy folder"):
        authors.read_files(world.root / "nowhere")
    (world.policy / "rules" / "é.yaml").write_text("rules: []\n")
    with pytest.raises(MalformedError, match="ASCII name"):
        draft(world, author(world, "author1"))
    (world.policy / "rules" / "é.yaml").rename(world.policy / "rules" / "e.yaml")
    (world.policy / "rules" / "e.yaml").write_bytes(b"\xff")
    with pytest.raises(MalformedError, match=r"e.yaml is not UTF-8"):
        policies.texts(world.policy)


def test_only_an_author_has_a_key_to_sign_with(world: World) -> None:
    with pytest.raises(MalformedError, match=r"policy\.key cannot be read"):
        author(world, "legal")
    assert add_key(world, "author1").public_key != author(world, "author1").public_key


def test_a_fetched_set_is_written_beside_the_manifest_that_is_in_force(driver: Driver) -> None:
    shown = policy_sets.shown(driver.gateway, 1)
    shown["in_force"] = shown["signed"]
    out = driver.world.root / "fetched"
    policies.write(out, shown)
    assert authors.read_files(out) == authors.read_files(driver.world.policy)
    assert authors.read_signed(out) == authors.read_signed(driver.world.policy)
    with pytest.raises(ConflictError, match="exists already"):
        policies.write(out, shown)
    with pytest.raises(MalformedError, match="relative path"):
        policies.write(
            driver.world.root / "evil", {"files": {"../../evil.yaml": "x: 1"}, "in_force": None}
        )
    assert issubclass(MalformedError, GatewayError)


def test_one_author_alone_never_changes_the_rules(world: World) -> None:
    path = world.instance / settings.FILE
    good = path.read_text()
    for threshold in ("0", "1", "17"):
        path.write_text(good.replace("policy_threshold = 2", f"policy_threshold = {threshold}"))
        with pytest.raises(MalformedError, match="policy_threshold is 2 to 16"):
            settings.read(world.instance)


def test_more_than_two_may_be_asked_for(driver: Driver) -> None:
    driver.world.add_staff("author3", Role.POLICY_AUTHOR)
    driver.world.sign(days=3000)
    assert driver.reload() == []
    path = driver.world.instance / settings.FILE
    path.write_text(path.read_text().replace("policy_threshold = 2", "policy_threshold = 3"))
    driver.restart()
    assert driver.gateway.sets.number == 1, "what is in force stays, whoever signed it then"
    harmless(driver.world)
    driver.world.sign_policy()
    assert "signed by 2 authors in force and needs 3" in driver.reload()[0]
    driver.world.sign_policy("author3")
    assert driver.reload() == []
    assert driver.gateway.sets.number == 2
