"""What must be removed or marked goes out only as an attested derivative, and a marked copy to one alone."""

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from gateway.client import audit
from gateway.exchange.acts import Relation, RelationKind
from gateway.exchange.parse import plain
from gateway.exchange.parties import Role
from gateway.kernel.encoding import canonical_json
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    UnavailableError,
    VerificationError,
)
from gateway.kernel.ids import new_id
from gateway.policy import explain_to_recipient
from gateway.store import derivatives, tables
from gateway.workflows.standing import decide_again
from tests.sharing.steps import (
    File,
    approve,
    deposited,
    derive,
    derived,
    made_from,
    offered,
    outcome,
    pull_status,
    suspended,
)
from tests.world import Running, World, recall, release, session

JSON = {"Content-Type": "application/json"}
WITNESS = ("witness_identity",)
SHOWN: dict[str, Any] = {"witness_protected": True}


async def witness(world: World) -> File:
    """Deposit a statement that shows a protected witness."""
    return await deposited(world, b"My name is Maria, and I saw it", **SHOWN)


async def item_of(world: World, file: File) -> dict[str, Any]:
    async with session(world, "auditor") as auditor:
        return dict((await auditor.get(f"/v1/items/{file.item}")).json())


def change(world: World, name: str, old: str, new: str) -> None:
    """Change a file of the policy set, and sign it."""
    path = world.instance / world.config.policy / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    world.sign_policy(untested=True)


def forget_marks(world: World) -> None:
    """Have the set call marks by another name, wherever it does, and sign it."""
    for path in world.policy.rglob("*.yaml"):
        path.write_text(path.read_text().replace("watermark:", "imprint:"))
    world.sign_policy(untested=True)


def want_marks(live: Running, mark: str = "visible") -> None:
    """Let the set in force want every item marked that shows a protected witness."""
    change(
        live.world,
        "rules/40-protection.yaml",
        "{redact: [witness_identity]}",
        f"{{watermark: {mark}}}",
    )
    assert live.reload() == []


# --- redaction --------------------------------------------------------------------------------------
async def test_the_original_never_goes_out_and_its_attested_redaction_does(live: Running) -> None:
    original = await witness(live.world)
    said = await offered(live.world, original)
    assert (said["state"], said["outcome"]) == ("denied", "deny")
    assert said["decision"]["outcome"] == "permit", "by the rules alone it could go"
    assert said["decision"]["unmet"] == {"redact": ["witness_identity"]}
    first, second, *_ = said["explanation"].splitlines()
    assert first.startswith("DENY (policy set ")
    assert second == "the rules alone say permit"
    assert "unmet: redact: witness_identity not removed" in said["explanation"]
    assert "gateway redact" in said["explanation"]
    made = await derived(live.world, original, WITNESS, **SHOWN)
    assert (await offered(live.world, original))["state"] == "denied", "the original still does not"
    both = await offered(live.world, made, original)
    assert (both["state"], both["decision"]["unmet"]) == (
        "denied", {"redact": ["witness_identity"]},
    )  # fmt: skip
    share = str((await offered(live.world, made))["share"])
    async with session(live.world, "releaser") as releaser:
        assert (await release(releaser, share))["state"] == "available"
    assert await pull_status(live.world, share) == "served"


async def test_only_what_was_attested_and_lost_the_right_thing_counts(live: Running) -> None:
    original = await witness(live.world)
    made = await made_from(live.world, original, WITNESS, **SHOWN)
    before = await offered(live.world, made)
    assert before["state"] == "denied", "nobody attested it"
    await derive(live.world, made)
    assert (await outcome(live.world, str(before["share"]))) == ("denied", "permit"), (
        "what was denied stays denied, and may be proposed again"
    )
    assert (await offered(live.world, made))["state"] == "proposed"
    other = await derived(live.world, original, ("location", "third_party"), **SHOWN)
    said = await offered(live.world, other)
    assert said["state"] == "denied"
    assert said["decision"]["unmet"] == {"redact": ["witness_identity"]}
    unknown = await deposited(live.world, b"who knows who is in it", witness_protected=None)
    assert (await offered(live.world, unknown))["state"] == "denied", "a precaution bites as well"


