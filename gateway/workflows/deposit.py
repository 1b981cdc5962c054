"""Deposit: an upload by parts, sealed as it comes in, then vouched for by its depositor.

Durability: part recorded by its digest → sealed and durable as a blob → the blob named by its row →
answered. A crash in between may seal the same bytes again, never others under the same counter.
"""

from collections.abc import Callable
from datetime import timedelta

from gateway.envelope import CHUNK, Body, body_size, new_file_key, new_nonce, wrap
from gateway.exchange.acts import MAX_PARTS, Complete, Deposit, OpenUpload, act_of
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.parse import plain
from gateway.exchange.rewraps import epoch_of
from gateway.kernel.encoding import digest_of, hex_sha256
from gateway.kernel.errors import (
    ConflictError,
    MalformedError,
    RateLimitedError,
    VerificationError,
)
from gateway.kernel.ids import new_id
from gateway.ledger import seal, unseal
from gateway.store import uploads, vaults
from gateway.store.uploads import Part, Sealed, State, Upload
from gateway.store.writer import Transaction
from gateway.workflows.digests import Digests, take
from gateway.workflows.gateway import (
    Answer,
    Gateway,
    Signed,
    check_writable,
    mechanism_only,
    perform,
    read_act,
)

MAX_PART = 8 << 20  # bytes: parts are held in memory until their digest is checked
MAX_SIZE = MAX_PARTS * MAX_PART  # bytes
MAX_OPEN = 100  # uploads of one actor that are not complete
GIVEN_UP = timedelta(days=7)  # after which an upload that is still open is dropped
_QUOTA_SECONDS = 60  # until one who is told to wait may ask again


def open_upload(gateway: Gateway, signed: Signed) -> Answer:
    """Begin an upload under a fresh file key, which lies sealed under the upload key until the end."""
    act = read_act(signed)
    if not isinstance(act, OpenUpload):
        raise MalformedError("expected an upload act", field="/act/type")
    if act.size > MAX_SIZE:
        raise MalformedError(f"an item has at most {MAX_SIZE} bytes", field="/act/size")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        _check_quota(gateway, tx, signed, act)
        secrets = seal(new_file_key() + new_nonce(), gateway.upload_key)
        uploads.open_one(tx.conn, act, signed.actor.id, secrets, now)
        return {"upload": act.id, "part_size": MAX_PART}

    return perform(gateway, signed, work, creates=act.id)


def _check_quota(gateway: Gateway, tx: Transaction, signed: Signed, act: OpenUpload) -> None:
    """Raise RateLimitedError if the actor's open uploads would be too many, or too large in all."""
    number, size = uploads.open_of(tx.conn, signed.actor.id)
    if number >= MAX_OPEN:
        why = f"{number} of your uploads are open"
    elif size + act.size > gateway.upload_quota:
        why = f"your open uploads may have {gateway.upload_quota} bytes in all"
    else:
        return
    message = f"{why}: complete some or delete them, then try again"
    raise RateLimitedError(message, retry_after=_QUOTA_SECONDS)


def abandon(gateway: Gateway, signed: Signed, upload_id: str) -> Answer:
    """Give up an upload of one's own that is not complete; what came of it is removed.

    Raises NotFoundError, or ConflictError if it is complete.
    """
    mechanism_only(signed.actor)
    dropped: list[str] = []

    def work(tx: Transaction) -> Answer:
        upload = uploads.get(tx.conn, upload_id, signed.actor.id)
        if upload.state is State.COMPLETE:
            raise ConflictError("the upload is complete: it cannot be deleted")
        dropped.extend(uploads.drop(tx.conn, upload_id))
        return {}

    with gateway.lock(upload_id):
        answer = perform(gateway, signed, work)
        gateway.tallies.drop(upload_id)
        _remove(gateway, dropped)
    return answer


def give_up_stale(gateway: Gateway, limit: int = 100) -> int:
    """Drop uploads that nobody has completed for a week; return how many there were, at most *limit*."""
    before = gateway.now() - GIVEN_UP
    with gateway.engine.connect() as conn:
        stale = uploads.open_since(conn, before, limit)
    for upload_id in stale:
        with gateway.lock(upload_id):
            gateway.tallies.drop(upload_id)
            _remove(gateway, gateway.writer.run(_dropping(upload_id)))
    return len(stale)


def _dropping(upload_id: str) -> Callable[[Transaction], list[str]]:
    def job(tx: Transaction) -> list[str]:
        if uploads.is_open(tx.conn, upload_id):
            return uploads.drop(tx.conn, upload_id)
        return []

    return job


def _remove(gateway: Gateway, blobs: list[str]) -> None:
    """Remove blobs that no row names any more; what a crash leaves is swept at the next start."""
    for name in blobs:
        gateway.blobs.delete(name)


