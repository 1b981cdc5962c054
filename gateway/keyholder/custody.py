"""The keyholder's folder: a key file for each vault epoch, under one unlocking secret; locked or unlocked.

`custody.json` says who guards the secret and which epochs there are; `epochs/<set>/` holds the key
files, in the format of `gateway/keyfiles.py`, sealed under the secret. All of it is for the keyholder's
own user. Unlocking opens the epochs asked for and forgets the secret: to open another epoch, custodians
come again. Every change is a new file that is durable before `custody.json` names it, so that a crash
leaves the state before or after it.
"""

import os
import shutil
import threading
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from gateway import keyfiles
from gateway.envelope import Identity, Recipient, Suite, generate_identity, parse_recipient
from gateway.exchange.parse import decode, plain
from gateway.exchange.rewraps import epoch_of
from gateway.exchange.vault_statement import PublicEpoch, Standing, VaultStatement
from gateway.kernel.encoding import b64url, canonical_json
from gateway.kernel.errors import ConflictError, LockedError, MalformedError, NotFoundError
from gateway.kernel.signing import KeySigner, Signer
from gateway.kernel.time import instant, spell
from gateway.keyholder import guard as guards
from gateway.keyholder.guard import Guard
from gateway.keyholder.periods import check_months, following, name_of, period

FILE = "custody.json"
SIGNER = "rewrap"
"""The key file, beside those of the epochs, of the key that signs re-wrap records."""


class Epoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vault epoch: its name for people, its age recipient, the period it was made for."""

    name: str
    recipient: str
    begins: str
    ends: str
    destroyed: bool = False

    @property
    def id(self) -> str:
        """What records and databases call it: the hex SHA-256 of its recipient."""
        return epoch_of(self.recipient)


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `custody.json` says. *months* is the length of an epoch, *signer* a public key."""

    v: Literal[1]
    months: int
    guard: Guard
    epochs: tuple[Epoch, ...]
    signer: str

    def active(self, now: datetime) -> Epoch | None:
        """Return the epoch that began last."""
        begun = [e for e in self.epochs if instant(e.begins) <= now and not e.destroyed]
        return max(begun, key=lambda epoch: epoch.begins, default=None)

    def standing(self, epoch: Epoch, now: datetime) -> Standing:
        """Tell where an epoch stands at *now*."""
        if epoch.destroyed:
            return "destroyed"
        if instant(epoch.begins) > now:
            return "next"
        return "active" if epoch == self.active(now) else "retired"

    def find(self, name: str) -> Epoch:
        """Return the epoch of this name or id. Raises NotFoundError."""
        for epoch in self.epochs:
            if name in (epoch.name, epoch.id):
                return epoch
        raise NotFoundError("there is no such vault epoch: see gateway keyholder status")


def create(
    folder: Path,
    secret: bytearray,
    guard: Guard,
    now: datetime,
    *,
    months: int = 3,
    first: Identity | None = None,
) -> State:
    """Make a keyholder's folder with the epoch of *now* and a key for re-wrap records.

    *first* is the identity of that epoch, if the vault has one already.

    Raises ConflictError if there is one already, MalformedError for another length of epochs.
    """
    check_months(months)
    guards.check(guard, secret)
    if (folder / FILE).exists():
        raise ConflictError("there is a keyholder in this folder already")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "epochs").mkdir(mode=0o700, exist_ok=True)
    keys = _keys(folder, guard)
    shutil.rmtree(keys, ignore_errors=True)
    signer = KeySigner.generate()
    _write_key(keys / f"{SIGNER}.key", "ed25519", b64url(signer.public_key), signer.seed, secret)
    state = State(1, months, guard, (), b64url(signer.public_key))
    epoch, _ = _make_epoch(folder, state, secret, period(now, months)[0], first)
    state = replace(state, epochs=(epoch,))
    _save(folder, state)
    return state


