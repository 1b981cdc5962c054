"""The sharing team's side: upload in parts, complete, check what the gateway answers, vouch for it."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from gateway.client.session import Session
from gateway.exchange.acts import Complete, Deposit, OpenUpload, Particulars, Relation
from gateway.exchange.parse import build, plain
from gateway.kernel.encoding import Json, digest_of
from gateway.kernel.errors import ConflictError, NotFoundError, VerificationError
from gateway.kernel.ids import new_id

PART = 8 << 20  # bytes
TUS = {"Tus-Resumable": "1.0.0"}
Progress = Callable[[int], None]
_ORIGINAL = Relation()


@dataclass(frozen=True, slots=True)
class Source:
    """A file to deposit, and what is to be said of it. *relation*: what it is to an item deposited before."""

    path: Path
    name: str
    media_type: str
    evidence_number: str
    facts: Mapping[str, Json]
    handling: str
    suite: Literal["pq", "classic"]
    relation: Relation = _ORIGINAL


@dataclass(frozen=True, slots=True)
class Digests:
    """What the file is, read once before anything is sent."""

    size: int
    sha256: str
    parts: tuple[str, ...]


def digest_file(path: Path) -> Digests:
    """Read a file once: size, SHA-256 of the whole and of each part."""
    whole, parts, size = hashlib.sha256(), [], 0
    with path.open("rb") as handle:
        while data := handle.read(PART):
            whole.update(data)
            parts.append(hashlib.sha256(data).hexdigest())
            size += len(data)
    return Digests(size, whole.hexdigest(), tuple(parts))


async def deposit(session: Session, source: Source, progress: Progress) -> Deposit:
    """Deposit a file; return its deposit record. An interrupted one goes on where it stopped."""
    async with deposited(session, [source], progress) as (record,):
        return record


@asynccontextmanager
async def deposited(
    session: Session, sources: Sequence[Source], progress: Progress
) -> AsyncIterator[list[Deposit]]:
    """Deposit files for a block that makes something of them, such as a package.

    Until the block has ended well, the same call finds the same items again instead of new ones.
    """
    keys: list[str] = []
    records = []
    for source in sources:
        digests = await asyncio.to_thread(digest_file, source.path)
        name = [str(source.path.resolve()), digests.sha256, source.suite]
        keys.append("upload-" + digest_of([*name])[:32])
        try:
            records.append(await _deposit(session, source, digests, keys[-1], progress))
        except ConflictError:  # completed before, with other facts: it becomes another item
            session.folder.forget(keys[-1])
            records.append(await _deposit(session, source, digests, keys[-1], progress))
    yield records
    for key in keys:
        session.folder.forget(key)


async def _deposit(
    session: Session, source: Source, digests: Digests, key: str, progress: Progress
) -> Deposit:
    upload = await _upload(session, source, digests, key, progress)
    act = Complete(
        upload=upload,
        particulars=Particulars(
            name=source.name,
            media_type=source.media_type,
            evidence_number=source.evidence_number,
            size=digests.size,
            sha256=digests.sha256,
            relation=source.relation,
        ),
        facts=dict(source.facts),
        handling=source.handling,
        parts=digests.parts,
    )
    answer = await session.act(f"/v1/uploads/{upload}/complete", act)
    record = _vouched(act, source, digests, answer)
    await session.act("/v1/items", record)
    return record


def _vouched(
    act: Complete, source: Source, digests: Digests, answer: Mapping[str, Json]
) -> Deposit:
    """Build the deposit record from what we sent; from the answer only what we cannot know."""
    record = build(
        {
            "type": "deposit",
            "item": answer.get("item"),
            "vault_header": answer.get("vault_header"),
            "body": answer.get("body"),
            "body_size": answer.get("body_size"),
            "size": digests.size,
            "suite": source.suite,
            "facts": digest_of(act.facts),
            "particulars": digest_of(plain(act.particulars)),
            "handling": act.handling,
        },
        Deposit,
    )
    if answer.get("size") != digests.size or answer.get("facts") != record.facts:
        raise VerificationError("the gateway sealed something else than was sent: not deposited")
    return record


async def _upload(
    session: Session, source: Source, digests: Digests, key: str, progress: Progress
) -> str:
    kept = session.folder.state(key)
    if kept is not None:
        try:
            await _parts(session, kept.decode(), source.path, progress)
        except (ConflictError, NotFoundError):
            session.folder.forget(key)  # spoiled or swept: begin again under a new key
        else:
            return kept.decode()
    upload = new_id("upl")
    act = OpenUpload(upload, digests.size, source.suite)
    body = session.order(act)
    session.folder.keep(key, upload.encode())
    headers = {**TUS, "Upload-Length": str(digests.size)}
    await session.request("POST", "/v1/uploads", body, headers)
    await _parts(session, upload, source.path, progress)
    return upload


async def _parts(session: Session, upload: str, path: Path, progress: Progress) -> None:
    """Send the parts from where the gateway stands."""
    reply = await session.request("HEAD", f"/v1/uploads/{upload}", headers=TUS)
    at = int(reply.headers["Upload-Offset"])
    progress(at)
    with path.open("rb") as handle:
        handle.seek(at)
        while data := await asyncio.to_thread(handle.read, PART):
            headers = {
                **TUS,
                "Upload-Offset": str(at),
                "Content-Type": "application/offset+octet-stream",
            }
            await session.request("PATCH", f"/v1/uploads/{upload}", data, headers)
            at += len(data)
            progress(len(data))


def sync(handle: BinaryIO) -> None:
    """Make what was written durable."""
    handle.flush()
    os.fsync(handle.fileno())