def offset(gateway: Gateway, signed: Signed, upload_id: str) -> tuple[int, int]:
    """Return how many bytes of an upload are durable, and its size. Raises NotFoundError."""
    with gateway.engine.connect() as conn:
        upload = uploads.get(conn, upload_id, signed.actor.id)
        return uploads.offset(uploads.parts_of(conn, upload_id)), upload.size


def put_part(gateway: Gateway, signed: Signed, upload_id: str, start: int, data: bytes) -> int:
    """Seal one part whose bytes match the signed digest; return the new offset.

    A repeated part is answered again. Raises ConflictError for another offset or other bytes.
    """
    mechanism_only(signed.actor)
    with gateway.lock(upload_id):
        upload, part = _record(gateway, signed, upload_id, start, data)
        if part.blob is not None:
            return part.start + part.size
        # The bytes are the recorded ones, so this counter range never sees others.
        sealed = _body(gateway, upload).seal_part(start, data, gateway.crew)
        _keep_part(gateway, upload_id, part, data, sealed)
        return start + len(data)


def _keep_part(
    gateway: Gateway, upload_id: str, part: Part, data: bytes, sealed: bytes | bytearray
) -> None:
    """Make a sealed part durable, while it is hashed, and name it."""
    tally = gateway.tallies.at(upload_id, part.start, gateway.crew)
    try:
        if tally is not None:
            tally.add(data, sealed)
        blob = gateway.blobs.put(sealed)
        gateway.writer.run(lambda tx: uploads.part_sealed(tx.conn, upload_id, part.n, blob))
    except BaseException:
        gateway.tallies.drop(upload_id)  # it has hashed a part that may come again
        raise


def _record(
    gateway: Gateway, signed: Signed, upload_id: str, start: int, data: bytes
) -> tuple[Upload, Part]:
    """Spend the token and record the part's digest; return the part as it stands."""
    found: list[tuple[Upload, Part]] = []

    def work(tx: Transaction) -> Answer:
        upload = uploads.get(tx.conn, upload_id, signed.actor.id)
        parts = uploads.parts_of(tx.conn, upload_id)
        part = _place(upload, parts, start, len(data), signed.order.body_digest.hex())
        if part not in parts:
            uploads.record_part(tx.conn, upload_id, part)
        found.append((upload, part))
        return {}

    try:
        perform(gateway, signed, work)
    except _OtherBytesError:
        gateway.tallies.drop(upload_id)
        _remove(gateway, gateway.writer.run(lambda tx: uploads.drop(tx.conn, upload_id)))
        raise
    return found[-1]


class _OtherBytesError(ConflictError):
    """Other bytes came for a part that was recorded already."""


def _place(upload: Upload, parts: list[Part], start: int, size: int, digest: str) -> Part:
    """Return the part that belongs at *start*: a recorded one with the same bytes, or the next."""
    if upload.state is not State.OPEN:
        raise ConflictError(f"the upload is {upload.state.value}; begin a new one")
    for part in parts:
        if part.start == start:
            if (part.size, part.digest) == (size, digest):
                return part
            message = "other bytes were recorded for this part; begin a new upload"
            raise _OtherBytesError(message) if part.blob is None else ConflictError(message)
    offset_now = uploads.offset(parts)
    if start != offset_now:
        raise ConflictError(f"the upload stands at offset {offset_now}")
    if start + size > upload.size or size == 0:
        raise MalformedError("the part does not fit the upload's size", field="Upload-Offset")
    if size % CHUNK and start + size != upload.size:
        raise MalformedError(f"a part is a multiple of {CHUNK} bytes unless it is the last")
    return Part(len(parts), start, size, digest, None)


def complete(gateway: Gateway, signed: Signed, upload_id: str) -> Answer:
    """Make a sealed upload of what arrived, if it is what its depositor states.

    Answers the digests that the depositor then vouches for in the deposit record.
    """
    check_writable(gateway)  # before an empty item's one part is written
    act = read_act(signed)
    if not isinstance(act, Complete) or act.upload != upload_id:
        raise MalformedError("expected the completion of this upload", field="/act")
    policy = gateway.sets.policy
    if policy is not None:
        policy.vocabulary.facts(act.facts, "item", stated=True)
    with gateway.lock(upload_id):
        made = _seal_upload(gateway, signed, act)
        answer = perform(
            gateway, signed, lambda tx: _keep(gateway, tx, signed, act, made), creates=_key(act)
        )
        gateway.tallies.drop(upload_id)
        return answer


def _key(act: Complete) -> str:
    return "com_" + act.upload[4:]


