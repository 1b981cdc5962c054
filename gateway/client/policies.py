"""A policy folder and the gateway: see what it would change, sign that off, put it into force."""

from pathlib import Path
from typing import Any

from gateway.client.authors import MANIFEST, SIGNATURE, read_files, read_signed
from gateway.client.session import Session
from gateway.exchange.acts import ActivatePolicy, PreviewPolicy, SignOffPolicy
from gateway.exchange.policy_acts import must_be_policy_files
from gateway.exchange.policy_sets import read_manifest
from gateway.kernel.encoding import Json, canonical_json, digest_of, is_hex_digest
from gateway.kernel.errors import ConflictError, MalformedError, NotFoundError, VerificationError
from gateway.kernel.ids import new_id
from gateway.kernel.signing import unverified_payload
from gateway.policy import Loaded, load_files
from gateway.policy.replay import differences

Answer = dict[str, Json]


def texts(folder: Path) -> dict[str, str]:
    """Return the files of a policy folder as texts. Raises MalformedError for one that is not UTF-8."""
    found = {}
    for name, data in read_files(folder).items():
        try:
            found[name] = data.decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError(f"{name} is not UTF-8", field=name) from None
    return found


async def preview(session: Session, folder: Path | None) -> Answer:
    """Ask what a folder would change, signed or not; without one, what the set in force would.

    Nothing is recorded.
    """
    if folder is None:
        act = PreviewPolicy()
    elif (folder / MANIFEST).exists():
        manifest, signature = read_signed(folder)
        act = PreviewPolicy(manifest.decode(), signature.decode(), texts(folder))
    else:
        act = PreviewPolicy(files=texts(folder))
    return await session.act("/v1/policy/preview", act)


async def activate(session: Session, folder: Path) -> Answer:
    """Put a signed folder into force."""
    manifest, signature = read_signed(folder)
    number = read_manifest(manifest).number
    act = ActivatePolicy(number, manifest.decode(), signature.decode(), texts(folder))
    return await session.act("/v1/policy/sets", act)


async def sign_off(session: Session, manifest: str, flips: str) -> Answer:
    """Agree to what a set turns to permit, by the digests that its preview told."""
    return await session.act_once(
        "/v1/policy/signoffs",
        lambda: SignOffPolicy(new_id("sgn"), manifest, flips),
        manifest,
        flips,
    )


async def listed(session: Session) -> Answer:
    """Return the sets that came into force."""
    return (await session.get("/v1/policy/sets")).json()


async def fetch(session: Session, number: int) -> Answer:
    """Return a set with its signed manifest and files, and the signed manifest that is in force."""
    one = (await session.get(f"/v1/policy/sets/{number}")).json()
    in_force = (await listed(session))["in_force"]
    if in_force in (None, number):
        return {**one, "in_force": one["signed"] if in_force else None}
    now = (await session.get(f"/v1/policy/sets/{in_force}")).json()
    return {**one, "in_force": now["signed"]}


def write(folder: Path, fetched: Answer) -> None:
    """Write a fetched set into a new folder: its files, to be edited and signed as a new set.

    The manifest beside them is that of the set in force, whichever was fetched: the next set has its
    number after that one and supersedes it. Raises MalformedError for names that are none of a policy
    folder's.
    """
    files = fetched["files"]
    said = {str(name): str(text) for name, text in files.items()} if isinstance(files, dict) else {}
    try:
        must_be_policy_files(said)
        folder.mkdir(parents=True)
    except FileExistsError:
        raise ConflictError(f"{folder.name} exists already: name a new folder") from None
    except ValueError as error:
        raise MalformedError(str(error)) from None
    for name, text in said.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    if isinstance(fetched["in_force"], str):
        signed = fetched["in_force"].encode()
        (folder / MANIFEST).write_bytes(canonical_json(unverified_payload(signed)) + b"\n")
        (folder / SIGNATURE).write_bytes(signed + b"\n")


async def recompute(session: Session, name: str) -> Answer:
    """Make a recorded decision again, here; return what was recorded and what comes out otherwise.

    *name* is its digest, or a share with the number of the decision, of which the newest is the default.
    Raises VerificationError if facts, decision or set are not what their digests say, NotFoundError if
    the set came into force before sets were kept with their files.
    """
    digest = name if is_hex_digest(name) else await _digest_of(session, name)
    one: Any = (await session.get(f"/v1/decisions/{digest}")).json()
    recorded: dict[str, Json] = one["decision"]
    if digest_of(recorded) != digest:
        raise VerificationError("the gateway gave another decision than was asked for")
    number, loaded = await _set_of(session, str(recorded["policy"]))
    day = str(one["at"])[:10]
    return {
        **{member: one[member] for member in ("share", "n", "stage", "at", "digest")},
        "policy": recorded["policy"],
        "number": number,
        "engine": recorded.get("engine"),
        "outcome": recorded["outcome"],
        "after_clearances": recorded.get("after_clearances"),
        "missing": recorded.get("missing"),
        "unmet": recorded.get("unmet"),
        "differences": [*differences(loaded.policy, recorded, one["facts"], day)],
    }


async def _digest_of(session: Session, name: str) -> str:
    share, _, n = name.partition(":")
    if n and not (n.isascii() and n.isdigit()):
        raise MalformedError("say the digest of a decision, or SHARE:N")
    found: Any = (await session.get(f"/v1/shares/{share}/decisions")).json()["decisions"]
    wanted = [row for row in found if not n or row["n"] == int(n)]
    if not wanted:
        raise NotFoundError("the share has no such decision")
    return str(wanted[-1]["digest"])


async def _set_of(session: Session, policy: str) -> tuple[int, Loaded]:
    sets: Any = (await listed(session))["sets"]
    numbers = [int(row["number"]) for row in sets if row["set"] == policy]
    if not numbers:
        raise NotFoundError(
            f"no set with digest {policy} is kept with its files: it came into force before sets were "
            "signed; give its files by hand to gateway policy explain"
        )
    files: Any = (await fetch(session, numbers[0]))["files"]
    loaded = load_files({name: str(text).encode() for name, text in files.items()})
    if loaded.policy.digest != policy:
        raise VerificationError("the gateway gave another policy set than was asked for")
    return numbers[0], loaded
