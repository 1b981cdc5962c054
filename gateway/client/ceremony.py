"""Making and signing the directory: data files of parties in, a signed set out. All of it offline."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from gateway import keyfiles
from gateway.client.profile import Profile, write_profile
from gateway.envelope import Suite
from gateway.exchange.directory import Root, make_set, open_set
from gateway.exchange.parse import decode, plain
from gateway.exchange.parties import Key, Kind, Member, Party, Role, Status, Use
from gateway.exchange.rewraps import epoch_of
from gateway.exchange.vault_statement import PublicEpoch, VaultStatement
from gateway.kernel.encoding import b64url, canonical_json
from gateway.kernel.errors import ConflictError, MalformedError, NotFoundError
from gateway.kernel.ids import new_id
from gateway.kernel.signing import Signer
from gateway.kernel.time import instant, spell

KEY_DAYS = 2 * 365
SET_DAYS = 90
SIGNER_DAYS = 10 * 365
"""A keyholder's key for re-wrap records lasts: it comes into use at ceremonies alone."""

GRACE_DAYS = 92
"""For how long after its end deposits still go to a vault epoch, if nobody has rotated."""

KEYHOLDER = "keyholder"
"""The name of the service that the mechanism's keyholder stands as in the directory."""

_ALGORITHM = {Suite.PQ: "mlkem768x25519", Suite.CLASSIC: "x25519"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the key folders of new members point: gateway, audience and ledger."""

    url: str
    audience: str
    log: str


def read_parties(folder: Path) -> list[Party]:
    """Read the party files of a directory folder. Raises MalformedError naming the file."""
    found = []
    for path in sorted((folder / "parties").glob("*.json")):
        try:
            found.append(decode(path.read_bytes(), Party))
        except MalformedError as error:
            message = f"{path.name}: {error}{' at ' + error.field if error.field else ''}"
            raise MalformedError(message, field=path.name) from None
    return found


def find_party(folder: Path, short: str) -> Party:
    """Return the party with this short name or id. Raises NotFoundError."""
    for party in read_parties(folder):
        if short in (party.short, party.id):
            return party
    raise NotFoundError(f"no party {short} in the directory: see gateway keys list")


def write_party(folder: Path, party: Party) -> None:
    """Write a party's file, readable and diffable."""
    path = folder / "parties" / f"{party.short}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(plain(party), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    temporary = path.with_suffix(".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def add_party(
    folder: Path,
    short: str,
    name: str,
    kind: Kind,
    jurisdiction: str | None,
    supports: Sequence[str] = (),
) -> Party:
    """Add a party without members. Raises ConflictError if the short name is taken.

    *supports*: the kinds of obligation that its endpoint has announced to honour.
    """
    if any(party.short == short for party in read_parties(folder)):
        raise ConflictError(f"party {short} exists already")
    try:
        party = Party(new_id("pty"), short, name, kind, (), jurisdiction, _announced(supports))
    except ValueError as error:
        raise MalformedError(str(error)) from None
    write_party(folder, party)
    return party


def _announced(supports: Sequence[str]) -> tuple[str, ...] | UnsetType:
    return tuple(sorted(supports)) if supports else UNSET


def set_supports(folder: Path, short: str, supports: Sequence[str]) -> Party:
    """Enter the kinds of obligation that a party's endpoint honours from now on, in place of those before.

    Raises MalformedError for what is no kind, or a party that has no endpoint.
    """
    party = find_party(folder, short)
    try:
        changed = replace(party, announced=_announced(supports))
    except ValueError as error:
        raise MalformedError(str(error)) from None
    write_party(folder, changed)
    return changed


def public_key(use: Use, alg: str, public: str, now: datetime, days: int = KEY_DAYS) -> Key:
    """Describe a new key, active from a minute ago for *days*."""
    begin = now - timedelta(minutes=1)
    end = now + timedelta(days=days)
    return Key(use, alg, public, Status.ACTIVE, spell(begin), spell(end))


def add_member(
    folder: Path,
    short: str,
    name: str,
    roles: Sequence[Role],
    out: Path,
    place: Place,
    *,
    person: bool,
    suites: Sequence[Suite],
    passphrase: str | None,
    now: datetime,
    days: int = KEY_DAYS,
) -> Member:
    """Make a key folder for a new person or service and enter the public keys into the party's file.

    With *suites* the member holds envelope keys as well, one of each; a policy author one to sign policy
    sets with. The keys are good for *days*.
    """
    party = find_party(folder, short)
    if (out / "profile.json").exists():
        raise ConflictError(f"{out.name} is a key folder already: choose another one")
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = []
    signs = (Use.POLICY,) if person and Role.POLICY_AUTHOR in roles else ()
    for use in (Use.REQUEST, Use.MESSAGE, *signs):
        signer = keyfiles.make_signer(out / f"{use.value}.key", passphrase)
        keys.append(public_key(use, "Ed25519", b64url(signer.public_key), now, days))
    for suite in suites:
        file = "envelope.key" if suite is suites[0] else f"envelope-{suite.value}.key"
        identity = keyfiles.make_identity(out / file, suite, passphrase)
        recipient = str(identity.recipient)
        keys.append(public_key(Use.ENVELOPE, _ALGORITHM[suite], recipient, now, days))
    member = Member(new_id("psn" if person else "svc"), name, tuple(roles), tuple(keys))
    changed = replace(party, members=(*party.members, member))
    root = decode((folder / "root.json").read_bytes(), Root)
    profile = Profile(place.url, place.audience, member.id, party.id, root, place.log)
    write_profile(out, profile)
    write_party(folder, changed)
    return member


def revoke(folder: Path, kid: str) -> str:
    """Revoke a key by thumbprint (or a prefix of it that is unique); return its owner's id."""
    matches = [
        (party, member, key)
        for party in read_parties(folder)
        for member in party.members
        for key in member.keys
        if key.kid.startswith(kid)
    ]
    if len(matches) != 1:
        raise NotFoundError(f"{len(matches)} keys begin with {kid}: see gateway keys list")
    party, member, gone = matches[0]
    revoked = Key(gone.use, gone.alg, gone.public, Status.REVOKED, gone.not_before, gone.not_after)
    keys = tuple(revoked if key == gone else key for key in member.keys)
    changed = Member(member.id, member.name, member.roles, keys)
    members = tuple(changed if m == member else m for m in party.members)
    write_party(folder, replace(party, members=members))
    return member.id


def write_root(folder: Path, signers: Sequence[Signer], threshold: int, now: datetime) -> Root:
    """Pin the keys whose signatures make a directory."""
    end = now + timedelta(days=10 * 365)
    keys = tuple(
        Key(
            Use.DIRECTORY,
            "Ed25519",
            b64url(signer.public_key),
            Status.ACTIVE,
            spell(now - timedelta(minutes=1)),
            spell(end),
        )
        for signer in signers
    )
    root = Root(keys, threshold)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "root.json").write_bytes(canonical_json(plain(root)) + b"\n")
    return root


