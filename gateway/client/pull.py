"""The authority's side: verify, then decrypt, then acknowledge; nothing unverified gets its final name.

Order: manifest signature → that it is meant for us → digests of the header and of each part of the body →
decryption, with the digest of the whole body in the same pass → plaintext digest → final name. A pull
that was cut off goes on where it stopped.
"""

import asyncio
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from msgspec import UNSET, UnsetType

from gateway.client.arrived import recheck
from gateway.client.fetch import Say, fetch
from gateway.client.moments import moment_of
from gateway.client.profile import KeyFolder
from gateway.client.push import Progress, sync
from gateway.client.session import Session
from gateway.client.terms import Told, told, write
from gateway.client.trust import check_growth, refresh_checkpoint, refresh_directory
from gateway.envelope import NO_MATCH, Identity, Lane, open_body, unseal_bytes, unwrap
from gateway.exchange.directory import Directory
from gateway.exchange.manifest import (
    Inner,
    Manifest,
    OpenItem,
    Rewrapped,
    SealedItem,
    check_inner_digest,
    check_rewrap,
    open_inner,
    open_manifest,
)
from gateway.exchange.messages import Message, open_message
from gateway.exchange.parse import build
from gateway.exchange.parties import Use
from gateway.exchange.receipts import Receipt, Rung, sign_receipt
from gateway.kernel.encoding import Json, hex_sha256, un_b64url
from gateway.kernel.errors import (
    ConflictError,
    GatewayError,
    MalformedError,
    VerificationError,
)
from gateway.kernel.ids import new_id
from gateway.kernel.signing import Pair, unverified_payload
from gateway.kernel.time import instant, spell
from gateway.ledger import Slot, check_openings, decode_openings, parse_proof, verify_proof

_REWRAPS = 2  # times that a share may be wrapped anew while it is pulled
_SMALL = 4 << 20  # bytes: what is no larger is decrypted sooner than it is handed to threads


@dataclass(frozen=True, slots=True)
class Pulled:
    """A share, verified and decrypted under *folder*."""

    share: str
    manifest: str
    folder: Path
    inner: Inner


async def inbox(session: Session, *, wait: int = 0, everything: bool = False) -> list[Message]:
    """Return new messages, each verified; keep the cursor once they are returned."""
    directory = await refresh_directory(session)
    folder = session.folder
    told_at = None if everything else folder.state("told-at")
    latest = instant(told_at.decode()) if told_at is not None else None
    cursor = b"0" if everything else folder.state("cursor") or b"0"
    after, found = int(cursor), list[Message]()
    while True:
        reply = await session.get(f"/v1/inbox?after={after}&wait={wait}")
        page = reply.json().get("messages")
        if not isinstance(page, list) or not page:
            return found
        for text in page:
            container = str(text).encode()
            latest = moment_of(container, latest)
            keys = _gateway_keys(directory, latest)
            message = open_message(container, keys, to=folder.profile.party)
            if message.seq <= after:
                raise VerificationError("the inbox is out of order")
            after = message.seq
            found.append(message)
        if latest is not None:
            folder.keep("told-at", spell(latest).encode())
        folder.keep("cursor", str(after).encode())
        wait = 0


def _gateway_keys(directory: Directory, seen: datetime | None = None) -> dict[str, bytes | Pair]:
    now = datetime.now(UTC)
    return directory.verify_keys(directory.mechanism(), Use.MANIFEST, now, seen=seen)


async def pull(
    session: Session,
    share: str,
    out: Path,
    progress: Progress,
    announce: Callable[[Told], None] = lambda _: None,
    say: Say = lambda _: None,
) -> Pulled:
    """Pull one share into `out/<share>` and acknowledge it up to *verified*.

    Its terms are announced, and written to `out/<share>.terms.json`, before any item is fetched or
    decrypted. What came as something else than was signed, and is fetched again, is said. Raises TermsUnsignedError while an officer has to sign them.
    """
    for left in range(_REWRAPS, -1, -1):
        manifest, inner, said = await offered(session, share)
        announce(said)
        await asyncio.to_thread(write, said, out / f"{share}.terms.json")
        try:
            folder = await _take(session, manifest, inner, said.manifest, out, progress, say)
            return Pulled(share, said.manifest, folder, inner)
        except (ConflictError, VerificationError):
            if not left or not await _replaced(session, share, said.manifest):
                raise
    raise ConflictError("the share is wrapped anew again and again; try again")


