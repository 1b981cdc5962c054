"""An RFA's life by the public clients: sent, registered, admitted, clarified, answered, closed, and all else."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.client import audit, pull, rfas
from gateway.client.rfas import seal_for
from gateway.client.session import Session
from gateway.client.trust import refresh_directory
from gateway.exchange.acts import (
    AnswerRfa,
    AskRfa,
    CloseRfa,
    DeclineRfa,
    ExtendRfa,
    RegisterRfa,
    ReopenRfa,
    TellRfa,
)
from gateway.exchange.rfa_acts import CheckName
from gateway.kernel.encoding import Json, canonical_json
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
from tests.world import (
    Running,
    admitted_rfa,
    assess,
    in_days,
    package_of,
    propose,
    register,
    release,
    send_rfa,
    session,
    source,
    wanted,
)


async def sealed(officer: Session, authority: str, text: str) -> str:
    """Seal a text to an authority's people, as the officer's own tool does."""
    directory = await refresh_directory(officer)
    return seal_for(directory.party(f"{authority}-prosecutor"), text.encode(), datetime.now(UTC))


async def step(officer: Session, rfa: str, act: object) -> dict[str, Any]:
    return dict(await officer.act(f"/v1/rfas/{rfa}/steps", act))


async def state(officer: Session, rfa: str) -> str:
    return str((await officer.get(f"/v1/rfas/{rfa}")).json()["state"])


async def abouts(endpoint: Session) -> list[str]:
    """Return what the inbox announces of RFAs, from the first message on."""
    found = await pull.inbox(endpoint, everything=True)
    return [m.about.value for m in found if m.about.startswith("rfa.")]


async def test_an_rfa_is_sent_admitted_clarified_answered_with_a_package_and_closed(
    live: Running,
) -> None:
    world = live.world
    note = world.root / "note.txt"
    note.write_text("who gave the order")
    async with session(world, "xa") as endpoint, session(world, "officer") as officer:
        rfa = await send_rfa(endpoint, text="All on the bridge, please")
        assert await state(officer, rfa) == "received"
        (request,) = await rfas.read(officer, rfa)
        assert (request.content, request.sender) == (b"All on the bridge, please", "xa-prosecutor")
        assert (await register(officer, rfa, "M-1"))["state"] == "registered"
        assert (await assess(officer, rfa))["state"] == "review"
        question = await sealed(officer, "xa", "Which bridge?")
        assert (await step(officer, rfa, AskRfa(new_id("stp"), rfa, question)))["state"] == (
            "clarification"
        )
        asked = [m for m in await pull.inbox(endpoint) if m.about == "rfa.question"][0]
        told = await rfas.read(endpoint, rfa)
        assert told[-1].content == b"Which bridge?"
        await rfas.add(endpoint, rfa, b"The old one", asked.id)
        assert await state(officer, rfa) == "review"
        assert (await rfas.read(officer, rfa))[-1].content == b"The old one"
    async with session(world, "releaser") as staff:
        package, _ = await package_of(staff, [source(note)], rfa=rfa)
        made = await propose(staff, package, "xa")
        assert made["outcome"] == "permit", made["explanation"]
        share = str(made["share"])
        await release(staff, share)
    async with session(world, "xa") as endpoint, session(world, "officer") as officer:
        text = await sealed(officer, "xa", "Please find one item")
        answer = AnswerRfa(new_id("stp"), rfa, "packages", (share,), text)
        assert (await step(officer, rfa, answer))["state"] == "answered"
        assert (await step(officer, rfa, CloseRfa(new_id("stp"), rfa)))["state"] == "closed"
        done = await pull.pull(endpoint, share, world.root / "out", lambda _: None)
        assert (done.folder / "note.txt").read_text() == "who gave the order"
        assert done.inner.basis["rfa"] == rfa
        assert await abouts(endpoint) == [
            "rfa.received", "rfa.registered", "rfa.question", "rfa.received",
            "rfa.answered", "rfa.closed",
        ]  # fmt: skip
        shown = (await endpoint.get(f"/v1/rfas/{rfa}")).json()
        assert (shown["state"], shown["number"]) == ("closed", "M-1")
        assert (await rfas.read(endpoint, rfa))[-2].content == b"Please find one item"


async def test_the_ledger_tells_an_rfas_life_and_counts_it(live: Running) -> None:
    world = live.world
    first = await admitted_rfa(world, "xa", wanted("inv-1"))
    await admitted_rfa(world, "xa", wanted("inv-1", parent=first))
    await admitted_rfa(world, "xb", wanted("inv-1"))
    await admitted_rfa(world, "xc", wanted("inv-1"))
    async with session(world, "auditor") as auditor:
        found = await audit.figures(auditor)
        kinds = [row["kind"] for row in await audit.entries(auditor, 0) if row["subject"] == first]
    assert (found["rfas"], found["investigations"], found["jurisdictions"]) == (4, 3, 2)
    assert kinds == ["rfa.received", "rfa.registered", "rfa.assessed"]


async def test_no_material_and_a_service_are_answers_too(live: Running) -> None:
    for outcome in ("no_material", "service"):
        rfa = await admitted_rfa(live.world, "xa")
        async with session(live.world, "officer") as officer, session(live.world, "xa") as endpoint:
            text = await sealed(officer, "xa", "We looked everywhere")
            act = AnswerRfa(new_id("stp"), rfa, outcome, (), text)
            assert (await step(officer, rfa, act))["state"] == "answered"
            told = [m for m in await pull.inbox(endpoint) if m.about == "rfa.answered"]
            assert [m.outcome for m in told] == [outcome]


async def test_an_answer_names_only_what_was_released_for_this_rfa(live: Running) -> None:
    world = live.world
    rfa, other = await admitted_rfa(world, "xa"), await admitted_rfa(world, "xa")
    note = world.root / "note.txt"
    note.write_text("a note")
    async with session(world, "releaser") as staff:
        package, _ = await package_of(staff, [source(note)], rfa=rfa)
        share = str((await propose(staff, package, "xa"))["share"])
        async with session(world, "officer") as officer:
            text = await sealed(officer, "xa", "Here it is")
            act = AnswerRfa(new_id("stp"), rfa, "packages", (share,), text)
            with pytest.raises(ConflictError, match="not released in answer to this RFA"):
                await step(officer, rfa, act)
            await release(staff, share)
            with pytest.raises(ConflictError, match="not released in answer to this RFA"):
                await step(officer, other, replace(act, id=new_id("stp"), rfa=other))
            nothing = AnswerRfa(new_id("stp"), rfa, "no_material", (), text)
            with pytest.raises(ConflictError, match="answer with packages"):
                await step(officer, rfa, nothing)
            assert (await step(officer, rfa, replace(act, id=new_id("stp"))))["state"] == "answered"


async def test_an_rfa_is_declined_for_a_check_not_met_with_an_officers_text(live: Running) -> None:
    world = live.world
    async with session(world, "xa") as endpoint, session(world, "officer") as officer:
        rfa = await send_rfa(endpoint)
        await register(officer, rfa)
        text = await sealed(officer, "xa", "We regret")
        act = DeclineRfa(new_id("stp"), rfa, text, "the penalty is death")
        with pytest.raises(ConflictError, match="record the five checks first"):
            await step(officer, rfa, act)
        assert (await assess(officer, rfa, CheckName.PENALTY))["state"] == "registered"
        assert (await step(officer, rfa, replace(act, id=new_id("stp"))))["state"] == "declined"
        said = (await endpoint.get(f"/v1/rfas/{rfa}")).body
        assert b"penalty" not in said and b"death" not in said
        assert (await rfas.read(endpoint, rfa))[-1].content == b"We regret"
        assert (await endpoint.get("/v1/inbox?after=0")).body.find(b"penalty") == -1


async def test_an_admitted_rfa_is_not_declined(live: Running) -> None:
    rfa = await admitted_rfa(live.world, "xa")
    async with session(live.world, "officer") as officer:
        act = DeclineRfa(new_id("stp"), rfa, await sealed(officer, "xa", "No"), "a reason")
        with pytest.raises(ConflictError, match="cannot decline an RFA that is review; possible"):
            await step(officer, rfa, act)


async def test_an_rfa_whose_question_is_never_answered_has_an_end(live: Running) -> None:
    async with session(live.world, "officer") as officer:
        for end in ("answer", "decline"):
            rfa = await admitted_rfa(live.world, "xa")
            text = await sealed(officer, "xa", "Which bridge?")
            await step(officer, rfa, AskRfa(new_id("stp"), rfa, text))
            assert (await assess(officer, rfa))["state"] == "clarification", "renewed meanwhile"
            if end == "answer":
                act: object = AnswerRfa(new_id("stp"), rfa, "no_material", (), text)
                assert (await step(officer, rfa, act))["state"] == "answered"
            else:
                await assess(officer, rfa, CheckName.FORM)
                act = DeclineRfa(new_id("stp"), rfa, text, "no reply came")
                assert (await step(officer, rfa, act))["state"] == "declined"


async def test_an_authority_withdraws_and_adds_and_the_mechanism_reopens(live: Running) -> None:
    rfa = await admitted_rfa(live.world, "xa")
    async with session(live.world, "officer") as officer, session(live.world, "xa") as endpoint:
        await rfas.add(endpoint, rfa, b"One thing more", None)
        assert await state(officer, rfa) == "review"
        assert (await rfas.withdraw(endpoint, rfa))["state"] == "withdrawn"
        with pytest.raises(ConflictError, match="cannot inform an RFA that is withdrawn; nothing"):
            await rfas.add(endpoint, rfa, b"And more", None)
        reopen = ReopenRfa(new_id("stp"), rfa, in_days(30), "they asked by telephone")
        assert (await step(officer, rfa, reopen))["state"] == "registered"
        assert (await assess(officer, rfa))["state"] == "review"
        assert (await abouts(endpoint))[-1] == "rfa.reopened"


async def test_what_was_never_registered_is_not_reopened(live: Running) -> None:
    async with session(live.world, "officer") as officer, session(live.world, "xa") as endpoint:
        rfa = await send_rfa(endpoint)
        await rfas.withdraw(endpoint, rfa)
        with pytest.raises(ConflictError, match="never registered"):
            await step(officer, rfa, ReopenRfa(new_id("stp"), rfa, in_days(30), "a reason"))


async def test_the_due_date_moves_and_the_authority_is_told_when_not_why(live: Running) -> None:
    rfa = await admitted_rfa(live.world, "xa")
    async with session(live.world, "officer") as officer, session(live.world, "xa") as endpoint:
        act = ExtendRfa(new_id("stp"), rfa, in_days(200), "a colleague is ill")
        await step(officer, rfa, act)
        (told,) = [m for m in await pull.inbox(endpoint) if m.about == "rfa.extended"]
        assert told.due == in_days(200)
        assert b"is ill" not in (await endpoint.get("/v1/inbox?after=0")).body
        note = TellRfa(new_id("stp"), rfa, await sealed(officer, "xa", "We work on it"))
        await step(officer, rfa, note)
        assert (await rfas.read(endpoint, rfa))[-1].content == b"We work on it"


async def test_a_supplementary_rfa_is_of_the_same_authority_and_investigation(
    live: Running,
) -> None:
    parent = await admitted_rfa(live.world, "xa", wanted("inv-1"))
    async with session(live.world, "xa") as endpoint, session(live.world, "xc") as other:
        with pytest.raises(ConflictError, match="same investigation as its parent"):
            await send_rfa(endpoint, wanted("inv-2", parent=parent))
        with pytest.raises(NotFoundError, match="no such RFA"):
            await send_rfa(other, wanted("inv-1", parent=parent))
        child = await send_rfa(endpoint, wanted("inv-1", parent=parent))
        assert (await endpoint.get(f"/v1/rfas/{child}")).json()["parent"] == parent


async def test_no_authority_sees_anything_of_anothers_rfa(live: Running) -> None:
    rfa = await admitted_rfa(live.world, "xa")
    async with session(live.world, "xa") as endpoint, session(live.world, "xc") as other:
        message = (await rfas.read(endpoint, rfa))[0].id
        for target in (f"/v1/rfas/{rfa}", f"/v1/rfas/{rfa}/messages/{message}"):
            with pytest.raises(NotFoundError, match="no such RFA"):
                await other.get(target)
            with pytest.raises(NotFoundError, match="no such RFA"):
                await other.get(target.replace(rfa, new_id("rfa")))
        for work in (rfas.withdraw(other, rfa), rfas.add(other, rfa, b"hello", None)):
            with pytest.raises(NotFoundError, match="no such RFA"):
                await work
        assert (await other.get("/v1/rfas")).json() == {"rfas": []}
        assert len((await endpoint.get("/v1/rfas")).json()["rfas"]) == 1  # type: ignore[arg-type]


async def test_an_rfas_id_is_used_once(live: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with session(live.world, "xa") as endpoint, session(live.world, "xb") as other:
        rfa = await send_rfa(endpoint)

        def minted(prefix: str) -> str:
            return rfa if prefix == "rfa" else new_id(prefix)

        monkeypatch.setattr(rfas, "new_id", minted)
        for who in (endpoint, other):
            with pytest.raises(ConflictError, match="used for something else"):
                await rfas.send(who, wanted(), b"another text")


async def test_an_rfa_whose_answer_was_lost_is_sent_again_as_the_same(
    live: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with session(live.world, "xa") as endpoint:
        request = Session.request

        async def lost(self: Session, method: str, *args: Any) -> Any:
            reply = await request(self, method, *args)
            if method == "POST":
                raise UnavailableError("the connection is gone")
            return reply

        with monkeypatch.context() as patch:
            patch.setattr(Session, "request", lost)
            with pytest.raises(UnavailableError):
                await send_rfa(endpoint, text="once")
        first = await send_rfa(endpoint, text="once")
        found = (await endpoint.get("/v1/rfas")).json()["rfas"]
        assert [row["rfa"] for row in found] == [first]  # type: ignore[union-attr,index,call-overload]
        assert await send_rfa(endpoint, text="once") != first, "answered, so it is another one now"


async def test_two_rfas_do_not_get_one_number(live: Running) -> None:
    async with session(live.world, "xa") as endpoint, session(live.world, "officer") as officer:
        one, two = await send_rfa(endpoint), await send_rfa(endpoint)
        await register(officer, one, "M-7")
        with pytest.raises(ConflictError, match="number M-7 is another RFA's"):
            await register(officer, two, "M-7")
        assert await state(officer, two) == "received"


async def test_an_officer_cites_the_very_request(live: Running) -> None:
    async with session(live.world, "xa") as endpoint, session(live.world, "officer") as officer:
        rfa = await send_rfa(endpoint)
        act = RegisterRfa(new_id("stp"), rfa, "0" * 64, "M-1", "case-1", "criminal", in_days(90))
        with pytest.raises(VerificationError, match="cites another request"):
            await step(officer, rfa, act)


async def test_only_an_officer_of_the_mechanism_works_on_an_rfa(live: Running) -> None:
    async with session(live.world, "xa") as endpoint, session(live.world, "sharer") as sharer:
        rfa = await send_rfa(endpoint)
        act = CloseRfa(new_id("stp"), rfa)
        with pytest.raises(ForbiddenError, match="role rfa_officer"):
            await step(sharer, rfa, act)
        with pytest.raises(ForbiddenError):
            await step(endpoint, rfa, act)
        with pytest.raises(ForbiddenError, match="only an authority sends an RFA"):
            await send_rfa(sharer)


async def test_content_that_is_not_sealed_is_refused(live: Running) -> None:
    rfa = await admitted_rfa(live.world, "xa")
    async with session(live.world, "officer") as officer:
        act: Json = {"type": "rfa.tell", "id": new_id("stp"), "rfa": rfa, "content": "aGVsbG8"}
        with pytest.raises(MalformedError, match="age file"):
            await officer.request(
                "POST", f"/v1/rfas/{rfa}/steps", canonical_json({"act": act, "sig2": None}),
                {"Content-Type": "application/json"},
            )  # fmt: skip


async def test_every_step_that_a_state_does_not_allow_is_refused_and_says_what_is_possible(
    live: Running,
) -> None:
    """An RFA is brought into each state in turn; what its table does not allow is refused there."""
    async with session(live.world, "officer") as officer, session(live.world, "xa") as endpoint:
        rfa = await send_rfa(endpoint)
        text = await sealed(officer, "xa", "A text")

        async def forbidden() -> list[str]:
            acts = {
                "ask": AskRfa(new_id("stp"), rfa, text),
                "tell": TellRfa(new_id("stp"), rfa, text),
                "extend": ExtendRfa(new_id("stp"), rfa, in_days(5), "a reason"),
                "answer": AnswerRfa(new_id("stp"), rfa, "no_material", (), text),
                "close": CloseRfa(new_id("stp"), rfa),
            }
            before = (await officer.get(f"/v1/rfas/{rfa}")).json()
            refused = []
            for name in sorted(set(acts) - set(before["possible"])):  # type: ignore[arg-type]
                with pytest.raises(ConflictError, match=f"cannot {name} an RFA that is .*possible"):
                    await step(officer, rfa, acts[name])
                refused.append(name)
            assert (await officer.get(f"/v1/rfas/{rfa}")).json() == before
            return refused

        assert await forbidden() == ["answer", "ask", "close", "extend", "tell"]
        await register(officer, rfa)
        assert await forbidden() == ["answer", "ask", "close"]
        await assess(officer, rfa)
        assert await forbidden() == ["close"]
        await step(officer, rfa, AskRfa(new_id("stp"), rfa, text))
        assert await forbidden() == ["ask", "close"]
        await rfas.add(endpoint, rfa, b"a reply", None)
        await step(officer, rfa, AnswerRfa(new_id("stp"), rfa, "no_material", (), text))
        assert await forbidden() == ["answer", "ask", "extend"]
        await step(officer, rfa, CloseRfa(new_id("stp"), rfa))
        assert await forbidden() == ["answer", "ask", "close", "extend", "tell"]


async def test_a_step_sent_again_is_answered_again_and_done_once(live: Running) -> None:
    rfa = await admitted_rfa(live.world, "xa")
    async with session(live.world, "officer") as officer, session(live.world, "xa") as endpoint:
        act = TellRfa(new_id("stp"), rfa, await sealed(officer, "xa", "Only once"))
        assert await step(officer, rfa, act) == await step(officer, rfa, act)
        assert (await abouts(endpoint)).count("rfa.note") == 1


async def test_a_stranger_cannot_speak_for_an_authority(live: Running) -> None:
    """A genuine message of one authority, sent by another's endpoint, is refused."""
    async with session(live.world, "xa") as endpoint, session(live.world, "xb") as thief:
        rfa = await send_rfa(endpoint)
        message = (await rfas.read(endpoint, rfa))[0].id
        container = (await endpoint.get(f"/v1/rfas/{rfa}/messages/{message}")).body
        with pytest.raises(GatewayError) as refused:
            await thief.request("POST", "/v1/rfas", container, {"Content-Type": "application/json"})
        assert isinstance(refused.value, ForbiddenError)
