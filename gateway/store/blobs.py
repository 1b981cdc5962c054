"""Bodies as immutable part blobs under random names. A write is durable once `put` has returned."""

import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path

from gateway.kernel.errors import NotFoundError, UnavailableError
from gateway.kernel.ids import check_id, new_id

_READ = 1 << 20  # bytes


class LocalBlobs:
    """A local folder. Every blob is written beside its name, synced, linked to it, and synced again.

    obstore's local store does not sync, so this is our own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, data: bytes | bytearray) -> str:
        """Keep *data* under a fresh name; return the name. Raises UnavailableError if the disk is full."""
        name = new_id("blb")
        path = self._path(name)
        temporary = path.with_suffix(".new")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._write(temporary, data)
            temporary.rename(path)
            self._sync(path.parent)
            self._sync(self._folder)
        except OSError as error:
            for left in (temporary, path):
                left.unlink(missing_ok=True)
            why = "is full" if error.errno == errno.ENOSPC else "failed"
            raise UnavailableError(f"the blob store {why}; nothing was kept, try again") from None
        return name

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Stream bytes [start, end) of a blob, a MiB at a time. Raises NotFoundError."""
        try:
            with self._open(name) as handle:
                left = (handle.seek(0, os.SEEK_END) if end is None else end) - start
                handle.seek(start)
                while left > 0 and (data := handle.read(min(_READ, left))):
                    left -= len(data)
                    yield data
        except OSError as error:
            raise _missing(error) from None

    def size(self, name: str) -> int:
        """Return the bytes of a blob. Raises NotFoundError."""
        try:
            return self._path(name).stat(follow_symlinks=False).st_size
        except OSError as error:
            raise _missing(error) from None

    def names(self) -> Iterator[str]:
        """Yield the names of all blobs, and remove what a crash left half-written."""
        for path in self._folder.glob("*/*"):
            if path.suffix == ".new":
                path.unlink(missing_ok=True)
            else:
                yield path.name

    def delete(self, name: str) -> None:
        """Remove a blob that no row names."""
        self._path(name).unlink(missing_ok=True)

    def _open(self, name: str) -> io.FileIO:
        """Open a blob; a link in its place is none, or it would serve any file of the machine."""
        path = self._path(name)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            return io.FileIO(os.open(path.name, flags, dir_fd=folder), "rb")
        finally:
            os.close(folder)

    def _path(self, name: str) -> Path:
        check_id(name, "blb")
        return self._folder / name[4:6] / name

    @staticmethod
    def _write(path: Path, data: bytes | bytearray) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)

    @staticmethod
    def _sync(folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _missing(error: OSError) -> Exception:
    if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
        return NotFoundError("a body is missing from the blob store")
    return error
