"""Both sides' work on RFAs: content sealed to the other side's people, messages signed and checked."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.client.moments import moment_of
from gateway.client.session import Session
from gateway.client.trust import refresh_directory
from gateway.envelope import parse_recipient, seal_bytes, unseal_bytes
from gateway.exchange import messages, rfa_messages
from gateway.exchange.directory import Directory
from gateway.exchange.parse import plain
from gateway.exchange.parties import Kind, Party, Status, Use
from gateway.exchange.rfa_acts import Wanted
from gateway.exchange.rfa_messages import RfaMessage, sign_rfa_message
from gateway.kernel.encoding import Json, b64url, digest_of, hex_sha256, un_b64url
from gateway.kernel.errors import ConflictError, VerificationError
from gateway.kernel.ids import new_id
from gateway.kernel.signing import unverified_payload
from gateway.kernel.time import spell


@dataclass(frozen=True, slots=True)
class Opened:
    """A message about an RFA, verified; *content* is decrypted, if it was sealed to the reader."""

    id: str
    about: str
    at: str
    sender: str
    content: bytes | None


def seal_for(party: Party, content: bytes, now: datetime) -> str:
    """Seal *content* to a party's people; return it in base64url. Raises ConflictError without keys.

    An age file takes either post-quantum recipients or classic ones, never both: with both kinds on
    file, the post-quantum ones are taken.
    """
    keys = party.keys(Use.ENVELOPE, now, Status.ACTIVE, Status.NEXT)
    strong = [key.public for key in keys if key.alg == "mlkem768x25519"]
    chosen = strong or [key.public for key in keys]
    if not chosen:
        raise ConflictError(f"{party.short} has no envelope key in force: nobody could read it")
    return b64url(seal_bytes(content, [parse_recipient(key) for key in chosen]))


async def send(session: Session, wanted: Wanted, content: bytes) -> dict[str, Json]:
    """Send an RFA as an authority. Called again after a cut with the same, it is the same RFA."""
    command = ("rfa", digest_of(plain(wanted)), hex_sha256(content))
    directory = await refresh_directory(session)

    def make() -> bytes:
        about = rfa_messages.About.REQUEST
        return _signed(session, directory, new_id("rfa"), about, content, wanted=wanted)

    return await session.send_once("/v1/rfas", make, *command)


async def add(session: Session, rfa: str, content: bytes, reply_to: str | None) -> dict[str, Json]:
    """Add something to an RFA as its authority: the reply to a question, or unasked."""
    directory = await refresh_directory(session)

    def make() -> bytes:
        about = rfa_messages.About.INFORMATION
        return _signed(session, directory, rfa, about, content, in_reply_to=reply_to)

    return await session.send_once(f"/v1/rfas/{rfa}/messages", make, hex_sha256(content))


async def withdraw(session: Session, rfa: str) -> dict[str, Json]:
    """Withdraw an RFA as its authority."""
    directory = await refresh_directory(session)

    def make() -> bytes:
        return _signed(session, directory, rfa, rfa_messages.About.WITHDRAWAL, None)

    return await session.send_once(f"/v1/rfas/{rfa}/messages", make, "withdraw")


def _signed(
    session: Session,
    directory: Directory,
    rfa: str,
    about: rfa_messages.About,
    content: bytes | None,
    *,
    wanted: Wanted | None = None,
    in_reply_to: str | None = None,
) -> bytes:
    """Return a signed message, its content sealed to the mechanism's people."""
    now = datetime.now(UTC)
    mechanism, profile = directory.mechanism(), session.folder.profile
    message = RfaMessage(
        v=1,
        id=new_id("msg"),
        sender=profile.party,
        by=profile.actor,
        to=mechanism.id,
        at=spell(now),
        about=about,
        rfa=rfa,
        in_reply_to=in_reply_to,
        wanted=wanted,
        content=seal_for(mechanism, content, now) if content is not None else None,
    )
    return sign_rfa_message(message, session.folder.message_signer())


async def read(session: Session, rfa: str) -> list[Opened]:
    """Return the messages about an RFA, oldest first, each verified, and decrypted where possible."""
    directory = await refresh_directory(session)
    shown = (await session.get(f"/v1/rfas/{rfa}")).json()
    listed = shown.get("messages")
    found = []
    latest: datetime | None = None
    for one in listed if isinstance(listed, list) else []:
        name = str(one["id"]) if isinstance(one, dict) else ""
        container = (await session.get(f"/v1/rfas/{rfa}/messages/{name}")).body
        latest = moment_of(container, latest)
        found.append(_opened(session, directory, rfa, container, latest))
    return found


def _opened(
    session: Session, directory: Directory, rfa: str, container: bytes, seen: datetime
) -> Opened:
    """Verify a message by whoever must have signed it: the mechanism, or the RFA's authority."""
    payload = unverified_payload(container)
    said = payload if isinstance(payload, dict) else {}
    now = datetime.now(UTC)
    message: RfaMessage | messages.Message
    if "sender" in said:
        message, sender = _check_inward(directory, said, container, now, seen)
    else:
        keys = directory.verify_keys(directory.mechanism(), Use.MANIFEST, now, seen=seen)
        message = messages.open_message(container, keys, to=str(said.get("to")))
        sender = directory.mechanism().short
    if message.rfa != rfa:
        raise VerificationError("the message is about another RFA")
    sealed = message.content
    content = _decrypted(session, un_b64url(sealed)) if sealed is not None else None
    return Opened(message.id, message.about.value, message.at, sender, content)


def _check_inward(
    directory: Directory, payload: dict[str, Json], container: bytes, now: datetime, seen: datetime
) -> tuple[RfaMessage, str]:
    by, party = str(payload["by"]), directory.party(str(payload["sender"]))
    keys = {
        key.kid: key.checking(seen)
        for member in party.members
        if member.id == by
        for key in member.keys
        if key.use is Use.MESSAGE and key.in_force(now, Status.ACTIVE, Status.RETIRED)
    }
    if party.kind is not Kind.AUTHORITY:
        raise VerificationError("the message was not sent by an authority")
    return rfa_messages.verify_rfa_message(container, keys), party.short


def _decrypted(session: Session, sealed: bytes) -> bytes | None:
    """Return the content, or None if it was sealed to others of the same side."""
    identities = session.folder.identities()
    if not identities:
        return None
    try:
        return unseal_bytes(sealed, identities)
    except VerificationError:
        return None