def _keep(
    gateway: Gateway, tx: Transaction, signed: Signed, act: Complete, made: Sealed | None
) -> Answer:
    if made is None:
        raise ConflictError("the upload is complete already, with other statements")
    uploads.set_state(tx.conn, act.upload, State.COMPLETE)
    uploads.seal(tx.conn, made, act, signed.order.digest, gateway.now())
    vaults.sealed_to(tx.conn, made.item, made.epoch)
    uploads.keep_body_parts(tx.conn, made.item, made.body_parts)
    return {
        "item": made.item,
        "vault_header": made.vault_digest,
        "body": made.body,
        "body_size": made.body_size,
        "size": made.size,
        "suite": made.suite,
        "handling": act.handling,
        "facts": digest_of(act.facts),
        "particulars": digest_of(plain(act.particulars)),
    }


def _seal_upload(gateway: Gateway, signed: Signed, act: Complete) -> Sealed | None:
    """Check the statement against the durable parts; None if the upload is complete already."""
    with gateway.engine.connect() as conn:
        upload = uploads.get(conn, act.upload, signed.actor.id)
        parts = uploads.parts_of(conn, act.upload)
    if upload.state is State.COMPLETE:
        return None
    if upload.state is not State.OPEN or upload.secrets is None:
        raise ConflictError("the upload is spoiled; begin a new one")
    if upload.size == 0 and not parts:
        parts = [_empty_part(gateway, upload)]
    if uploads.offset(parts) != upload.size or act.particulars.size != upload.size:
        raise ConflictError(f"the upload stands at {uploads.offset(parts)} of {upload.size} bytes")
    if upload.size and act.parts != tuple(part.digest for part in parts):
        raise VerificationError("the parts that arrived are not the ones stated")
    digests = _digests(gateway, upload, parts)
    if digests.plain != act.particulars.sha256:
        raise VerificationError("the whole that arrived is not what was stated")
    vault = gateway.vault(gateway.now())
    header = wrap(unseal(upload.secrets, gateway.upload_key)[:16], [vault])
    return Sealed(
        item=new_id("itm"),
        upload=upload.id,
        particulars=act.particulars,
        facts=act.facts,
        handling=act.handling,
        suite=upload.suite,
        size=upload.size,
        body_size=body_size(upload.size),
        body=digests.sealed,
        vault_header=header,
        vault_digest=hex_sha256(header),
        epoch=epoch_of(str(vault)),
        body_parts=digests.parts,
    )


def _empty_part(gateway: Gateway, upload: Upload) -> Part:
    """Seal the one empty chunk that an empty item consists of."""
    blob = gateway.blobs.put(_body(gateway, upload).seal_part(0, b""))
    part = Part(0, 0, 0, hex_sha256(b""), blob)

    def job(tx: Transaction) -> None:
        uploads.record_part(tx.conn, upload.id, part)
        uploads.part_sealed(tx.conn, upload.id, 0, blob)

    gateway.writer.run(job)
    return part


def _digests(gateway: Gateway, upload: Upload, parts: list[Part]) -> Digests:
    """Return the digests of plaintext and sealed body: taken as the parts came, or by reading them back."""
    tally = gateway.tallies.at(upload.id, upload.size, gateway.crew) if upload.size else None
    return take(tally, gateway.blobs, _body(gateway, upload), parts, gateway.crew)


def _body(gateway: Gateway, upload: Upload) -> Body:
    if upload.secrets is None:
        raise ConflictError("the upload is closed; begin a new one")
    secrets = unseal(upload.secrets, gateway.upload_key)
    return Body(secrets[:16], secrets[16:], upload.size)


def deposit(gateway: Gateway, signed: Signed) -> Answer:
    """Accept a deposit record, and so make the item."""
    check_writable(gateway)
    act = read_act(signed)
    if not isinstance(act, Deposit):
        raise MalformedError("expected a deposit record", field="/act/type")
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        made = uploads.sealed_item(tx.conn, act.item)
        uploads.get(tx.conn, made.upload, signed.actor.id)
        if act != _record_of(made):
            raise VerificationError("the deposit record is not what was sealed")
        uploads.deposit(tx.conn, act.item, signed.actor.id, signed.order.digest, now)
        entry = tx.record(
            Entry(
                kind=Kind.ITEM_DEPOSITED,
                at=now,
                actor=signed.actor.id,
                order=signed.order.digest,
                subject=act.item,
                items=(act.item,),
                content={"vault_header": act.vault_header, "body": act.body, "facts": act.facts},
            )
        )
        return {"item": act.item, "entry": entry}

    return perform(gateway, signed, work, creates="dep_" + act.item[4:])


def _record_of(made: Sealed) -> Deposit:
    return Deposit(
        item=made.item,
        vault_header=made.vault_digest,
        body=made.body,
        body_size=made.body_size,
        size=made.size,
        suite="pq" if made.suite == "pq" else "classic",
        facts=digest_of(dict(made.facts)),
        particulars=digest_of(plain(made.particulars)),
        handling=made.handling,
    )


def stated_size(body: bytes) -> int:
    """Return the size that an upload act states. Raises MalformedError."""
    act = act_of(body)
    if not isinstance(act, OpenUpload):
        raise MalformedError("expected an upload act", field="/act/type")
    return act.size
