"""Terms that an officer has to sign: until then no item is served, and nobody else's signature counts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.client import audit, pull, terms
from gateway.client.session import Session
from gateway.exchange.parties import Role
from gateway.exchange.receipts import Rung
from gateway.exchange.terms import SignedTerms, sign_terms, terms_digest
from gateway.kernel.errors import (
    ConflictError,
    ForbiddenError,
    GatewayError,
    MalformedError,
    NotFoundError,
    TermsUnsignedError,
    VerificationError,
)
from gateway.kernel.ids import new_id
from gateway.kernel.time import spell
from tests import reconcile
from tests.sharing.rules import ask_for, ask_for_nothing
from tests.sharing.steps import amend, outcome, pull_status, released, shown, suspended
from tests.web.harness import caller
from tests.world import Running, World, recall, session

JSON = {"Content-Type": "application/json"}
SIGNED = "{terms: signed}"


@dataclass(frozen=True)
class Offer:
    """A share that waits for a signature, and its terms as its recipient reads them."""

    share: str
    item: str
    said: terms.Told


async def offered(live: Running, authority: str = "xa") -> Offer:
    """Release a share under terms that are to be signed."""
    ask_for(live.world, SIGNED)
    assert live.reload() == []
    made = await released(live.world, authority)
    async with session(live.world, authority) as endpoint:
        _, _, said = await pull.offered(endpoint, made.share)
    return Offer(made.share, made.item, said)


async def accept(world: World, who: str, offer: Offer, **over: Any) -> bytes:
    """Send signed terms as *who*; *over* forges members of them. Returns what was sent."""
    async with session(world, who) as person:
        made = {
            "v": 1, "id": new_id("trm"), "share": offer.share, "manifest": offer.said.manifest,
            "terms": terms_digest(offer.said.terms), "accepted": True,
            "by": person.folder.profile.actor, "at": spell(datetime.now(UTC)),
        }  # fmt: skip
        body = sign_terms(SignedTerms(**{**made, **over}), person.folder.message_signer())
        await send(person, offer.share, body)
        return body


async def send(person: Session, share: str, body: bytes) -> dict[str, Any]:
    return (await person.request("POST", f"/v1/shares/{share}/terms", body, JSON)).json()


async def test_terms_are_read_and_signed_before_any_item_is_served(live: Running) -> None:
    offer = await offered(live)
    out = live.world.root / "out"
    read: list[terms.Told] = []
    async with session(live.world, "xa") as endpoint:
        with pytest.raises(TermsUnsignedError, match="an officer has to sign"):
            await pull.pull(endpoint, offer.share, out, lambda _: None, read.append)
        assert read == [offer.said]
        assert terms.read(out / f"{offer.share}.terms.json") == offer.said
        assert not (out / offer.share).exists()
        assert not await pull.is_served(endpoint, offer.share)
        async with session(live.world, "xa-officer") as officer:
            await terms.sign(officer, offer.said)
        assert await pull.is_served(endpoint, offer.share)
        done = await pull.pull(endpoint, offer.share, out, lambda _: None, read.append)
    assert done.folder.exists()
    async with session(live.world, "sharer") as sharer:
        at = await shown(sharer, offer.share)
    assert at["state"] == "verified"
    async with session(live.world, "xa-officer") as officer:
        assert at["terms_signed"]["actor"] == officer.folder.profile.actor
    async with session(live.world, "auditor") as auditor:
        (said,) = [e for e in await audit.entries(auditor, 0) if e["kind"] == "share.terms_signed"]
    assert said["subject"] == offer.share
    assert said["content"] == {
        "manifest": offer.said.manifest,
        "terms": terms_digest(offer.said.terms),
    }


@pytest.mark.parametrize(
    "headers",
    [{}, {"Range": "bytes=0-99"}, {"Range": "bytes=-1"}, {"If-None-Match": "*"},
     {"If-Range": '"x"', "Range": "bytes=2000-"}],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_no_way_of_asking_gets_a_byte_before_the_signature(
    live: Running, method: str, headers: dict[str, str]
) -> None:
    offer = await offered(live)
    endpoint = caller(live.world, "xa")
    answer = await endpoint.call(method, f"/v1/shares/{offer.share}/items/0", headers=headers)
    assert answer.status == 409
    if method == "GET":
        assert answer.problem(409)["type"] == "/problems/termsunsigned"
    for part in ("manifest", "manifest/inner", "evidence"):
        answer = await endpoint.call(method, f"/v1/shares/{offer.share}/{part}")
        assert answer.status == 200, "terms are shown before anything is decrypted"


async def test_a_receipt_does_not_pass_for_the_signature(live: Running) -> None:
    offer = await offered(live)
    async with session(live.world, "xa") as endpoint:
        with pytest.raises(ConflictError, match="not served to its end"):
            await pull.acknowledge(endpoint, offer.share, offer.said.manifest, Rung.PULLED)


async def test_only_an_officer_of_the_recipient_signs(live: Running) -> None:
    offer = await offered(live)
    live.world.add_staff("outsider", Role.OFFICER)
    live.world._member("xa-prosecutor", "A robot", (Role.OFFICER,), "xa-robot", person=False)
    live.world.sign(days=3000)
    assert live.reload() == []
    for who, error, said in (
        ("xa", ForbiddenError, "a person with role officer"),
        ("xa-robot", ForbiddenError, "a person with role officer"),
        ("xb-officer", NotFoundError, "no such share"),
        ("outsider", NotFoundError, "no such share"),
        ("releaser", ForbiddenError, "a person with role officer"),
    ):
        with pytest.raises(error, match=said):
            await accept(live.world, who, offer)
    assert await pull_status(live.world, offer.share) == "no"
    await accept(live.world, "xa-officer", offer)
    assert await pull_status(live.world, offer.share) == "served"


async def test_nobody_signs_in_the_name_of_an_officer(live: Running) -> None:
    """Neither who sends her signature, nor who signs with another key, nor who says she was it."""
    offer = await offered(live)
    world = live.world
    async with session(world, "xa-officer") as officer, session(world, "xa") as endpoint:
        said = SignedTerms(
            1, new_id("trm"), offer.share, offer.said.manifest, terms_digest(offer.said.terms),
            True, officer.folder.profile.actor, spell(datetime.now(UTC)),
        )  # fmt: skip
        hers = sign_terms(said, officer.folder.message_signer())
        with pytest.raises(ForbiddenError, match="sent by the one who signed"):
            await send(endpoint, offer.share, hers)
        for wrong in (endpoint.folder.message_signer(), officer.folder.request_signer()):
            with pytest.raises(VerificationError):
                await send(officer, offer.share, sign_terms(said, wrong))
        assert await pull_status(world, offer.share) == "no"
        assert (await send(officer, offer.share, hers))["state"] == "available"


@pytest.mark.parametrize(
    ("over", "error"),
    [
        ({"terms": "0" * 64}, VerificationError),
        ({"manifest": "0" * 64}, VerificationError),
        ({"share": "other"}, MalformedError),
    ],
)
async def test_other_terms_another_manifest_or_share_are_refused(
    live: Running, over: dict[str, str], error: type[GatewayError]
) -> None:
    offer = await offered(live)
    if "share" in over:
        over = {"share": (await released(live.world)).share}
    with pytest.raises(error):
        await accept(live.world, "xa-officer", offer, **over)
    assert await pull_status(live.world, offer.share) == "no"


async def test_a_signature_for_one_share_does_nothing_for_another(live: Running) -> None:
    one = await offered(live)
    other = await offered(live)
    assert terms_digest(one.said.terms) == terms_digest(other.said.terms)
    body = await accept(live.world, "xa-officer", one)
    async with session(live.world, "xa-officer") as officer:
        with pytest.raises(MalformedError, match="of another share"):
            await send(officer, other.share, body)
    assert await pull_status(live.world, other.share) == "no"


async def test_what_is_signed_twice_is_signed_once(live: Running) -> None:
    """The same signature again gets the first answer; a second one is refused."""
    offer = await offered(live)
    body = await accept(live.world, "xa-officer", offer)
    async with session(live.world, "xa-officer") as officer:
        assert (await send(officer, offer.share, body))["share"] == offer.share
        with pytest.raises(ConflictError, match="signed already"):
            await terms.sign(officer, offer.said)
    async with session(live.world, "auditor") as auditor:
        entries = [e["kind"] for e in await audit.entries(auditor, 0)]
    assert entries.count("share.terms_signed") == 1
    assert reconcile.check(live.gateway)["share.terms_signed"] == 1


async def test_terms_that_ask_for_no_signature_take_none(live: Running) -> None:
    made = await released(live.world)
    async with session(live.world, "xa") as endpoint:
        _, _, said = await pull.offered(endpoint, made.share)
    with pytest.raises(ConflictError, match="need no signature"):
        await accept(live.world, "xa-officer", Offer(made.share, made.item, said))


async def test_a_share_that_is_stopped_takes_no_signature(live: Running) -> None:
    offer = await offered(live)
    await amend(live.world, offer.item, consent__status="refused")
    with pytest.raises(ConflictError, match="suspended"):
        await accept(live.world, "xa-officer", offer)
    async with session(live.world, "releaser") as releaser:
        await recall(releaser, offer.share)
    with pytest.raises(ConflictError, match="recalled"):
        await accept(live.world, "xa-officer", offer)


async def test_a_milder_rule_later_leaves_the_terms_to_be_signed(live: Running) -> None:
    offer = await offered(live)
    ask_for_nothing(live.world)
    assert live.reload() == []
    assert await suspended(live.world) == {}
    async with session(live.world, "xa") as endpoint:
        assert not await pull.is_served(endpoint, offer.share)
    await accept(live.world, "xa-officer", offer)
    assert await pull_status(live.world, offer.share) == "served"


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("{handling: RED}", "handling"),
        ("{onward: prohibited}", "onward"),
        ("{terms: signed}", "terms"),
        ("{expiry_days: 900}", "expiry_days"),
    ],
)
async def test_terms_that_grow_stricter_suspend_what_was_given_under_milder_ones(
    live: Running, asked: str, kind: str
) -> None:
    made = await released(live.world)
    ask_for(live.world, asked)
    assert live.reload() == []
    assert await pull_status(live.world, made.share) == "no"
    assert (await suspended(live.world))[made.share] == {"cause": "terms", "kinds": [kind]}
    assert (await outcome(live.world, made.share))[1] == "permit", "a new share would be permitted"
    ask_for_nothing(live.world)
    assert live.reload() == []
    assert await suspended(live.world) == {}
    assert await pull_status(live.world, made.share) == "served"


async def test_terms_as_strict_as_before_or_milder_suspend_nothing(live: Running) -> None:
    ask_for(live.world, "{handling: RED, onward: prohibited, terms: told}")
    assert live.reload() == []
    made = await released(live.world)
    for terms_ in (
        "{handling: AMBER, purposes: [criminal, civil]}",
        "{handling: CLEAR, terms: told}",
    ):
        ask_for(live.world, terms_)
        assert live.reload() == []
        assert await suspended(live.world) == {}
        assert await pull_status(live.world, made.share) == "served"
