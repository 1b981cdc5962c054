"""Thousands of requests made from the document: none is answered with a defect, or otherwise than it says.

Each request is signed as its sender would sign it, so that it is judged by what is in it; a second run
signs nothing. Ids that are there take the place of made-up ones in every other request, since nothing
lies behind an invented one.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from requests.auth import AuthBase
from schemathesis import hooks
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from gateway.client import rfas
from gateway.client.profile import KeyFolder, open_folder
from gateway.client.push import TUS
from gateway.exchange import tokens
from gateway.exchange.acts import OpenUpload, Product, Wanted
from gateway.exchange.parse import plain
from gateway.exchange.rfa_acts import Crime
from gateway.kernel.encoding import canonical_json, sha256
from gateway.kernel.ids import new_id
from gateway.web.openapi.document import described
from gateway.web.openapi.operation import Caller
from tests.openapi.tools import path_of
from tests.world import (
    STAFF,
    World,
    build_world,
    package_of,
    propose,
    release,
    running,
    session,
    source,
)

pytestmark = pytest.mark.slow

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
"""Left out: `positive_data_acceptance`, since a well-formed request is lawfully refused with 400 for what no
schema says (an act on another share than the path names, an Upload-Length that the act does not state, a
value that the vocabulary in force does not know); `missing_required_header`, since a
token that is missing is found by the unsigned run; and those about resources that are created and deleted
by plain calls, which orders are not."""
REFUSED = {
    # A range that is none is 416, a body that is not asked for 413.
    "negative_data_rejection": {
        "enabled": True,
        "expected-statuses": ["400", "401", "403", "404", "405", "409", "413", "416", "422", "429"],
    }
}
TUS_PART = "application/offset+octet-stream"
schemathesis.serializer.alias(TUS_PART, "application/octet-stream")
schemathesis.openapi.media_type(TUS_PART, st.binary(max_size=3))
SECONDS = 60  # for each of the two runs
EXAMPLES = 12  # of each operation and mode, beside the systematic ones
MANY = 8  # persons who take turns: each key has only so many refusals a minute
INSIDE = tuple(dict.fromkeys(role for roles in STAFF.values() for role in roles))
OPERATIONS = {f"{method} {path}" for method, path in described()}
OUTSIDE = {Caller.ENDPOINT, Caller.AUTHORITY, Caller.RECIPIENT, Caller.RECEIPTING}


@dataclass
class There:
    """What is there to be asked for."""

    world: World
    ids: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> There:
    """A world in which there is one of each thing, and people with every role."""
    world = build_world(tmp_path_factory.mktemp("api"), ("xa",))
    for n in range(MANY):
        # Without envelope keys: what authorities send is sealed to at most eight.
        world._member("mechanism", f"Person {n}", INSIDE, f"all-{n}", person=True)
    world.sign()
    made = There(world)
    asyncio.run(_fill(made))
    return made


async def _fill(there: There) -> None:
    path = there.world.root / "statement.txt"
    path.write_bytes(b"Who gave the order?\n")
    wanted = Wanted("case-1", "criminal", (Crime.WAR_CRIMES,), (Product.EVIDENCE,), "excluded")
    async with running(there.world):
        async with session(there.world, "xa") as endpoint:
            sent = await rfas.send(endpoint, wanted, b"Everything on case-1.")
        async with session(there.world, "releaser") as releaser:
            package, records = await package_of(releaser, [source(path)])
            share = str((await propose(releaser, package, "xa"))["share"])
            await release(releaser, share)
        async with session(there.world, "all-0") as first:
            act = OpenUpload(new_id("upl"), 1, "pq")
            body = canonical_json({"act": plain(act), "sig2": None})
            await first.request("POST", "/v1/uploads", body, {**TUS, "Upload-Length": "1"})
    there.ids = {
        "upload": act.id,
        "share": share,
        "package": package,
        "item": records[0].item,
        "rfa": str(sent["rfa"]),
        "message": str(sent["message"]),
        "recipient": there.world.party("xa"),
        "authority": there.world.party("xa"),
        "n": "0",
    }


class Signing(AuthBase):
    """Signs each request as it goes on the wire, as one who may send it."""

    def __init__(self, world: World) -> None:
        self._endpoint = open_folder(world.folder("xa"), None)
        self._inside = [open_folder(world.folder(f"all-{n}"), None) for n in range(MANY)]
        self._turns = itertools.cycle(self._inside)

    def __call__(self, made: requests.PreparedRequest) -> requests.PreparedRequest:
        method, target = str(made.method), made.path_url
        body = made.body or b""
        assert isinstance(body, str | bytes), "nothing is streamed"
        raw = body.encode() if isinstance(body, str) else body
        made.headers["Authorization"] = f"Bearer {self._token(method, target, raw)}"
        return made

    def _token(self, method: str, target: str, body: bytes) -> str:
        folder = self._who(method, target)
        return tokens.make(
            folder.request_signer(),
            issuer=folder.profile.actor,
            audience=folder.profile.audience,
            request=tokens.Request(method, target, sha256(body)),
            now=datetime.now(UTC),
        )

    def _who(self, method: str, target: str) -> KeyFolder:
        one = described().get((method, path_of(target) or ""))
        caller = one.caller if one is not None else Caller.MECHANISM
        if caller is Caller.UPLOADER:
            return self._inside[0]
        return self._endpoint if caller in OUTSIDE else next(self._turns)


@dataclass
class Run:
    """A run as it went."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def take(self, event: events.EngineEvent) -> None:
        """Count what an event of the engine says."""
        if isinstance(event, events.ScenarioFinished):
            self._scenario(event.recorder)
        elif isinstance(event, events.NonFatalError):
            self.failures.append(f"{event.label}: {event.value}")
        elif isinstance(event, events.FatalError):
            raise event.exception

    def _scenario(self, recorder: Any) -> None:
        self.cases += len(recorder.interactions)
        for interaction in recorder.interactions.values():
            if interaction.response is not None:
                self.statuses[interaction.response.status_code] += 1
                self.operations.add(recorder.label)
        for name, nodes in recorder.checks.items():
            for node in nodes:
                self.checks[node.name] += 1
                if node.status is Status.FAILURE:
                    self.failures.append(f"{recorder.label}: {self._told(node, recorder, name)}")

    def _told(self, node: Any, recorder: Any, name: str) -> str:
        failure = node.failure_info.failure
        response = recorder.interactions[name].response
        request = recorder.interactions[name].request
        said = response.content[:300] if response is not None else b""
        sent = (request.method, request.uri, (request.body or b"")[:300])
        return f"{node.name}: {failure.title}: {failure.message[:300]} | {sent} | {said!r}"