class Custody:
    """The vault's identities: which there are, and which of them are open now. For several threads."""

    def __init__(self, folder: Path) -> None:
        """Take the keyholder of *folder*, locked. Raises MalformedError if others may look into it."""
        self._folder = folder
        self._state = _load(folder)
        self._open: dict[str, Identity] = {}
        self._signer: Signer | None = None
        self._wanted: set[str] = set()
        self._lock = threading.RLock()

    @property
    def state(self) -> State:
        """Who guards it, and which epochs there are."""
        return self._state

    @property
    def locked(self) -> bool:
        """Tell whether nothing is open."""
        return self._signer is None

    @property
    def opened(self) -> tuple[str, ...]:
        """Name the epochs that are open."""
        with self._lock:
            return tuple(sorted(self._open))

    @property
    def wanted(self) -> tuple[str, ...]:
        """Name the epochs that were asked for and were not open: they have open work."""
        with self._lock:
            return tuple(sorted(self._wanted))

    def identities(self, *epochs: str) -> tuple[Identity, ...]:
        """Return the identities of *epochs*, by name or id; without any, all that are open.

        Raises LockedError if one of them, or everything, is locked; NotFoundError if there is none.
        """
        with self._lock:
            names = [self._state.find(name).name for name in epochs] or [*self._open]
            lacking = [name for name in names if name not in self._open]
            self._wanted.update(lacking)
            if self.locked or lacking:
                what = f"vault epoch {', '.join(lacking)}" if lacking else "the keyholder"
                raise LockedError(f"{what} is locked: custodians must unlock it", retry_after=60)
            return tuple(self._open[name] for name in names)

    def signer(self) -> Signer:
        """Return the key for re-wrap records. Raises LockedError."""
        if self._signer is None:
            raise LockedError("the keyholder is locked: unlock it first", retry_after=60)
        return self._signer

    def mover(self, now: datetime) -> tuple[Recipient, Signer]:
        """Return the recipient of the active epoch, and the key for re-wrap records. Raises LockedError."""
        active = self._state.active(now)
        if active is None:
            raise ConflictError("no vault epoch is active")
        return parse_recipient(active.recipient), self.signer()

    def want(self, *epochs: str) -> None:
        """Note that there is work for *epochs*, so that the next unlocking opens them too.

        One that is not there, or open already, is passed over.
        """
        with self._lock:
            found = [e for e in self._state.epochs if {e.name, e.id} & {*epochs}]
            shut = (e.name for e in found if not e.destroyed and e.name not in self._open)
            self._wanted.update(shut)

    def unlock(self, secret: bytearray, now: datetime, epochs: Iterable[str] | None = None) -> None:
        """Open *epochs*; without any, the active one and those that are wanted. Wipes the secret.

        Raises VerificationError for another secret, NotFoundError for an epoch that is not there.
        """
        with self._lock, _Wiped(secret):
            guards.check(self._state.guard, secret)
            chosen = self._chosen(now, epochs)
            found = {epoch.name: self._read(epoch, secret) for epoch in chosen}
            path = _keys(self._folder, self._state.guard) / f"{SIGNER}.key"
            self._signer = keyfiles.read_signer(path, _phrase(secret))
            self._open.update(found)
            self._wanted.difference_update(found)

    def _chosen(self, now: datetime, epochs: Iterable[str] | None) -> list[Epoch]:
        if epochs is not None:
            chosen = [self._state.find(name) for name in epochs]
        else:
            active = self._state.active(now)
            wanted = [self._state.find(name) for name in self._wanted]
            chosen = [epoch for epoch in wanted if not epoch.destroyed]
            if active is not None and active not in chosen:
                chosen.append(active)
        if any(epoch.destroyed for epoch in chosen):
            raise NotFoundError("the key of this vault epoch was destroyed")
        return chosen

    def lock(self) -> None:
        """Forget every identity. What Python copied stays in freed memory until the process ends."""
        with self._lock:
            self._open.clear()
            self._signer = None

    def rotate(self, secret: bytearray, now: datetime, *, ahead: bool = False) -> Epoch:
        """Make a new epoch: from *now*, the old one being retired; or *ahead*, for the next period.

        One that begins now is open at once. Wipes the secret. Raises VerificationError for another
        one, ConflictError if the epoch ahead is there already.
        """
        with self._lock, _Wiped(secret):
            guards.check(self._state.guard, secret)
            if ahead and any(self._state.standing(e, now) == "next" for e in self._state.epochs):
                raise ConflictError("the next vault epoch was made already")
            months = self._state.months
            begin = period(following(now, months), months)[0] if ahead else now
            epoch, identity = _make_epoch(self._folder, self._state, secret, begin)
            self._keep(replace(self._state, epochs=(*self._state.epochs, epoch)))
            if not ahead and not self.locked:
                self._open[epoch.name] = identity
            return epoch

    def reguard(self, secret: bytearray, fresh: bytearray, guard: Guard) -> None:
        """Seal every key file anew under *fresh*, which *guard* keeps: what opened them is void.

        Copies of the old key files, in a backup, are still opened by the old secret. Wipes both.
        """
        with self._lock, _Wiped(secret), _Wiped(fresh):
            guards.check(self._state.guard, secret)
            guards.check(guard, fresh)
            old, new = _keys(self._folder, self._state.guard), _keys(self._folder, guard)
            for epoch in self._state.epochs:
                if not epoch.destroyed:
                    text = self._read(epoch, secret).text.encode()
                    _write_key(new / f"{epoch.name}.key", "age", epoch.recipient, text, fresh)
            seed = keyfiles.read(old / f"{SIGNER}.key", "ed25519", _phrase(secret))
            _write_key(new / f"{SIGNER}.key", "ed25519", self._state.signer, seed, fresh)
            self._keep(replace(self._state, guard=guard))
            shutil.rmtree(old)

    def destroy(self, name: str, now: datetime) -> Epoch:
        """Destroy the key of a retired epoch: what is wrapped to it and nothing else is lost for good.

        Raises ConflictError unless it is retired.
        """
        with self._lock:
            epoch = self._state.find(name)
            standing = self._state.standing(epoch, now)
            if standing != "retired":
                raise ConflictError(f"the epoch is {standing}: only a retired one is destroyed")
            gone = replace(epoch, destroyed=True)
            epochs = tuple(gone if e == epoch else e for e in self._state.epochs)
            self._keep(replace(self._state, epochs=epochs))
            (_keys(self._folder, self._state.guard) / f"{epoch.name}.key").unlink(missing_ok=True)
            self._open.pop(epoch.name, None)
            self._wanted.discard(epoch.name)
            return gone

    def _read(self, epoch: Epoch, secret: bytearray) -> Identity:
        path = _keys(self._folder, self._state.guard) / f"{epoch.name}.key"
        identity = keyfiles.read_identity(path, _phrase(secret))
        if str(identity.recipient) != epoch.recipient:
            raise MalformedError(f"key file {path.name} holds another epoch's key")
        return identity

    def _keep(self, state: State) -> None:
        _save(self._folder, state)
        self._state = state


