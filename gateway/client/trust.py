"""What a party checks before it believes: the directory view, and that the ledger only grew."""

from gateway.client.profile import KeyFolder
from gateway.client.session import Session
from gateway.exchange.directory import Directory, open_view
from gateway.kernel.encoding import un_b64url
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.ledger import Checkpoint, open_checkpoint, verify_consistency

MISMATCH = (
    "the ledger is not a continuation of what was seen before: keep the key folder as it is, "
    "pull nothing, and tell your compliance contact"
)


async def refresh_directory(session: Session) -> Directory:
    """Fetch the directory view, verify it from the pinned root, refuse an older one, and keep it."""
    reply = await session.get("/v1/directory")
    directory = open_view(reply.body, session.folder.profile.root)
    before = session.folder.directory()
    if before is not None and directory.number < before.number:
        raise VerificationError(f"the gateway offers directory {directory.number}, older than seen")
    session.folder.keep("directory", reply.body)
    return directory


def last_checkpoint(folder: KeyFolder) -> Checkpoint | None:
    """Return the checkpoint last seen."""
    note = folder.state("checkpoint")
    return open_checkpoint(note, folder.log) if note is not None else None


async def check_growth(session: Session, note: bytes) -> Checkpoint:
    """Verify a checkpoint, demand a proof that it continues the last one seen, and keep it.

    Raises VerificationError for a fork, a rollback or a truncation.
    """
    new = open_checkpoint(note, session.folder.log)
    old = last_checkpoint(session.folder)
    if old is None:
        session.folder.keep("checkpoint", note)
        return new
    low, high = sorted((old, new), key=lambda checkpoint: checkpoint.size)
    if low.size != high.size:
        reply = await session.get(f"/v1/ledger/consistency?old={low.size}&new={high.size}")
        path = reply.json().get("path")
    else:
        path = []
    if not isinstance(path, list):
        raise MalformedError("not a consistency proof")
    try:
        nodes = [un_b64url(str(node), size=32) for node in path]
        verify_consistency(low.size, high.size, nodes, low.root, high.root)
    except VerificationError:
        raise VerificationError(MISMATCH) from None
    if new.size > old.size:
        session.folder.keep("checkpoint", note)
    return new


async def refresh_checkpoint(session: Session) -> Checkpoint:
    """Fetch the newest checkpoint and check that the ledger only grew, by not even one entry less."""
    note = (await session.get("/v1/ledger/checkpoint")).body
    old = last_checkpoint(session.folder)
    new = open_checkpoint(note, session.folder.log)
    if old is not None and new.size < old.size:
        raise VerificationError(MISMATCH)
    return await check_growth(session, note)