def play(url: str, auth: AuthBase | None, ids: dict[str, str]) -> Run:
    """Play everything that the document allows and forbids against *url*."""
    config = SchemathesisConfig.from_dict(
        {
            "base-url": url,
            "max-time": SECONDS,
            "request-timeout": 20,
            "continue-on-failure": True,
            "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}, **REFUSED},
            "generation": {
                "max-examples": EXAMPLES,
                "deterministic": True,
                "no-shrink": True,
                "with-security-parameters": False,  # each is signed, or none
            },
            "phases": {"stateful": {"enabled": False}},
            # An If-Range that names another ETag asks for the whole: then no Range is wrong.
            "operations": [
                {
                    "include-path": "/v1/shares/{share}/items/{n}",
                    "checks": {"negative_data_rejection": {"enabled": False}},
                }
            ],
        }
    )
    served = requests.get(f"{url}/v1/openapi.json", timeout=20).json()
    schema = schemathesis.openapi.from_dict(served, config=config)
    if auth is not None:
        schema.auth.set_from_requests(auth)
    made = Run()
    with _changed(ids):
        for event in from_schema(schema).execute():
            made.take(event)
    return made


@contextmanager
def _changed(ids: dict[str, str]) -> Iterator[None]:
    """Change each case before it is sent: waits for nothing, and every other time asks for what is there."""
    turns = itertools.count()

    @schemathesis.hook
    def before_call(context: Any, case: Any, kwargs: Any) -> None:
        query = case.query or {}
        if str(query.get("wait", "")).isdigit() and int(query["wait"]) <= 60:
            query["wait"] = 0
        if next(turns) % 2:
            _put(case, ids)

    try:
        yield
    finally:
        hooks.unregister(before_call)


def _put(case: Any, ids: dict[str, str]) -> None:
    """Put ids that are there into a case that is meant to be good."""
    if case.meta is not None and case.meta.generation.mode.is_negative:
        return
    for name in case.path_parameters or {}:
        case.path_parameters[name] = ids.get(name, case.path_parameters[name])
    if "Upload-Offset" in (case.headers or {}):
        case.headers["Upload-Offset"] = "0"
    act = case.body.get("act") if isinstance(case.body, dict) else None
    if isinstance(act, dict):
        act.update({name: ids[name] for name in act if name in ids})


@pytest.fixture
async def url(there: There) -> AsyncIterator[str]:
    async with running(there.world) as live:
        yield live.url


def told(what: str, made: Run) -> str:
    lines = [f"{what}: {made.cases} cases of {len(made.operations)} operations"]
    lines += [f"statuses: {dict(sorted(made.statuses.items()))}", f"checks: {dict(made.checks)}"]
    return "\n".join([*lines, f"{len(made.failures)} failures", *made.failures[:40]])


async def test_signed_requests_are_answered_as_the_document_says(there: There, url: str) -> None:
    made = await asyncio.to_thread(play, url, Signing(there.world), there.ids)
    print(told("signed", made))
    assert made.failures == []
    assert made.operations == OPERATIONS, "not every operation had its turn"
    assert {200, 201, 400, 404} <= set(made.statuses)
    assert made.statuses[401] * 20 < made.cases, "they were refused unread: the signing is wrong"


async def test_unsigned_requests_are_answered_as_the_document_says(there: There, url: str) -> None:
    made = await asyncio.to_thread(play, url, None, there.ids)
    print(told("unsigned", made))
    assert made.failures == []
    assert made.operations == OPERATIONS
    assert not any(status < 300 and status != 200 for status in made.statuses)
