"""What an authority pulls over HTTP is an age file that other implementations open, and theirs is ours."""

import io
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.client.session import Session
from gateway.envelope import Identity, Suite, generate_identity, unseal_stream
from gateway.kernel.encoding import hex_sha256, parse_json
from tests.interop.tools import OPENERS, SEALERS, Open, Seal
from tests.world import World, build_world, running, session, share_with, source

SIZES = (0, 1, 65535, 65536, 65537, 3 << 20)
CODE = {Suite.CLASSIC: "xa", Suite.PQ: "xb"}


@dataclass
class Pull:
    """A share as the wire brought it, and the identity that opens it."""

    identity: Identity
    items: list[bytes]
    inner: bytes


def plaintext(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def pull_all(endpoint: Session, share: str) -> Pull:
    items = [(await endpoint.get(f"/v1/shares/{share}/items/{n}")).body for n in range(len(SIZES))]
    inner = (await endpoint.get(f"/v1/shares/{share}/manifest/inner")).body
    return Pull(endpoint.folder.identities()[0], items, inner)


async def share_and_pull(world: World, suite: Suite) -> Pull:
    sources = []
    for size in SIZES:
        path = world.root / f"{suite.value}-{size}.bin"
        path.write_bytes(plaintext(size))
        sources.append(source(path, suite=suite.value))
    share = await share_with(world, CODE[suite], sources)
    async with session(world, CODE[suite]) as endpoint:
        return await pull_all(endpoint, share)


@pytest.fixture
async def pulls(tmp_path: Path) -> dict[Suite, Pull]:
    world = build_world(tmp_path / "world", {code: suite for suite, code in CODE.items()})
    async with running(world):
        return {suite: await share_and_pull(world, suite) for suite in Suite}


async def test_a_pulled_item_opens_with_age_and_with_the_npm_package(
    pulls: dict[Suite, Pull], tmp_path: Path
) -> None:
    for suite, opener in OPENERS:
        pulled = pulls[suite]
        for size, item in zip(SIZES, pulled.items, strict=True):
            assert opener(pulled.identity, item, tmp_path) == plaintext(size), (opener, size)


async def test_the_inner_manifest_opens_with_age_and_with_the_npm_package(
    pulls: dict[Suite, Pull], tmp_path: Path
) -> None:
    for suite, opener in OPENERS:
        pulled = pulls[suite]
        inner = parse_json(opener(pulled.identity, pulled.inner, tmp_path))
        assert isinstance(inner, dict)
        items = inner["items"]
        assert isinstance(items, list)
        digests = [hex_sha256(plaintext(size)) for size in SIZES]
        assert [item["particulars"]["sha256"] for item in items] == digests  # type: ignore[index,call-overload]


@pytest.mark.parametrize(("suite", "seal"), SEALERS)
@pytest.mark.parametrize("size", SIZES)
def test_what_others_seal_opens_with_ours(
    suite: Suite, seal: Seal, size: int, tmp_path: Path
) -> None:
    identity = generate_identity(suite)
    sealed = seal(identity.recipient, plaintext(size), tmp_path)
    assert b"".join(unseal_stream(io.BytesIO(sealed), [identity])) == plaintext(size)


@pytest.mark.parametrize(("suite", "opener"), OPENERS)
def test_others_refuse_what_was_cut(suite: Suite, opener: Open, tmp_path: Path) -> None:
    identity = generate_identity(suite)
    seal = next(seal for known, seal in reversed(SEALERS) if known is suite)
    sealed = seal(identity.recipient, plaintext(65537), tmp_path)
    with pytest.raises(AssertionError):
        opener(identity, sealed[:-1], tmp_path)
