"""A policy set comes into force: signed by enough authors, tested, and looked at for what it turns.

The same checks whichever way it came, by order or in the instance's folder. Whatever fails, the set in
force stays; decisions under way end with the set they began with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from gateway.exchange.acts import ActivatePolicy
from gateway.exchange.entries import Entry, Kind
from gateway.exchange.policy_sets import (
    FEWEST,
    PolicyManifest,
    check_files,
    check_signed,
    check_size,
    read_manifest,
    signers,
)
from gateway.kernel.encoding import Json, canonical_json, hex_sha256
from gateway.kernel.errors import (
    ConflictError,
    GatewayError,
    MalformedError,
    VerificationError,
)
from gateway.kernel.signing import unverified_payload
from gateway.kernel.time import spell
from gateway.policy import (
    ENGINE,
    Loaded,
    check_cases,
    check_invariants,
    load_files,
)
from gateway.store import policy_sets
from gateway.store.policy_sets import Bundle
from gateway.store.writer import Transaction
from gateway.workflows import suspend
from gateway.workflows.gateway import (
    Answer,
    Gateway,
    Signed,
    check_fresh,
    check_writable,
    perform,
    read_act,
)
from gateway.workflows.policy_replay import Turned, facts_of, replay, who_signed_off

LOCK = "sets"
"""The lock of whoever reads the sets in force to put others there."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A set as it was handed in: nothing of it is checked yet."""

    manifest: bytes
    signature: bytes
    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """The digest of the manifest, which names the set."""
        return hex_sha256(self.manifest)


@dataclass(frozen=True, slots=True)
class Checked:
    """A set that holds in itself: of these files, signed by these persons, its cases met."""

    manifest: PolicyManifest
    loaded: Loaded
    signers: frozenset[str]


def activate(gateway: Gateway, signed: Signed) -> Answer:
    """Put a set into force by order."""
    act = read_act(signed)
    if not isinstance(act, ActivatePolicy):
        raise MalformedError("expected the activation of a policy set", field="/act/type")
    files = {name: text.encode() for name, text in act.files.items()}
    handed = Handed(act.manifest.encode(), act.signature.encode(), files)
    with gateway.lock(LOCK):
        answer = _activate(gateway, signed, act.number, handed)
    suspend.sweep(gateway)
    return answer


def _activate(gateway: Gateway, signed: Signed, number: int, handed: Handed) -> Answer:
    check_writable(gateway)
    creates = f"policy_{number}"
    with gateway.engine.connect() as conn:
        before = policy_sets.latest(conn)
    if before is not None and before.manifest_digest == handed.digest:
        # Sent again: who was first is answered again, anybody else is told.
        return perform(gateway, signed, _there_already, creates=creates)
    check_fresh(gateway, gateway.now())
    checked = check(gateway, handed)
    if checked.manifest.number != number:
        raise MalformedError("the manifest is of another number", field="/act/number")
    check_next(gateway, checked.manifest)
    turned = check_turned(gateway, handed, checked, signed.actor.id)
    now = gateway.now()

    def work(tx: Transaction) -> Answer:
        return _accept(gateway, tx, handed, checked, turned, now, signed)

    answer = perform(gateway, signed, work, creates=creates)
    swap(gateway, checked.loaded, number)
    return answer


def _there_already(_: Transaction) -> Answer:
    raise ConflictError("this very policy set is in force already")


def take_folder(gateway: Gateway, handed: Handed) -> None:
    """Put the set of the instance's folder into force, if it is another than the one in force.

    Raises what is wrong with it; the set in force stays then.
    """
    with gateway.engine.connect() as conn:
        latest = policy_sets.latest(conn)
    kept = latest if latest is not None and latest.manifest_digest == handed.digest else None
    if kept is not None and (kept.number, kept.files) == (gateway.sets.number, handed.files):
        gateway.refused.pop("policy", None)
        return
    if kept is None:
        check_fresh(gateway, gateway.now())
    checked = check(gateway, handed, kept)
    if kept is None:
        check_next(gateway, checked.manifest)
        turned = check_turned(gateway, handed, checked, None)
        now = gateway.now()
        gateway.writer.run(lambda tx: _accept(gateway, tx, handed, checked, turned, now, None))
    swap(gateway, checked.loaded, checked.manifest.number)


def refuse_folder(gateway: Gateway, error: GatewayError) -> None:
    """Record why the set in the folder is not put into force; once for as long as it is the same."""
    reason = str(error)
    if gateway.refused.get("policy") == reason:
        return
    entry = Entry(
        kind=Kind.POLICY_REFUSED,
        at=gateway.now(),
        outcome=type(error).__name__,
        content={"reason": reason},
    )
    gateway.writer.run(lambda tx: tx.record(entry))


def restore(gateway: Gateway) -> None:
    """Load the set that came into force last, verified again as it was then.

    Keys that were retired or revoked since do not undo it: the ledger shows when it was accepted.
    Raises VerificationError if what is kept is not what was signed.
    """
    with gateway.engine.connect() as conn:
        kept = policy_sets.latest(conn)
    if kept is None:
        return
    manifest = canonical_json(unverified_payload(kept.signed))
    checked = check(gateway, Handed(manifest, kept.signed, kept.files), kept)
    if checked.manifest.number != kept.number:
        raise VerificationError("the kept policy set is not the one that was signed")
    swap(gateway, checked.loaded, kept.number)