async def test_a_derivative_of_a_derivative_has_lost_what_its_parent_had(live: Running) -> None:
    change(
        live.world,
        "rules/40-protection.yaml",
        "{redact: [witness_identity]}",
        "{redact: [witness_identity, location, third_party]}",
    )
    assert live.reload() == []
    original = await witness(live.world)
    one = await derived(live.world, original, WITNESS, **SHOWN)
    two = await made_from(live.world, one, ("location",), **SHOWN)
    three = await derived(live.world, two, ("third_party",), **SHOWN)
    said = (await offered(live.world, three))["decision"]["unmet"]
    assert said == {"redact": ["location", "witness_identity"]}, "its parent is not attested yet"
    await derive(live.world, two)
    assert (await offered(live.world, three))["state"] == "proposed"
    assert (await item_of(live.world, three))["removed"] == [
        "location", "third_party", "witness_identity",
    ]  # fmt: skip


async def test_a_hold_stays_one_and_its_clearances_do_not_redact(live: Running) -> None:
    original = await deposited(live.world, b"what was done to her", sgbv=True, **SHOWN)
    assert (await offered(live.world, original))["state"] == "denied", "not held: nothing clears it"
    made = await derived(live.world, original, WITNESS, sgbv=True, **SHOWN)
    share = str((await offered(live.world, made))["share"])
    assert await outcome(live.world, share) == ("held", "hold")
    await approve(live.world, "legal", share, Role.LEGAL_ADVISER)
    done = await approve(live.world, "victims", share, Role.VICTIMS_UNIT)
    assert (done["state"], done["outcome"]) == ("proposed", "permit")


# --- marks ------------------------------------------------------------------------------------------
async def test_a_marked_copy_goes_to_its_recipient_and_to_nobody_else(live: Running) -> None:
    want_marks(live)
    original = await witness(live.world)
    assert (await offered(live.world, original))["decision"]["unmet"] == {"watermark": ["visible"]}
    copy = await derived(live.world, original, to="xa", **SHOWN)
    assert (await offered(live.world, copy))["state"] == "proposed"
    for other in ("xb", "xc"):  # xc is of the same state
        said = await offered(live.world, copy, to=other)
        assert said["state"] == "denied"
        assert "marked for another recipient" in said["decision"]["unmet"]["watermark"]
        assert live.world.party("xa") not in said["explanation"]


async def test_a_marked_copy_is_for_one_alone_even_where_no_rule_wants_a_mark(
    live: Running,
) -> None:
    original = await deposited(live.world, b"a plain note")
    copy = await derived(live.world, original, to="xa")
    assert (await offered(live.world, original, to="xb"))["state"] == "proposed"
    assert (await offered(live.world, copy))["state"] == "proposed"
    said = await offered(live.world, copy, to="xb")
    assert said["decision"]["unmet"] == {"watermark": ["marked for another recipient"]}
    forget_marks(live.world)
    assert live.reload() == []
    assert (await offered(live.world, copy, to="xb"))["state"] == "denied", (
        "not even under a set that knows no marks"
    )


async def test_marks_have_a_strictness_and_stay_in_what_is_made_from_a_copy(live: Running) -> None:
    want_marks(live, "forensic")
    original = await witness(live.world)
    mild = await derived(live.world, original, to="xa", mark="visible", **SHOWN)
    assert (await offered(live.world, mild))["decision"]["unmet"] == {"watermark": ["forensic"]}
    strict = await derived(live.world, mild, to="xa", mark="forensic", **SHOWN)
    assert (await offered(live.world, strict))["state"] == "proposed"
    cut = await derived(live.world, strict, ("location",), **SHOWN)
    assert (await offered(live.world, cut))["state"] == "proposed", "the mark is still in it"
    assert (await offered(live.world, cut, to="xb"))["state"] == "denied"
    again = await made_from(live.world, cut, to="xb", **SHOWN)
    with pytest.raises(ConflictError, match="marked for another recipient: make the copy of what"):
        await derive(live.world, again)


