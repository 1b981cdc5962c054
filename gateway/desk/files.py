"""Files of the desk: read once, never touched; written aside at mode 0600, and put in place whole."""

import codecs
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.desk.plan import Plan
from gateway.kernel.encoding import canonical_json
from gateway.kernel.errors import ConflictError, MalformedError, TooLargeError

UNFINISHED = ".unfinished"  # ends the name of what is not checked yet, and must never be sent
BLOCK = 1 << 20  # bytes
MAX_LINE = 1 << 20  # characters
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def digest(path: Path, secret: bytes = b"") -> tuple[str, str]:
    """Return a file's SHA-256, and a second digest of *secret* and the content.

    The second tells nobody anything who has not the file itself: it may cover a plan, whose own digest
    would let a name be guessed.
    """
    public, private = hashlib.sha256(), hashlib.blake2b(secret, digest_size=32, person=b"desk plan")
    try:
        with path.open("rb") as handle:
            while block := handle.read(BLOCK):
                public.update(block)
                private.update(block)
    except OSError:
        raise MalformedError(f"{path.name} cannot be read") from None
    return public.hexdigest(), private.hexdigest()


def plan_secret(plan: Plan, more: str) -> bytes:
    """Return what the second digest of a file covers beside its content."""
    return hashlib.sha256(canonical_json([plan.to_json(), more])).digest()


def read_whole(path: Path, limit: int) -> bytes:
    """Return a file's content. Raises TooLargeError beyond *limit* bytes."""
    try:
        size = path.stat().st_size
        if size > limit:
            raise TooLargeError(
                f"{path.name} has {size} bytes; this format is worked on in memory, up to {limit}"
            )
        return path.read_bytes()
    except OSError:
        raise MalformedError(f"{path.name} cannot be read") from None


def blocks(path: Path) -> Iterator[bytes]:
    """Yield a file's content block by block."""
    with path.open("rb") as handle:
        while block := handle.read(BLOCK):
            yield block


def encoding_of(path: Path, said: str) -> tuple[str, bytes]:
    """Return the encoding of a text and its byte order mark: as *said*, by the mark, or UTF-8."""
    with path.open("rb") as handle:
        head = handle.read(4)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return ("utf-8" if name == "utf-8-sig" else name), mark
    try:
        return codecs.lookup(said or "utf-8").name, b""
    except LookupError:
        raise MalformedError("the encoding has a name such as utf-8, cp1251 or iso8859-2") from None


def lines(path: Path, encoding: str, mark: bytes) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text with their numbers, each with its own end. Raises MalformedError."""
    number = 0
    with path.open("r", encoding=encoding, newline="") as text:
        text.read(1 if mark else 0)
        try:
            while line := text.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise TooLargeError(f"line {number} has more than {MAX_LINE} characters")
                yield number, line
        except UnicodeDecodeError:
            raise MalformedError(
                f"after line {number} it is not {encoding}: say --encoding"
            ) from None


@contextmanager
def written(out: Path, *, dry: bool = False) -> Iterator[Path]:
    """Give the place of a new file beside *out*, for a block that writes and checks it; then put it in place.

    If the block fails, or it is *dry*, nothing is left. The file has mode 0600 from its first byte on.
    """
    aside = out.with_name(f".{out.name}{UNFINISHED}")
    aside.unlink(missing_ok=True)
    try:
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        raise MalformedError(f"there is no folder to write {out.name} to") from None
    try:
        yield aside
        if not dry:
            with aside.open("rb") as handle:
                os.fsync(handle.fileno())
            aside.replace(out)
            _sync_folder(out.parent)
    finally:
        aside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refuse_in_place(path: Path, out: Path, *, force: bool) -> None:
    """Raise unless *out* may be written: another file than the original, and new or *force*d."""
    if out.exists():
        if out.samefile(path):
            raise ConflictError(
                "the derivative would take the original's place: name another --out"
            )
        if not force:
            raise ConflictError(f"{out.name} exists already: give another --out, or --force")
