"""Attestations as they come to bear on what was released."""

from datetime import timedelta

import pytest

from gateway.exchange.acts import Attest, EndAttestation, Evidence
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.ids import new_id
from tests.web.conftest import Scene
from tests.web.test_stops import pulls

NOTE = Evidence("document", hex_sha256(b"note"), "note.pdf")


def day(scene: Scene, days: int) -> str:
    return (scene.live.now() + timedelta(days=days)).date().isoformat()


async def attest(scene: Scene, begins: int) -> str:
    act = Attest(
        new_id("att"), "recipient.fair_trial", "ok", "XA", NOTE, day(scene, begins), day(scene, 9)
    )
    assert (await scene.be("legal").act("/v1/attestations", act)).status == 201
    return act.id


async def end(scene: Scene, attestation: str) -> None:
    act = EndAttestation(attestation, "it was a mistake")
    answer = await scene.be("legal").act(f"/v1/attestations/{attestation}/end", act)
    assert answer.status == 200


@pytest.mark.parametrize(("begins", "after"), [(2, [200] * 4), (0, [409] * 4)])
async def test_an_attestation_ended_before_it_began_says_nothing_one_that_began_leaves_it_unknown(
    scene: Scene, begins: int, after: list[int]
) -> None:
    attestation = await attest(scene, begins)
    assert await pulls(scene, scene.shares.ours) == [200] * 4
    await end(scene, attestation)
    scene.live.skew = timedelta(days=3)
    assert await pulls(scene, scene.shares.ours) == after
    assert await pulls(scene, scene.shares.theirs, "xb") == [200] * 4