async def test_a_copy_that_turns_out_to_be_anothers_stops_what_is_open_and_released(
    live: Running,
) -> None:
    """Shares follow an attestation at once, also those of what was made from the item before."""
    original = await deposited(live.world, b"a plain note")
    copy = await made_from(live.world, original, to="xb")
    cut = await derived(live.world, copy, ("location",))
    shares = [str((await offered(live.world, file))["share"]) for file in (copy, cut)]
    held = await made_from(live.world, original, to="xb", sgbv=True)
    waiting = str((await offered(live.world, held))["share"])
    async with session(live.world, "releaser") as releaser:
        for share in shares:
            await release(releaser, share)
    await derive(live.world, copy)
    await derive(live.world, held)
    why = await suspended(live.world)
    assert set(why) == set(shares)
    assert {one["cause"] for one in why.values()} == {"decision"}
    assert {tuple(one["reasons"]) for one in why.values()} == {("protection",)}
    assert [await pull_status(live.world, share) for share in shares] == ["no", "no"]
    assert await outcome(live.world, waiting) == ("denied", "deny")
    async with session(live.world, "releaser") as releaser:
        assert (await recall(releaser, shares[0]))["state"] == "recalled"


async def test_the_recipient_is_told_a_category_and_the_authority_of_a_mark_nothing(
    live: Running,
) -> None:
    original = await deposited(live.world, b"a plain note")
    copy = await derived(live.world, original, to="xa")
    share = str((await offered(live.world, copy, to="xb"))["share"])
    with live.gateway.engine.connect() as conn:
        _, _, ruling = decide_again(live.gateway, conn, share, live.now())
        assert explain_to_recipient(ruling.applied) == {
            "outcome": "not available",
            "reasons": ["protection"],
        }
    for who in ("xa", "xb"):
        async with session(live.world, who) as endpoint:
            assert (await endpoint.get("/v1/inbox")).json()["messages"] == []
            with pytest.raises(ForbiddenError):
                await endpoint.get(f"/v1/items/{copy.item}")
            assert {entry["kind"] for entry in await audit.entries(endpoint, 0)} == {""}


# --- the attestation --------------------------------------------------------------------------------
async def test_an_attestation_is_of_exactly_the_deposited_bytes(live: Running) -> None:
    original, other = await witness(live.world), await deposited(live.world, b"another note")
    made = await made_from(live.world, original, WITNESS, **SHOWN)
    for over, says in (
        ({"item_sha256": "7" * 64}, "digest of the deposited derivative"),
        ({"original_sha256": "7" * 64}, "digest of the deposited original"),
        ({"original": other.item}, "digest of the deposited original"),
        ({"original": other.item, "original_sha256": other.sha256}, "deposited as redaction of this"),
        ({"removed": (), "mark": "visible", "recipient": live.world.party("xa")}, "as copy of this"),
    ):  # fmt: skip
        with pytest.raises(VerificationError, match=says):
            await derive(live.world, made, **over)
    with pytest.raises(NotFoundError, match="no such item"):
        await derive(live.world, made, original=new_id("itm"))
    async with session(live.world, "sharer") as sharer:
        with pytest.raises(MalformedError, match="expected the derivation of this item"):
            await sharer.act(f"/v1/items/{original.item}/derivation", made.act)
    for relation in (Relation(), Relation(RelationKind.TRANSLATION, original.item)):
        wrong = await deposited(live.world, b"a translation", relation, **SHOWN)
        with pytest.raises(VerificationError, match="was not deposited as redaction"):
            await derive(live.world, made, item=wrong.item, item_sha256=wrong.sha256)
    assert (await item_of(live.world, made))["derivation"] is None
    await derive(live.world, made)


async def test_only_a_person_who_shares_attests_and_once(live: Running) -> None:
    live.world._member("mechanism", "A robot", (Role.SHARER,), "robot", person=False)
    live.world.sign(days=3000)
    assert live.reload() == []
    original = await witness(live.world)
    made = await made_from(live.world, original, WITNESS, **SHOWN)
    with pytest.raises(ForbiddenError, match="key of a person, not of a service"):
        await derive(live.world, made, "robot")
    for who in ("legal", "xa"):
        with pytest.raises(ForbiddenError):
            await derive(live.world, made, who)
    first = await derive(live.world, made, "releaser")
    assert await derive(live.world, made, "releaser") == first, "sent again it is answered again"
    with pytest.raises(ConflictError):
        await derive(live.world, made, "sharer")
    with pytest.raises(ConflictError, match="was attested before"):
        await derive(live.world, made, id=new_id("drv"), removed=("witness_identity", "location"))


