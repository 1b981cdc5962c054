"""The document says of every route what it is, and of nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.exchange.acts import RIGHTS, AcceptHead
from gateway.web.app import make_app, routes_of
from gateway.web.openapi import document as made
from gateway.web.openapi.schemas import PREFIX
from tests.openapi.tools import DOCUMENT, faults, follow, operations
from tests.web.harness import exchange, head_of
from tests.world import Running, build_world, running

OPERATIONS = list(operations())
IDS = [f"{method}-{path}" for method, path, _ in OPERATIONS]


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Running]:
    world = build_world(tmp_path / "world", ())
    async with running(world) as found:
        yield found


async def test_every_route_stands_in_the_document_and_nothing_else_does(live: Running) -> None:
    routes = routes_of(make_app(live.gateway))
    assert len(routes) == len(set(routes))
    said = {(method.upper(), path) for method, path, _ in OPERATIONS}
    assert set(routes) == said
    assert set(made.described()) == said, "an operation is described whose route is gone"


async def test_anyone_gets_the_document_and_it_is_the_one_tested_here(live: Running) -> None:
    port = live.world.config.port
    answer = await exchange(port, head_of("GET", "/v1/openapi.json"))
    assert answer.status == 200 and answer.json() == DOCUMENT
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    head = await exchange(port, head_of("HEAD", "/v1/openapi.json"), "HEAD")
    assert (head.status, head.headers["content-length"]) == (200, str(len(answer.body)))


async def test_the_document_names_nobody_and_no_place(live: Running) -> None:
    """It is the same for every gateway: no party, person, address or release stands in it."""
    text = json.dumps(DOCUMENT)
    parties = live.gateway.sets.directory.parties
    names = {name for party in parties for name in (party.id, *(m.id for m in party.members))}
    assert not [name for name in names if name in text]
    assert live.url not in text and "127.0.0.1" not in text and "servers" not in DOCUMENT


def test_the_document_is_valid_openapi_3_1() -> None:
    assert [str(error.message) for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_the_validator_sees_what_is_wrong() -> None:
    broken = json.loads(json.dumps(DOCUMENT))
    broken["paths"]["/v1/inbox"]["get"]["parameters"][0]["in"] = "nowhere"
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [one["operationId"] for _, _, one in OPERATIONS]
    assert len(names) == len(set(names))


def test_every_act_that_has_a_route_stands_in_a_body() -> None:
    text = json.dumps(DOCUMENT["paths"])
    named = {kind for kind in RIGHTS if f'"{PREFIX}{kind.__name__}"' in text}
    assert set(RIGHTS) - named == {AcceptHead}, "performed on the stopped instance alone"


def test_every_schema_is_referred_to_from_an_operation() -> None:
    def reach(said: Any, seen: set[str]) -> None:
        if isinstance(said, list):
            for one in said:
                reach(one, seen)
        elif isinstance(said, dict):
            target = said.get("$ref")
            if isinstance(target, str) and target not in seen:
                seen.add(target)
                reach(follow(said), seen)
            for one in said.values():
                reach(one, seen)

    seen: set[str] = set()
    reach(DOCUMENT["paths"], seen)
    spare = {name for name in DOCUMENT["components"]["schemas"] if PREFIX + name not in seen}
    # Sealed, so that no body shows it, and the token, which is a header: described for readers.
    assert spare - {"Claims", "Inner", "OpenItem", "BodyParts"} == set()


@pytest.mark.parametrize(("method", "path", "one"), OPERATIONS, ids=IDS)
def test_every_example_conforms(method: str, path: str, one: dict[str, Any]) -> None:
    for parameter in one["parameters"]:
        if "example" in parameter:
            assert faults(parameter["schema"], parameter["example"]) == []
    bodies = list(one.get("requestBody", {}).get("content", {}).values())
    for answer in one["responses"].values():
        bodies += follow(answer).get("content", {}).values()
    for body in bodies:
        for name, example in body.get("examples", {}).items():
            assert faults(body["schema"], example["value"]) == [], name
    if "requestBody" in one and "binary" not in str(bodies[0]) and "schema" in bodies[0]:
        octets = bodies[0]["schema"] == {"description": "Bytes."}
        assert octets or bodies[0]["examples"], "a body without an example"


def test_an_example_that_does_not_conform_is_found() -> None:
    body = DOCUMENT["paths"]["/v1/shares"]["post"]["requestBody"]["content"]["application/json"]
    value = json.loads(json.dumps(body["examples"]["Propose"]["value"]))
    value["act"]["share"] = "shr_1"
    assert len(faults(body["schema"], value)) == 1


@pytest.mark.parametrize(("method", "path", "one"), OPERATIONS, ids=IDS)
def test_every_error_is_a_problem(method: str, path: str, one: dict[str, Any]) -> None:
    for status, answer in one["responses"].items():
        if int(status) >= 400:
            assert list(follow(answer)["content"]) == ["application/problem+json"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/inbox", {"GET", "HEAD"}),
        ("GET", "/v1/uploads", {"POST"}),
        ("GET", "/v1/rfas/paper", {"POST"}),
    ],
)
async def test_a_method_that_is_not_is_405_and_says_which_are(
    live: Running, method: str, path: str, allowed: set[str]
) -> None:
    """RFC 9110, section 15.5.6. A path of its own is not taken for an id either."""
    answer = await exchange(live.world.config.port, head_of(method, path))
    answer.problem(405)
    assert set(answer.headers["allow"].split(",")) == allowed


async def test_every_operation_refuses_a_request_without_a_token_unless_it_says_otherwise(
    live: Running,
) -> None:
    for method, path, one in OPERATIONS:
        if method == "get":
            url = live.url + path.replace("{n}", "0").replace("{", "").replace("}", "")
            status = await _status(url)
            assert status == (200 if one.get("security") == [] else 401), path


async def _status(url: str) -> int:
    def ask() -> int:
        try:
            with urlopen(Request(url), timeout=20) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code

    return await asyncio.to_thread(ask)