def sign_set(
    folder: Path, signers: Sequence[Signer], now: datetime, *, days: int = SET_DAYS
) -> int:
    """Sign the party files as the next set; return its number. The old one stays if anything fails."""
    root = decode((folder / "root.json").read_bytes(), Root)
    path = folder / "set.json"
    number = open_set(path.read_bytes(), root).number + 1 if path.exists() else 1
    made = make_set(
        read_parties(folder),
        number=number,
        issued=now,
        expires=now + timedelta(days=days),
        signers=signers,
    )
    data = canonical_json(plain(made))
    open_set(data, root)
    temporary = path.with_suffix(".new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return number


def enter_vault(folder: Path, statement: VaultStatement, now: datetime) -> Member:
    """Enter what a keyholder says of itself as a service of the mechanism; return that service.

    Each epoch that is not destroyed gets a vault key: active from its begin until a while after its end,
    so that a late rotation stops nothing. Vault keys that are not the keyholder's are retired; a revoked
    one stays revoked. Sign the set to put it into force.
    """
    party = find_party(folder, "mechanism")
    old = next((member for member in party.members if member.name == KEYHOLDER), None)
    known = {key.public: key for member in party.members for key in member.keys}
    keys = [_vault_key(epoch, known.get(epoch.recipient)) for epoch in statement.epochs]
    signer = known.get(statement.signer) or public_key(
        Use.REWRAP, "Ed25519", statement.signer, now, SIGNER_DAYS
    )
    entered = (*(key for key in keys if key is not None), signer)
    before = [key for key in old.keys if key.use is Use.REWRAP and key != signer] if old else []
    retired = tuple(_retired(key) for key in before)
    made = Member(old.id if old else new_id("svc"), KEYHOLDER, (), (*entered, *retired))
    theirs = {key.public for key in made.keys}
    others = tuple(
        replace(member, keys=tuple(_retire_vault(k) for k in member.keys if k.public not in theirs))
        for member in party.members
        if member != old
    )
    write_party(folder, replace(party, members=(*others, made)))
    return made


def _vault_key(epoch: PublicEpoch, known: Key | None) -> Key | None:
    if epoch.standing == "destroyed":
        return None
    status = Status.RETIRED if epoch.standing == "retired" else Status.ACTIVE
    if known is not None and known.status is Status.REVOKED:
        status = Status.REVOKED
    end = spell(instant(epoch.ends) + timedelta(days=GRACE_DAYS))
    return Key(Use.VAULT, _ALGORITHM[Suite.PQ], epoch.recipient, status, epoch.begins, end)


def _retire_vault(key: Key) -> Key:
    return _retired(key) if key.use is Use.VAULT and key.status is Status.ACTIVE else key


def _retired(key: Key) -> Key:
    return key if key.status is Status.REVOKED else replace(key, status=Status.RETIRED)


def leave_vault(folder: Path, epoch: str) -> str:
    """Mark a vault epoch, named by its id or a beginning of it, as one that all items are to leave.

    Returns its id. Raises NotFoundError unless just one begins so, ConflictError if no other is active.
    """
    party = find_party(folder, "mechanism")
    every = [key for member in party.members for key in member.keys if key.use is Use.VAULT]
    found = [key for key in every if epoch and epoch_of(key.public).startswith(epoch)]
    if len(found) != 1:
        raise NotFoundError(
            f"{len(found)} vault epochs begin with {epoch}: see gateway vault status"
        )
    if not any(key.status is Status.ACTIVE for key in every if key != found[0]):
        raise ConflictError("no other vault epoch is active: rotate first, and enter the new one")
    gone = replace(found[0], status=Status.REVOKED)
    members = tuple(
        replace(member, keys=tuple(gone if key == found[0] else key for key in member.keys))
        for member in party.members
    )
    write_party(folder, replace(party, members=members))
    return epoch_of(gone.public)