async def _take(
    session: Session,
    manifest: Manifest,
    inner: Inner,
    digest: str,
    out: Path,
    progress: Progress,
    say: Say,
) -> Path:
    """Fetch, check and open what a manifest says, and acknowledge it; return the folder."""
    share, identities = manifest.share, session.folder.identities()
    work, final = out / f".{share}.partial", out / share
    if final.exists():  # cut off before the receipts were sent
        await asyncio.to_thread(_check_files, inner, final)
        await acknowledge(session, share, digest, Rung.PULLED)
    else:
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        await _fetch_all(session, manifest, inner, work, progress, say)
        await acknowledge(session, share, digest, Rung.PULLED)
        try:
            await asyncio.to_thread(_unpack, manifest, inner, identities, work, final)
        except VerificationError:
            if not await asyncio.to_thread(_rotten, manifest, inner, work):
                raise
            say("what was fetched has changed on this disk: it is fetched again")
            await _fetch_all(session, manifest, inner, work, progress, say)
            await asyncio.to_thread(_unpack, manifest, inner, identities, work, final)
    await acknowledge(session, share, digest, Rung.VERIFIED)
    return final


async def _replaced(session: Session, share: str, digest: str) -> bool:
    """Tell whether the share was wrapped anew since its manifest was read: then it is read once more."""
    try:
        container = (await session.get(f"/v1/shares/{share}/manifest")).body
    except GatewayError:
        return False
    return hex_sha256(container) != digest


async def offered(session: Session, share: str) -> tuple[Manifest, Inner, Told]:
    """Return both layers of a share's manifest, verified, and its terms. No item is touched."""
    directory = await refresh_directory(session)
    await refresh_checkpoint(session)
    manifest, container = await _manifest(session, directory, share)
    digest = hex_sha256(container)
    await check_evidence(session, share, digest, manifest.rewrap)
    session.folder.keep(f"outer-{share}", container)
    session.folder.keep(f"manifest-{share}", digest.encode())
    inner = await _inner(session, manifest, session.folder.identities())
    return manifest, inner, told(manifest, digest, inner)


async def is_served(session: Session, share: str) -> bool:
    """Tell whether the items of a share that is offered are served: not before its terms are signed."""
    try:
        await session.request("HEAD", f"/v1/shares/{share}/items/0")
    except ConflictError:
        return False
    return True


async def _manifest(session: Session, directory: Directory, share: str) -> tuple[Manifest, bytes]:
    """Return the outer manifest and its container.

    Another one than was seen before must follow it and change nothing but headers.
    """
    container = (await session.get(f"/v1/shares/{share}/manifest")).body
    keys = _gateway_keys(directory)
    party = session.folder.profile.party
    manifest = open_manifest(container, keys, share=share, recipient=party)
    seen, before = session.folder.state(f"manifest-{share}"), session.folder.state(f"outer-{share}")
    if seen is not None and seen.decode() != hex_sha256(container):
        if not manifest.sequence:
            raise VerificationError(
                "the gateway offers another manifest for this share than before"
            )
        if before is not None:  # kept after it was verified, by the keys of that time
            check_rewrap(build(unverified_payload(before), Manifest), manifest)
    return manifest, container


async def check_evidence(
    session: Session, share: str, manifest: str, rewrap: Rewrapped | UnsetType = UNSET
) -> int:
    """Check that the release of this very manifest stands in the ledger; return its index.

    Of one that was wrapped anew, that the re-wrap does. The proof's checkpoint must continue the last
    one seen.
    """
    evidence = (await session.get(f"/v1/shares/{share}/evidence")).json()
    leaf = un_b64url(_text(evidence, "leaf"))
    proof = parse_proof(_text(evidence, "proof"))
    verify_proof(leaf, proof, session.folder.log)
    await check_growth(session, proof.checkpoint)
    sealed = un_b64url(_text(evidence, "openings"))
    openings = decode_openings(unseal_bytes(sealed, session.folder.identities()))
    check_openings(leaf, openings)
    said = {slot: opening.value for slot, opening in openings.items()}
    content: dict[str, Json] = {"manifest": manifest}
    if isinstance(rewrap, Rewrapped):
        content |= {"replaces": rewrap.replaces, "rewrap": rewrap.n}
    expected: dict[Slot, Json] = {
        Slot.KIND: "share.rewrapped" if isinstance(rewrap, Rewrapped) else "share.available",
        Slot.SUBJECT: share,
        Slot.RECIPIENT: session.folder.profile.party,
        Slot.CONTENT: content,
    }
    if any(said.get(slot) != value for slot, value in expected.items()):
        raise VerificationError("the ledger's entry is not of this share and manifest")
    return proof.index


async def _inner(session: Session, manifest: Manifest, identities: Sequence[Identity]) -> Inner:
    sealed = (await session.get(f"/v1/shares/{manifest.share}/manifest/inner")).body
    check_inner_digest(manifest, sealed)
    try:
        data = unseal_bytes(sealed, identities)
    except VerificationError as error:
        if str(error) != NO_MATCH:
            raise
        raise ConflictError(
            "no key in this folder opens the share: have it wrapped to your keys of today, with "
            f"gateway share rewrap {manifest.share}, then pull again"
        ) from None
    return open_inner(manifest, data)