def check(gateway: Gateway, handed: Handed, kept: Bundle | None = None) -> Checked:
    """Check a set by itself. One that was *kept* is judged by directory and time of its acceptance.

    What does not load is named by file and line, whoever signed it.
    """
    check_size(handed.files)
    loaded = load_files(handed.files)
    if not handed.manifest or not handed.signature:
        raise VerificationError("the policy set is not signed: two authors run gateway policy sign")
    manifest = read_manifest(handed.manifest)
    check_signed(handed.manifest, handed.signature)
    check_files(manifest, handed.files)
    if kept is None:
        _check_statement(manifest, loaded)
        persons = signers(
            handed.signature, gateway.sets.directory, gateway.now(), gateway.policy_threshold
        )
    else:  # to ask for more authors from now on does not undo what is in force
        directory = gateway.directory_numbered(kept.directory)
        persons = signers(handed.signature, directory, kept.at, FEWEST)
    return Checked(manifest, loaded, persons)


def _check_statement(manifest: PolicyManifest, loaded: Loaded) -> None:
    """Check what the manifest states of its files."""
    if manifest.engine != ENGINE:
        raise VerificationError(
            f"the set was signed for engine {manifest.engine}, this is {ENGINE}: sign it anew"
        )
    stated = (manifest.policy, manifest.rules, manifest.cases.run)
    if stated != (loaded.policy.digest, loaded.rules, check_cases(loaded)):
        raise VerificationError("the manifest does not state what its files say: sign it anew")
    unproved = {one.id for one in loaded.invariants} - set(manifest.analysis.proved)
    if unproved:
        raise VerificationError(
            f"the authors did not prove {', '.join(sorted(unproved))}: one with the extra `author` "
            "installed signs the set anew"
        )


def check_next(gateway: Gateway, manifest: PolicyManifest) -> None:
    """Check that a set comes after the one in force. Raises ConflictError."""
    with gateway.engine.connect() as conn:
        highest, latest = policy_sets.highest(conn), policy_sets.latest(conn)
    if manifest.number <= highest:
        raise ConflictError(
            f"policy set {highest} is in force: a new one has a higher number, and this is "
            f"{manifest.number}"
        )
    before = latest.manifest_digest if latest is not None else None
    if manifest.supersedes != before:
        said = f"policy set {latest.number}, {before}" if latest is not None else "none"
        raise ConflictError(
            f"the set supersedes another one than is in force ({said}): sign it anew upon that"
        )


def check_turned(
    gateway: Gateway, handed: Handed, checked: Checked, activator: str | None
) -> Turned:
    """Replay what was recorded; check that what turns to permit was signed off.

    Raises ConflictError that says by whom and how.
    """
    cases = ((case.facts, case.today) for case in checked.loaded.cases)
    check_invariants(checked.loaded, chain(cases, facts_of(gateway)))
    turned = replay(gateway, checked.loaded)
    if turned.opens and not who_signed_off(
        gateway, handed.digest, turned, checked.signers | {activator or ""}
    ):
        raise ConflictError(
            f"{turned.opened} recorded decisions would turn to permit: a legal adviser or the head of "
            "the mechanism, who neither signed the set nor activates it, looks at them and runs "
            "gateway policy signoff"
        )
    return turned


def _accept(
    gateway: Gateway,
    tx: Transaction,
    handed: Handed,
    checked: Checked,
    turned: Turned,
    now: datetime,
    signed: Signed | None,
) -> Answer:
    manifest, actor = checked.manifest, signed.actor.id if signed is not None else None
    order = signed.order.digest if signed is not None else None
    policy_sets.accept(
        tx.conn,
        Bundle(
            number=manifest.number,
            digest=manifest.policy,
            manifest_digest=handed.digest,
            signed=handed.signature,
            files=handed.files,
            directory=gateway.sets.directory.number,
            actor=actor,
            order=order,
            at=now,
        ),
    )
    said: dict[str, Json] = {
        "number": manifest.number,
        "set": manifest.policy,
        "manifest": handed.digest,
        "signers": [*sorted(checked.signers)],
        "flips": turned.digest if turned.flips else None,
    }
    entry = tx.record(
        Entry(kind=Kind.POLICY_ACCEPTED, at=now, actor=actor, order=order, content=said)
    )
    return {**said, "entry": entry}


def swap(gateway: Gateway, loaded: Loaded, number: int) -> None:
    """Let the next decision be made by another set. The caller holds the lock of the sets."""
    gateway.put(policy=loaded.policy, register=loaded.register, number=number)
    gateway.refused.pop("policy", None)


def listed(gateway: Gateway) -> Answer:
    """Return every set that came into force, oldest first, and which is in force now."""
    with gateway.engine.connect() as conn:
        found: list[Json] = [_told(bundle) for bundle in policy_sets.every(conn)]
    return {"sets": found, "in_force": gateway.sets.number or None}


def shown(gateway: Gateway, number: int) -> Answer:
    """Return a set with its manifest, signatures and files. Raises NotFoundError."""
    with gateway.engine.connect() as conn:
        bundle = policy_sets.numbered(conn, number)
    return {
        **_told(bundle),
        "signed": bundle.signed.decode(),
        "files": {name: data.decode() for name, data in bundle.files.items()},
    }


def _told(bundle: Bundle) -> dict[str, Json]:
    return {
        "number": bundle.number,
        "set": bundle.digest,
        "manifest": bundle.manifest_digest,
        "actor": bundle.actor,
        "order": bundle.order,
        "at": spell(bundle.at),
    }
