"""The digests of an upload are those of what is durable, however its parts came."""

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.envelope import CHUNK, PartDigests, parts
from gateway.exchange.acts import Complete, OpenUpload, Particulars
from gateway.kernel.errors import NotFoundError, UnavailableError, VerificationError
from gateway.kernel.ids import new_id
from gateway.store import uploads
from gateway.workflows import deposit, digests
from gateway.workflows.digests import Tallies
from tests.stateful.driver import Driver
from tests.world import PLAIN, build_world

PART = 150_000  # bytes of a part of a body here
PIECES = [random.Random(n).randbytes(CHUNK) for n in range(4)] + [b"the end"]
WHOLE = b"".join(PIECES)


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    made = Driver(build_world(tmp_path, ()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART", PART)
        made.start()
        yield made
        made.stop()


@pytest.fixture
def read_back(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note which parts are read back."""
    seen: list[int] = []
    whole = digests._read_back

    def noting(blobs, body, found, executor):  # type: ignore[no-untyped-def]
        seen.extend(part.n for part in found)
        return whole(blobs, body, found, executor)

    monkeypatch.setattr(digests, "_read_back", noting)
    return seen


def begin(driver: Driver) -> str:
    upload = new_id("upl")
    act = OpenUpload(upload, len(WHOLE), "pq")
    driver.act("sharer", "/v1/uploads", act, deposit.open_upload)
    return upload


def send(driver: Driver, upload: str, *numbers: int) -> None:
    for n in numbers:
        signed = driver.signed("sharer", "PATCH", f"/v1/uploads/{upload}", PIECES[n])
        driver.perform(signed, deposit.put_part, upload, n * CHUNK, PIECES[n])


def complete(driver: Driver, upload: str) -> str:
    """Complete an upload; check every digest by what lies in the blob store; return the item."""
    stated = tuple(hashlib.sha256(piece).hexdigest() for piece in PIECES)
    sha256 = hashlib.sha256(WHOLE).hexdigest()
    said = Particulars("a.bin", "application/octet-stream", "E-1", len(WHOLE), sha256)
    act = Complete(upload, said, PLAIN, "standard", stated)
    target = f"/v1/uploads/{upload}/complete"
    made = driver.act("sharer", target, act, deposit.complete, upload)
    body = b"".join(
        b"".join(driver.gateway.blobs.read(str(part.blob))) for part in parts_of(driver, upload)
    )
    assert made["body"] == hashlib.sha256(body).hexdigest()
    expected = PartDigests()
    expected.update(body)
    with driver.gateway.engine.connect() as conn:
        found = uploads.body_parts_of(conn, str(made["item"]))
    assert found == expected.digests()
    assert len(found) == 2
    return str(made["item"])


def parts_of(driver: Driver, upload: str) -> list[uploads.Part]:
    with driver.gateway.engine.connect() as conn:
        return uploads.parts_of(conn, upload)


def test_parts_that_come_in_turn_are_not_read_again(driver: Driver, read_back: list[int]) -> None:
    upload = begin(driver)
    send(driver, upload, 0, 1, 1, 2, 3, 3, 4)  # some of them again, as after a lost answer
    complete(driver, upload)
    assert read_back == []


def test_after_a_restart_the_digests_are_taken_from_what_is_durable(
    driver: Driver, read_back: list[int]
) -> None:
    upload = begin(driver)
    send(driver, upload, 0, 1, 2)
    driver.restart()
    send(driver, upload, 3, 4)
    complete(driver, upload)
    assert read_back == [0, 1, 2, 3, 4]


def test_a_part_that_another_server_took_is_read_back(driver: Driver, read_back: list[int]) -> None:
    upload = begin(driver)
    here, there = driver.gateway.tallies, Tallies()
    for n in range(5):
        driver.gateway.tallies = there if n in (2, 4) else here
        send(driver, upload, n)
    complete(driver, upload)
    assert read_back == [0, 1, 2, 3, 4]


def test_a_part_that_failed_to_become_durable_is_not_counted_twice(
    driver: Driver, read_back: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begin(driver)
    send(driver, upload, 0, 1)
    with monkeypatch.context() as patch:
        patch.setattr("os.write", _full)
        with pytest.raises(UnavailableError, match="is full"):
            send(driver, upload, 2)
    send(driver, upload, 2, 3, 4)
    complete(driver, upload)
    assert read_back == [0, 1, 2, 3, 4]


def _full(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_part_that_is_gone_or_cut_when_the_upload_is_completed_is_found(driver: Driver) -> None:
    for spoil, error in ((Path.unlink, NotFoundError), (_cut, VerificationError)):
        upload = begin(driver)
        send(driver, upload, 0, 1, 2, 3, 4)
        blob = driver.gateway.blobs._path(str(parts_of(driver, upload)[2].blob))
        spoil(blob)
        with pytest.raises(error):
            complete(driver, upload)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def test_uploads_beyond_a_number_have_no_tally(
    driver: Driver, read_back: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_TALLIES", 2)
    uploads_ = [begin(driver) for _ in range(3)]
    for upload in uploads_:
        send(driver, upload, 0)
    for upload in uploads_:
        send(driver, upload, 1, 2, 3, 4)
        complete(driver, upload)
    assert read_back == [0, 1, 2, 3, 4]
    assert not driver.gateway.tallies._kept