class _Wiped:
    """Wipes a secret at the end of a block, however that ends."""

    def __init__(self, secret: bytearray) -> None:
        self._secret = secret

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        guards.wipe(self._secret)


def _make_epoch(
    folder: Path,
    state: State,
    secret: bytearray,
    begin: datetime,
    first: Identity | None = None,
) -> tuple[Epoch, Identity]:
    """Write the key file of a new epoch; `custody.json` does not name it yet."""
    months = state.months
    name = name_of(period(begin, months)[0], months, [epoch.name for epoch in state.epochs])
    identity = first or generate_identity(Suite.PQ)
    path = _keys(folder, state.guard) / f"{name}.key"
    # Of a rotation that a crash cut off: nobody was told its recipient.
    path.unlink(missing_ok=True)
    _write_key(path, "age", str(identity.recipient), identity.text.encode(), secret)
    ends = period(begin, months)[1]
    return Epoch(name, str(identity.recipient), spell(begin), spell(ends)), identity


def _keys(folder: Path, guard: Guard) -> Path:
    return folder / "epochs" / guard.set


def _write_key(
    path: Path, kind: keyfiles.Kind, public: str, secret: bytes, under: bytearray
) -> None:
    keyfiles.write(path, kind, public, secret, _phrase(under), keyfiles.LEAST)
    _sync(path.parent)
    _sync(path.parent.parent)


def _phrase(secret: bytearray) -> str:
    """Spell the unlocking secret as the passphrase that a key file takes: base64url, 43 characters."""
    return b64url(bytes(secret))


def _load(folder: Path) -> State:
    try:
        mode = folder.stat().st_mode
        data = (folder / FILE).read_bytes()
    except OSError:
        raise MalformedError("there is no keyholder: run gateway keyholder init first") from None
    if mode & 0o077:
        raise MalformedError("the keyholder's folder is open to others: run chmod 700 on it")
    return decode(data.strip(), State)


def _save(folder: Path, state: State) -> None:
    temporary = folder / f"{FILE}.new"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(canonical_json(plain(state)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / FILE)
    _sync(folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def public_statement(state: State, now: datetime) -> VaultStatement:
    """Return what the keyholder publishes of itself; none of it is secret."""
    epochs = (
        PublicEpoch(e.name, e.id, e.recipient, e.begins, e.ends, state.standing(e, now))
        for e in state.epochs
    )
    return VaultStatement(tuple(epochs), state.signer)