async def _fetch_all(
    session: Session, manifest: Manifest, inner: Inner, work: Path, progress: Progress, say: Say
) -> None:
    for item in manifest.items:
        path, parts = work / f"{item.n}.age", inner.parts_of(item.n)
        await fetch(session, manifest.share, item, parts, path, progress, say)


def _rotten(manifest: Manifest, inner: Inner, work: Path) -> bool:
    """Tell whether anything that was fetched is not what it was any more."""
    again = [
        recheck(work / f"{item.n}.age", item, inner.parts_of(item.n)) for item in manifest.items
    ]
    return any(again)


def _unpack(
    manifest: Manifest, inner: Inner, identities: Sequence[Identity], work: Path, final: Path
) -> None:
    """Decrypt everything beside its final place, and give it its names only when all of it holds."""
    ready = work / "ready"
    with ThreadPoolExecutor((os.cpu_count() or 1) + 2) as pool:
        for sealed, item in zip(manifest.items, inner.items, strict=True):
            target = ready / item.particulars.name
            if not target.resolve().is_relative_to(ready.resolve()):
                raise VerificationError("an item's name leads out of its folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            _decrypt(sealed, item, identities, work / f"{sealed.n}.age", target, pool)
    ready.rename(final)
    shutil.rmtree(work)


def _check_files(inner: Inner, folder: Path) -> None:
    """Check what an earlier pull left against the manifest. Raises VerificationError."""
    for item in inner.items:
        path = folder / item.particulars.name
        with path.open("rb") if path.is_file() else io.BytesIO() as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() != item.particulars.sha256:
                message = (
                    f"{folder.name} holds other files than were shared: move it away, then pull"
                )
                raise VerificationError(message)


def _decrypt(
    sealed: SealedItem,
    item: OpenItem,
    identities: Sequence[Identity],
    source: Path,
    target: Path,
    pool: Executor,
) -> None:
    """Decrypt one item, and hash what is read and what is written in the same pass, beside each other."""
    beside = pool if sealed.body_size > _SMALL else None
    body, plain = hashlib.sha256(), hashlib.sha256()
    with source.open("rb") as handle, target.open("wb") as out:
        header = handle.read(sealed.header_size)
        if hex_sha256(header) != sealed.header:
            raise VerificationError(f"the header of item {sealed.n} is not what the manifest says")
        read = Lane(beside, body.update)
        hashed, written = Lane(beside, plain.update), Lane(beside, out.write)
        for data in open_body(unwrap(header, identities), _Tee(handle, read.put), beside):
            hashed.put(data)
            written.put(data)
        for lane in (read, hashed, written):
            lane.join()
        sync(out)
    if body.hexdigest() != sealed.body:
        raise VerificationError(f"item {sealed.n} is not what the manifest says")
    if plain.hexdigest() != item.particulars.sha256:
        raise VerificationError(f"item {sealed.n} decrypts to something else than was stated")


class _Tee:
    """A file that shows somebody else what is read from it."""

    def __init__(self, source: BinaryIO, show: Callable[[bytes], None]) -> None:
        self._source, self._show = source, show

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self._show(data)
        return data


async def acknowledge(session: Session, share: str, manifest: str, rung: Rung) -> str:
    """Sign and send a receipt; one that is kept already counts as sent. Returns the share's state.

    One from before the share was wrapped anew counts if it had arrived; else it is signed anew.
    """
    folder = session.folder
    name = f"receipt-{rung.value}-{share}"
    kept = folder.state(name)
    if kept is not None and build(unverified_payload(kept), Receipt).manifest != manifest:
        try:
            return await _send_receipt(session, share, kept)
        except VerificationError:
            kept = None
    if kept is None:
        receipt = Receipt(
            v=1,
            id=new_id("rcp"),
            share=share,
            manifest=manifest,
            rung=rung,
            by=folder.profile.actor,
            at=spell(datetime.now(UTC)),
        )
        kept = sign_receipt(receipt, folder.message_signer())
        folder.keep(name, kept)
    return await _send_receipt(session, share, kept)


async def _send_receipt(session: Session, share: str, receipt: bytes) -> str:
    headers = {"Content-Type": "application/json"}
    reply = await session.request("POST", f"/v1/shares/{share}/receipts", receipt, headers)
    return str(reply.json().get("state"))


def manifest_digest(folder: KeyFolder, share: str) -> str:
    """Return the digest of the manifest that was pulled before. Raises ConflictError."""
    seen = folder.state(f"manifest-{share}")
    if seen is None:
        raise ConflictError("pull the share first: a receipt names its manifest")
    return seen.decode()


def _text(value: dict[str, Json], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise MalformedError(f"the answer lacks {name}")
    return text
