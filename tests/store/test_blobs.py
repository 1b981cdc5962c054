"""A blob is durable before it is named, and a full disk keeps nothing of it."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from gateway.kernel.errors import MalformedError, NotFoundError, UnavailableError
from gateway.kernel.ids import new_id
from gateway.store.blobs import LocalBlobs


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def _files(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


def test_a_blob_is_read_whole_and_in_part(blobs: LocalBlobs) -> None:
    data = os.urandom((2 << 20) + 5)
    name = blobs.put(data)
    assert blobs.size(name) == len(data)
    assert b"".join(blobs.read(name)) == data
    assert b"".join(blobs.read(name, 7, 1 << 20)) == data[7 : 1 << 20]
    assert b"".join(blobs.read(name, 1 << 20)) == data[1 << 20 :]
    assert b"".join(blobs.read(name, 5, 5)) == b""
    assert list(blobs.names()) == [name]
    blobs.delete(name)
    assert list(blobs.names()) == []


def test_bytes_are_synced_before_the_name_and_the_folder_after_it(
    blobs: LocalBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def watched_fsync(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        done.append("sync " + (path.suffix or ("folder" if path.is_dir() else "file")))
        fsync(handle)

    def watched_rename(self: Path, target: Path) -> Path:
        done.append(f"rename {self.suffix}")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "rename", watched_rename)
    blobs.put(b"x")
    assert done == ["sync .new", "rename .new", "sync folder", "sync folder"]


def test_a_short_write_is_continued(blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:3]))
    assert b"".join(blobs.read(blobs.put(b"0123456789"))) == b"0123456789"


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        ("write", errno.ENOSPC, "is full"),
        ("write", errno.EIO, "failed"),
        ("fsync", errno.EIO, "failed"),
    ],
)
def test_a_disk_that_fails_keeps_nothing(
    blobs: LocalBlobs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
    said: str,
) -> None:
    kept = blobs.put(b"before")

    def fail(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(UnavailableError, match=said):
            blobs.put(b"data")
    assert _files(tmp_path) == [kept]
    blobs.put(b"after")
    assert len(_files(tmp_path)) == 2


@pytest.mark.parametrize("nth", [2, 3])
def test_a_folder_that_cannot_be_synced_keeps_no_name(
    blobs: LocalBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    fsync, calls = os.fsync, list[int]()

    def fail(handle: int) -> None:
        calls.append(handle)
        if len(calls) == nth:
            raise OSError(errno.EIO, "input/output error")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UnavailableError):
        blobs.put(b"data")
    assert _files(tmp_path) == []


def test_what_a_crash_left_half_written_is_swept(blobs: LocalBlobs, tmp_path: Path) -> None:
    name = blobs.put(b"whole")
    half = tmp_path / "blobs" / name[4:6] / "blb_half.new"
    half.write_bytes(b"ha")
    assert list(blobs.names()) == [name]
    assert not half.exists()


def test_a_missing_blob_is_not_found(blobs: LocalBlobs) -> None:
    name = new_id("blb")
    with pytest.raises(NotFoundError):
        blobs.size(name)
    with pytest.raises(NotFoundError):
        b"".join(blobs.read(name))
    with pytest.raises(MalformedError):
        blobs.size("../../etc/passwd")
    blobs.delete(name)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_link_in_the_place_of_a_blob_is_not_followed(
    blobs: LocalBlobs, tmp_path: Path, what: str
) -> None:
    name = blobs.put(b"sealed")
    (path,) = (tmp_path / "blobs").glob(f"*/{name}")
    place = path if what == "file" else path.parent
    elsewhere = place.rename(tmp_path / "elsewhere")
    place.symlink_to(elsewhere)
    assert path.read_bytes() == b"sealed"
    with pytest.raises(NotFoundError, match="missing"):
        list(blobs.read(name))