async def test_it_speaks_the_words_of_the_set_in_force(live: Running) -> None:
    original = await witness(live.world)
    made = await made_from(live.world, original, ("witness_identity", "face"), **SHOWN)
    with pytest.raises(MalformedError, match="'face' is not a value of redact; possible: witness_"):
        await derive(live.world, made)
    copy = await made_from(live.world, original, to="xa", **SHOWN)
    for recipient, error in ((new_id("pty"), NotFoundError), (mechanism(live), MalformedError)):
        with pytest.raises(error):
            await derive(live.world, copy, recipient=recipient)
    forget_marks(live.world)
    assert live.reload() == []
    with pytest.raises(MalformedError, match="the policy set in force has no obligation watermark"):
        await derive(live.world, copy)
    live.gateway.sets = dataclasses.replace(live.gateway.sets, policy=None)
    body = canonical_json({"act": plain(copy.act), "sig2": None})
    with pytest.raises(UnavailableError, match="no policy set is in force"):
        async with session(live.world, "sharer") as sharer:  # without the client's patience
            async with sharer.stream("POST", f"/v1/items/{copy.item}/derivation", body, JSON):
                pass


def mechanism(live: Running) -> str:
    return live.gateway.sets.directory.mechanism().id


async def test_items_show_what_they_were_made_from_and_what_was_made_of_them(
    live: Running,
) -> None:
    original = await witness(live.world)
    made = await derived(live.world, original, WITNESS, **SHOWN)
    copy = await derived(live.world, made, to="xa", **SHOWN)
    top, middle, last = [await item_of(live.world, file) for file in (original, made, copy)]
    assert (top["derivation"], top["removed"]) == (None, [])
    assert [one["item"] for one in top["derivatives"]] == [made.item]
    assert top["derivatives"] == [middle["derivation"]]
    assert middle["derivatives"] == [last["derivation"]]
    assert (last["derivation"]["recipient"], last["derivation"]["mark"]) == (
        live.world.party("xa"), "visible",
    )  # fmt: skip
    assert (last["removed"], last["derivatives"]) == (["witness_identity"], [])
    async with session(live.world, "auditor") as auditor:
        entries = [e for e in await audit.entries(auditor, 0) if e["kind"] == "item.derived"]
    assert [entry["subject"] for entry in entries] == [made.item, copy.item]
    assert entries[0]["content"]["original"] == original.item


async def test_a_chain_that_runs_in_a_circle_ends(live: Running) -> None:
    """The gateway accepts none: an item's relation names one that was there before. Rows are only rows."""
    original = await deposited(live.world, b"one")
    made = await derived(live.world, original, WITNESS)
    assert made.act is not None
    back = replace(
        made.act, id=new_id("drv"), item=original.item, item_sha256=original.sha256,
        original=made.item, original_sha256=made.sha256,
    )  # fmt: skip
    with pytest.raises(VerificationError, match="was not deposited as redaction"):
        await derive(live.world, File(original.item, original.sha256, back))
    with live.gateway.engine.connect() as conn:
        (kept,) = derivatives.made_from(conn, original.item)
        derivatives.keep(conn, back, kept.actor, kept.order, kept.at)
        chain = derivatives.chains(conn, (made.item,))[made.item]
        assert [one.act.item for one in chain] == [made.item, original.item]
        assert derivatives.descended(conn, made.item) == {made.item, original.item}
        conn.rollback()


async def test_what_was_attested_or_deposited_cannot_be_changed(live: Running) -> None:
    """So a clearance, which names a share, holds for the digests of its items and for its recipient."""
    made = await derived(live.world, await witness(live.world), WITNESS, **SHOWN)
    await offered(live.world, made)
    kept = (tables.derivatives, tables.items, tables.sealed, tables.packages, tables.package_items)
    for table in kept:
        column = next(iter(table.c))
        for change_ in (update(table).values({column: column}), delete(table)):
            with live.gateway.engine.connect() as conn, pytest.raises(DBAPIError):
                conn.execute(change_)
