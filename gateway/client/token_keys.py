"""Entering a key that lies in a token, in place of one that lay in a file: the directory's part of it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from gateway.client.ceremony import (
    KEY_DAYS,
    ROOT_DAYS,
    read_parties,
    signing_key,
    write_party,
)
from gateway.exchange.directory import Root
from gateway.exchange.parse import decode, plain
from gateway.exchange.parties import Key, Kind, Status, Use
from gateway.kernel.encoding import canonical_json
from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.kernel.signing import Signer, thumbprint


def roll_manifest_key(folder: Path, signer: Signer, now: datetime, days: int = KEY_DAYS) -> None:
    """Enter *signer* as the mechanism's key of manifests; the one before is retired, and still verifies.

    Nothing changes if it is entered already.
    """

    def rolled(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        before = (
            replace(key, status=Status.RETIRED)
            if key.use is Use.MANIFEST and key.status is Status.ACTIVE
            else key
            for key in keys
        )
        return (*before, signing_key(Use.MANIFEST, signer, now, days))

    _change(folder, Use.MANIFEST, signer, rolled)


def replace_checkpoint_key(
    folder: Path, signer: Signer, now: datetime, days: int = KEY_DAYS
) -> None:
    """Enter *signer* as the log's key, before anybody has pinned the one there is.

    Raises ConflictError if somebody has: the key is the log's identity.
    """
    parties = read_parties(folder)
    if sum(len(party.members) for party in parties) > 1:
        raise ConflictError(
            "people have pinned the log's key already: only a new instance can have it in a token"
        )

    def replaced(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        others = (key for key in keys if key.use is not Use.CHECKPOINT)
        return (*others, signing_key(Use.CHECKPOINT, signer, now, days))

    _change(folder, Use.CHECKPOINT, signer, replaced)


def replace_custodian_key(folder: Path, old: bytes, signer: Signer, now: datetime) -> None:
    """Name *signer* in the root in place of the custodian's key *old* (raw), before a set is signed.

    Nothing changes if it is named already. Raises ConflictError once a set is signed, NotFoundError if
    the root does not name *old*.
    """
    path = folder / "root.json"
    root = decode(path.read_bytes(), Root)
    kids = [key.kid for key in root.keys]
    if thumbprint(signer.public_key) in kids:
        return
    if (folder / "set.json").exists():
        raise ConflictError("a set is signed already: everybody has pinned the root as it is")
    if thumbprint(old) not in kids:
        raise NotFoundError("the root does not name this custodian's key")
    fresh = signing_key(Use.DIRECTORY, signer, now, ROOT_DAYS)
    keys = tuple(fresh if key.kid == thumbprint(old) else key for key in root.keys)
    temporary = path.with_suffix(".new")
    temporary.write_bytes(canonical_json(plain(Root(keys, root.threshold))) + b"\n")
    temporary.replace(path)


def _change(
    folder: Path, use: Use, signer: Signer, change: Callable[[tuple[Key, ...]], tuple[Key, ...]]
) -> None:
    kid = thumbprint(signer.public_key)
    for party in read_parties(folder):
        for member in party.members if party.kind is Kind.MECHANISM else ():
            if any(key.use is use for key in member.keys):
                if any(key.kid == kid for key in member.keys):
                    return
                made = replace(member, keys=change(member.keys))
                members = tuple(made if m == member else m for m in party.members)
                write_party(folder, replace(party, members=members))
                return
    raise NotFoundError(f"the directory names no {use.value} key of the mechanism")
