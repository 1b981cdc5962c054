"""Every operation is called as people call it, and each answer is what the document says."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from gateway.client import derive, key_ceremony, pull, push, rfas, terms
from gateway.client.profile import open_folder
from gateway.client.session import Session
from gateway.client.trust import refresh_directory
from gateway.exchange.acts import (
    Amend,
    AnswerRfa,
    Approve,
    AskRfa,
    AssessRfa,
    Attest,
    CloseRfa,
    Consult,
    Declare,
    DerivationCheck,
    Derive,
    EndAttestation,
    Evidence,
    ExtendRfa,
    OpenUpload,
    PreviewPolicy,
    Product,
    Propose,
    RecordRfa,
    RegisterRfa,
    ReleaseItem,
    ReviewWithheld,
    RewrapShare,
    SignOffPolicy,
    TellRfa,
    Wanted,
    relation_to,
)
from gateway.exchange.history_acts import DeclaredHolder, DeclaredRfa, DeclaredShare
from gateway.exchange.key_life import fingerprint
from gateway.exchange.parse import build, plain
from gateway.exchange.parties import Role
from gateway.exchange.receipts import Rung
from gateway.exchange.rfa_acts import Check, CheckName, Crime
from gateway.exchange.withheld_acts import Finding
from gateway.kernel.encoding import canonical_json, digest_of
from gateway.kernel.errors import ConflictError, GatewayError, TermsUnsignedError
from gateway.kernel.ids import new_id
from tests.keylife.steps import keys_of, offer_key, put_into_force
from tests.life.steps import extra, order_of
from tests.openapi.tools import nonconforming, operations, path_of
from tests.sharing.rules import ask_for
from tests.world import (
    Running,
    World,
    build_world,
    package_of,
    propose,
    recall,
    release,
    running,
    share_with,
    source,
)

BIG = random.Random(3).randbytes((2 << 20) + 5)
TODAY = datetime.now(UTC).date()
UNTIL = (TODAY + timedelta(days=300)).isoformat()
WANTED = Wanted("case-1", "criminal", (Crime.WAR_CRIMES,), (Product.EVIDENCE,), "excluded")


@dataclass
class Seen:
    """What was answered: how it differs from the document, and which good answers there were."""

    faults: list[str] = field(default_factory=list)
    good: set[tuple[str, str]] = field(default_factory=set)
    statuses: set[int] = field(default_factory=set)


@dataclass
class Recording:
    """An HTTP client that holds every answer against the document."""

    http: aiohttp.ClientSession
    seen: Seen

    @asynccontextmanager
    async def request(
        self, method: str, url: Any, **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        async with self.http.request(method, url, **more) as response:
            try:
                yield response
            finally:
                body = b""
                with suppress(aiohttp.ClientError):
                    body = await response.read()
                self._hold(method, url.raw_path_qs, response, body)

    def _hold(
        self, method: str, target: str, response: aiohttp.ClientResponse, body: bytes
    ) -> None:
        found = nonconforming(method, target, response.status, response.headers, body)
        self.seen.faults += found
        self.seen.statuses.add(response.status)
        if response.status < 300:
            self.seen.good.add((method.lower(), str(path_of(target))))


@asynccontextmanager
async def recorded(world: World, who: str, seen: Seen) -> AsyncIterator[Session]:
    folder = open_folder(world.folder(who), None)
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        yield Session(folder, Recording(http, seen), folder.request_signer())  # type: ignore[arg-type]


class Everyone:
    """Sessions of everybody in a world, each opened at first use."""

    def __init__(self, world: World, live: Running) -> None:
        self.live = live
        self.world, self.seen = world, Seen()

    async def act(self, who: str, target: str, act: object) -> dict[str, Any]:
        async with recorded(self.world, who, self.seen) as session:
            return dict(await session.act(target, act))

    async def get(self, who: str, target: str) -> dict[str, Any]:
        async with recorded(self.world, who, self.seen) as session:
            return dict((await session.get(target)).json())

    async def head(self, who: str, target: str) -> None:
        async with recorded(self.world, who, self.seen) as session:
            await session.request("HEAD", target)


@pytest.fixture
async def everyone(tmp_path: Path) -> AsyncIterator[Everyone]:
    world = build_world(tmp_path / "world", ("xa", "xb"))
    world.add_staff("second", Role.RFA_OFFICER)
    world.sign()
    ask_for(
        world,
        "{terms: signed, expiry_days: 9}",
        "{eq: [context.case, case-signed]}",
        begun=False,
    )
    (world.root / "big.bin").write_bytes(BIG)
    (world.root / "small.txt").write_bytes(b"Who gave the order?\n")
    async with running(world) as live:
        yield Everyone(world, live)


async def rfa_answered(all_: Everyone) -> str:
    """Play an RFA from its sending to its closing; return it."""
    async with recorded(all_.world, "xa", all_.seen) as endpoint:
        rfa = str((await rfas.send(endpoint, WANTED, b"Everything on case-1."))["rfa"])
    steps, shown = f"/v1/rfas/{rfa}/steps", await all_.get("officer", f"/v1/rfas/{rfa}")
    request = shown["request"]

    def step(kind: Callable[..., object], *more: object) -> object:
        return kind(new_id("stp"), rfa, *more)

    checks = tuple(Check(name, True, "note 1") for name in CheckName)
    async with recorded(all_.world, "officer", all_.seen) as officer:
        view = await refresh_directory(officer)
        sealed = rfas.seal_for(view.party("xa-prosecutor"), b"Which years?", datetime.now(UTC))
    register = step(RegisterRfa, request, "XA-7", "case-1", "criminal", UNTIL)
    await all_.act("officer", steps, register)
    await all_.act("officer", steps, step(AssessRfa, request, checks, UNTIL))
    await all_.act("officer", steps, step(AskRfa, sealed))
    async with recorded(all_.world, "xa", all_.seen) as endpoint:
        await rfas.add(endpoint, rfa, b"All of them.", None)
    await all_.act("officer", steps, step(TellRfa, sealed))
    await all_.act("officer", steps, step(ExtendRfa, UNTIL, "It takes longer"))
    async with recorded(all_.world, "releaser", all_.seen) as releaser:
        files = [source(all_.world.root / "big.bin"), source(all_.world.root / "small.txt")]
        package, _ = await package_of(releaser, files, rfa=rfa)
        share = str((await propose(releaser, package, "xa"))["share"])
        await release(releaser, share)
    await all_.act("officer", steps, step(AnswerRfa, "packages", (share,), sealed))
    await all_.act("officer", steps, step(CloseRfa))
    await pulled(all_, share, package)
    async with recorded(all_.world, "xa", all_.seen) as endpoint:
        assert await rfas.read(endpoint, rfa)
    return rfa


async def pulled(all_: Everyone, share: str, package: str) -> None:
    """Read the inbox, pull, accept; then the share is recalled."""
    async with recorded(all_.world, "xa", all_.seen) as endpoint:
        assert await pull.inbox(endpoint)
        await endpoint.request("GET", f"/v1/shares/{share}/items/0", headers={"Range": "bytes=5-"})
        with suppress(GatewayError):
            await endpoint.request("GET", f"/v1/shares/{share}/items/0", headers={"Range": "b=5-"})
        assert 416 in all_.seen.statuses
        done = await pull.pull(endpoint, share, all_.world.root / "out", lambda _: None)
        assert (done.folder / "big.bin").read_bytes() == BIG
        for part in ("manifest", "manifest/inner", "evidence", "items/0"):
            await endpoint.request("HEAD", f"/v1/shares/{share}/{part}")
    async with recorded(all_.world, "xa-officer", all_.seen) as officer:
        await pull.acknowledge(officer, share, done.manifest, Rung.ACCEPTED)
    decided = (f"/v1/shares/{share}", f"/v1/shares/{share}/explanation?decision=0")
    for target in (*decided, f"/v1/packages/{package}/matches?items=1"):
        await all_.get("sharer", target)
        await all_.head("sharer", target)
    async with recorded(all_.world, "releaser", all_.seen) as releaser:
        await recall(releaser, share)


async def held(all_: Everyone) -> None:
    """Propose what is held until somebody approves and a source was consulted."""
    async with recorded(all_.world, "sharer", all_.seen) as sharer:
        files = [source(all_.world.root / "small.txt", sgbv=True)]
        package, records = await package_of(sharer, files)
        share = await propose(sharer, package, "xb")
        assert share["outcome"] == "hold", share
    await all_.get("legal", f"/v1/shares/{share['share']}/explanation")
    await all_.get("legal", f"/v1/packages/{package}/matches")
    items = build(share["items"], tuple[ReleaseItem, ...])
    about = (share["share"], share["recipient"])
    basis = share["bases"]["approval:legal_adviser"]
    approve = Approve(new_id("clr"), *about, Role.LEGAL_ADVISER, basis, items)
    await all_.act("legal", f"/v1/shares/{share['share']}/approvals", approve)
    consult = Consult(new_id("clr"), *about, "source", "1" * 64, basis, items)
    with suppress(GatewayError):  # nobody asked for it; the refusal is an answer as well
        await all_.act("liaison", f"/v1/shares/{share['share']}/approvals", consult)
    item = records[0].item
    await facts(all_, item)


async def kept_back(all_: Everyone) -> None:
    """Propose what is denied and may speak for a suspect; a reviewer looks at it."""
    async with recorded(all_.world, "releaser", all_.seen) as releaser:
        files = [
            source(all_.world.root / "small.txt", consent__status="refused", exculpatory=True),
            source(all_.world.root / "big.bin"),
        ]
        package, _ = await package_of(releaser, files, case="case-denied")
        assert (await propose(releaser, package, "xb"))["state"] == "denied"
    (waits,) = (await all_.get("sharer", "/v1/status"))["withheld"]
    (mine,) = (await all_.get("reviewer", "/v1/approvals"))["review"]
    assert mine["withheld"] == waits["withheld"]
    target = f"/v1/withheld/{mine['withheld']}/review"
    act = ReviewWithheld(new_id("rvw"), mine["withheld"], Finding.UPHELD, "It was refused")
    await all_.act("reviewer", target, act)
    with suppress(ConflictError):
        await all_.act("reviewer", target, msgspec.structs.replace(act, id=new_id("rvw")))
    assert (await all_.get("officer", "/v1/withheld"))["withheld"][0]["review"]


async def terms_signed(all_: Everyone) -> None:
    """Release a share whose terms an officer has to sign; it is served after that."""
    async with recorded(all_.world, "releaser", all_.seen) as releaser:
        files = [source(all_.world.root / "small.txt")]
        package, _ = await package_of(releaser, files, case="case-signed")
        share = str((await propose(releaser, package, "xa"))["share"])
        await release(releaser, share)
    async with recorded(all_.world, "xa", all_.seen) as endpoint:
        with pytest.raises(TermsUnsignedError):
            await endpoint.get(f"/v1/shares/{share}/items/0")
        _, _, said = await pull.offered(endpoint, share)
        async with recorded(all_.world, "xa-officer", all_.seen) as officer:
            await terms.sign(officer, said)
        await endpoint.get(f"/v1/shares/{share}/items/0")
    assert (await all_.get("sharer", f"/v1/shares/{share}"))["terms_signed"]
    (found,) = (await all_.get("sharer", "/v1/status"))["expiring"]
    assert found["share"] == share
    async with recorded(all_.world, "releaser", all_.seen) as releaser:
        await recall(releaser, share)


async def abandoned(all_: Everyone) -> None:
    """Begin an upload and give it up."""
    upload, tus = new_id("upl"), {"Tus-Resumable": "1.0.0"}
    body = canonical_json({"act": plain(OpenUpload(upload, 5, "pq")), "sig2": None})
    async with recorded(all_.world, "sharer", all_.seen) as sharer:
        sized = {**tus, "Upload-Length": "5"}
        await sharer.request("POST", "/v1/uploads", body, sized)
        await sharer.request("DELETE", f"/v1/uploads/{upload}", headers=tus)


async def facts(all_: Everyone, item: str) -> None:
    """Attest, amend, declare; and enter an RFA from paper whose scan is the item."""
    evidence = Evidence("document", "1" * 64, "Note verbale")
    day = TODAY.isoformat()
    fact = ("recipient.competent", True)
    attest = Attest(new_id("att"), *fact, "XA", evidence, day, UNTIL)
    await all_.act("legal", "/v1/attestations", attest)
    await all_.get("legal", "/v1/attestations")
    end = EndAttestation(attest.id, "It was withdrawn")
    await all_.act("legal", f"/v1/attestations/{attest.id}/end", end)
    said = (await all_.get("liaison", f"/v1/items/{item}"))["facts"]
    changed = {**said, "item.sgbv": False}
    amend = Amend(new_id("amd"), item, digest_of(said), changed, evidence)
    await all_.act("liaison", f"/v1/items/{item}/amendments", amend)
    await derived(all_, item)
    rows = (
        DeclaredRfa("XA-2019-0003", "xa-prosecutor", "INV-2", "2019-05-02", "answered"),
        DeclaredShare("S-12", "xa-prosecutor", "evidence", "criminal", "2019-08-30"),
        DeclaredHolder("2" * 64, "xa-prosecutor", "criminal", "2019-08-30"),
    )
    await all_.act("auditor", "/v1/declarations", Declare(new_id("dcl"), "1" * 64, rows))
    record = RecordRfa(
        new_id("stp"), new_id("rfa"), all_.world.party("xb"), WANTED, item, day, "XB-1", UNTIL
    )
    await all_.act("officer", "/v1/rfas/paper", record)


async def derived(all_: Everyone, original: str) -> None:
    """Deposit what was made from an item, attest it, and look at both."""
    note, made = all_.world.root / "small.txt", all_.world.root / "redacted.txt"
    made.write_bytes(b"Who gave the [removed]?\n")
    about = replace(source(made), relation=relation_to(original, ("location",)))
    async with recorded(all_.world, "sharer", all_.seen) as sharer:
        item = (await push.deposit(sharer, about, lambda _: None)).item
        act = Derive(
            new_id("drv"), item, push.digest_file(made).sha256, original,
            push.digest_file(note).sha256, "by hand", ("location",), "none", None,
            (DerivationCheck("values absent", True, "1 value, 0 found"),),
        )  # fmt: skip
        await derive.attest(sharer, act)
        with suppress(ConflictError):
            await derive.attest(sharer, msgspec.structs.replace(act, id=new_id("drv")))
    for name in (item, original):
        shown = await all_.get("sharer", f"/v1/items/{name}")
        assert (shown["derivation"] is None, len(shown["derivatives"])) == (
            name == original, name == original,
        )  # fmt: skip


async def suspended(all_: Everyone) -> None:
    """Release a share to an authority of a state of which something is attested then that forbids it."""
    async with recorded(all_.world, "releaser", all_.seen) as releaser:
        package, _ = await package_of(releaser, [source(all_.world.root / "small.txt")])
        share = str((await propose(releaser, package, "xb"))["share"])
        await release(releaser, share)
    evidence, day = Evidence("document", "1" * 64, "Report"), TODAY.isoformat()
    attest = Attest(new_id("att"), "recipient.fair_trial", "excluded", "XB", evidence, day, UNTIL)
    await all_.act("legal", "/v1/attestations", attest)
    (found,) = (await all_.get("legal", "/v1/suspensions"))["suspended"]
    assert (found["share"], found["why"]["cause"]) == (share, "decision")


async def rotated(all_: Everyone) -> None:
    """Give an authority a new key, have two persons vouch for it, wrap a share anew; see what the old could open."""
    (old,) = keys_of(all_.world, "xa")
    share = await share_with(all_.world, "xa", [source(all_.world.root / "small.txt")])
    name = offer_key(all_.world, "xa")
    await put_into_force(all_.live)
    async with recorded(all_.world, "officer", all_.seen) as officer:
        await key_ceremony.challenge(officer, name)
    await all_.head("xa", "/v1/key-challenges")
    async with recorded(all_.world, "xa", all_.seen) as endpoint:
        await key_ceremony.prove(endpoint)
    for who in ("officer", "legal"):
        async with recorded(all_.world, who, all_.seen) as person:
            await key_ceremony.confirm(person, name, "by telephone")
    act = RewrapShare(new_id("rwp"), share)
    await all_.act("sharer", f"/v1/shares/{share}/rewrap", act)
    due = f"/v1/authorities/{all_.world.party('xa')}/rewraps"
    async with recorded(all_.world, "releaser", all_.seen) as releaser:
        await recall(releaser, share)
    for target in (due, "/v1/keys", f"/v1/keys/{fingerprint(old)}/exposure"):
        await all_.get("auditor", target)
        await all_.head("auditor", target)


async def ruled(all_: Everyone) -> None:
    """Look at a policy set that stops something, sign it off, put it into force; look at a decision."""
    extra(all_.world, "{eq: [item.sgbv, false]}")
    made = all_.world.sign_policy(untested=True)
    order = order_of(all_.world)
    look = PreviewPolicy(order.manifest, order.signature, order.files)
    seen = await all_.act("auditor", "/v1/policy/preview", look)
    assert (seen["number"], seen["problems"], len(seen["flips"]) > 0) == (2, [], True)
    agree = SignOffPolicy(new_id("sgn"), made.digest, seen["flips_digest"])
    await all_.act("legal", "/v1/policy/signoffs", agree)
    await all_.act("author1", "/v1/policy/sets", order)
    share = (await all_.get("sharer", "/v1/shares"))["shares"][0]["share"]
    one = (await all_.get("sharer", f"/v1/shares/{share}/decisions"))["decisions"][0]
    for target in (
        f"shares/{share}/decisions", f"decisions/{one['digest']}", "policy/sets", "policy/sets/2",
    ):  # fmt: skip
        await all_.get("auditor", f"/v1/{target}")
        await all_.head("auditor", f"/v1/{target}")


async def looked_at(all_: Everyone, rfa: str) -> None:
    """Read everything there is to read, with and without its body."""
    kept = ("withheld", "withheld?open=1", f"rfas/{rfa}/withheld")
    staff = (
        *kept,
        "shares",
        "rfas",
        f"rfas/{rfa}",
        "attestations",
        "declarations",
        "approvals",
        "status",
    )
    cursors = ("suspensions", "events", "events?after=0", "events?after=999999&wait=1")
    ledger = ("checkpoint", "consistency?old=1&new=3", "entries", "proof?index=0")
    message = (await all_.get("xa", f"/v1/rfas/{rfa}"))["messages"][0]["id"]
    item = (await all_.get("sharer", "/v1/shares"))["shares"][0]["share"]
    item = (await all_.get("sharer", f"/v1/shares/{item}"))["items"][0]["item"]
    targets = [
        *(("second", f"/v1/{name}") for name in (*staff, *cursors)),
        *(("second", f"/v1/items/{item}{more}") for more in ("", "/holders")),
        *(("auditor", f"/v1/ledger/{name}") for name in ledger),
        *(("xa", f"/v1/{name}") for name in ("inbox", "directory", "rfas", f"rfas/{rfa}")),
        ("xa", f"/v1/rfas/{rfa}/messages/{message}"),
        ("xa", "/v1/ledger/entries"),
        ("xa", "/v1/openapi.json"),
        ("sharer", "/v1/directory"),
    ]
    for who, target in targets:
        async with recorded(all_.world, who, all_.seen) as session:
            await session.get(target)
            await session.request("HEAD", target)


async def refused(all_: Everyone, rfa: str) -> None:
    """Be refused in the ways that people are."""
    scan = (await all_.get("sharer", "/v1/shares"))["shares"][0]["share"]
    scan = (await all_.get("sharer", f"/v1/shares/{scan}"))["items"][0]["item"]
    party, day = all_.world.party("xa"), TODAY.isoformat()
    again = RecordRfa(new_id("stp"), rfa, party, WANTED, scan, day, "XA-8", UNTIL)
    with pytest.raises(ConflictError, match="RFA with this id"):
        await all_.act("officer", "/v1/rfas/paper", again)
    share, package = new_id("shr"), new_id("pkg")
    attempts = (
        ("xb", f"/v1/shares/{share}/manifest", None),
        ("xb", "/v1/shares", None),
        ("sharer", "/v1/inbox", None),
        ("xa", "/v1/inbox?wait=61", None),
        ("sharer", "/v1/shares", Propose(share, package, all_.world.party("xa"))),
        ("xa", "/v1/shares", Propose(share, package, all_.world.party("xa"))),
    )
    for who, target, act in attempts:
        with pytest.raises(GatewayError):
            await (all_.get(who, target) if act is None else all_.act(who, target, act))
    assert {400, 403, 404} <= all_.seen.statuses


async def test_every_operation_answers_what_the_document_says(everyone: Everyone) -> None:
    """All of them are called, and no answer, good or bad, has more, less or other than is written."""
    await rotated(everyone)
    rfa = await rfa_answered(everyone)
    await terms_signed(everyone)
    await held(everyone)
    await kept_back(everyone)
    await abandoned(everyone)
    await suspended(everyone)
    await looked_at(everyone, rfa)
    await refused(everyone, rfa)
    await ruled(everyone)
    assert everyone.seen.faults == [], "\n".join(everyone.seen.faults)
    called = everyone.seen.good
    missing = {(m, p) for m, p, _ in operations()} - called
    assert missing == set(), "operations that nobody called with success"
    assert push.PART > len(BIG) > 1 << 20, "one part, and more than the smallest free range"
