"""The demo's redacted derivative: made by hand here, deposited beside its original, and attested."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from gateway.client import derive, push
from gateway.client.profile import open_folder
from gateway.client.session import connect
from gateway.exchange.acts import DerivationCheck, Derive, Relation, relation_to
from gateway.kernel.encoding import Json
from gateway.kernel.ids import new_id

_TELLING = (b"I am", b"I counted")  # lines of a statement that say who the witness is
_MARK = b"[removed]\n"


def redact(data: bytes) -> bytes:
    """Return a statement without the lines that say who made it; of any other file nothing is left."""
    lines = data.splitlines(keepends=True)
    kept = b"".join(_MARK if line.startswith(_TELLING) else line for line in lines)
    return kept if kept != data else _MARK


def attested(
    folder: Path, file: Path, made: Path, facts: Mapping[str, Json], removed: tuple[str, ...]
) -> tuple[str, str]:
    """Deposit a file and what was made from it, attest that as a sharer; return both items."""
    return asyncio.run(_attested(folder, file, made, facts, removed))


async def _attested(
    folder: Path, file: Path, made: Path, facts: Mapping[str, Json], removed: tuple[str, ...]
) -> tuple[str, str]:
    digests = push.digest_file(file).sha256, push.digest_file(made).sha256
    async with connect(open_folder(folder, None)) as session:
        original = (await push.deposit(session, _source(file, facts), _quietly)).item
        source = _source(made, facts, relation_to(original, removed))
        item = (await push.deposit(session, source, _quietly)).item
        checks = (DerivationCheck("read again", True, "the lines are not in it"),)
        act = Derive(
            new_id("drv"), item, digests[1], original, digests[0], "by hand", removed, "none", None, checks
        )  # fmt: skip
        await derive.attest(session, act)
    return original, item


def _source(file: Path, facts: Mapping[str, Json], relation: Relation | None = None) -> push.Source:
    return push.Source(
        path=file,
        name=file.name,
        media_type="text/plain",
        evidence_number="DEMO-W",
        facts=facts,
        handling="standard",
        suite="pq",
        relation=relation or Relation(),
    )


def _quietly(_: int) -> None:
    """Show no progress: these are small files."""
