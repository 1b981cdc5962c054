"""The keyholder: the only code that opens the vault. Everything that is unwrapped goes through `wrap`.

Order of durability: judged → remembered, synced → answered. One request at a time.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from gateway.envelope import Identity, Recipient, parse_recipient, unwrap, wrap
from gateway.exchange.directory import Directory, open_set
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import ConflictError, LockedError, TooLargeError, VerificationError
from gateway.kernel.signing import Signer
from gateway.keyholder import judge
from gateway.keyholder.folder import read_config, read_root
from gateway.keyholder.journal import Journal, Wrap
from gateway.keyholder.judge import Item, Owed, Trust, WrapRequest
from gateway.keyholder.moving import move
from gateway.keyholder.protocol import (
    MAX_ITEMS,
    MAX_RECALLS,
    AskState,
    Headers,
    MoveItem,
    MoveRequest,
    Moves,
    RewrapItem,
    RewrapRequest,
    ShowDirectory,
    ShowRecalls,
    State,
    Wrapped,
)
from gateway.ledger import open_checkpoint


class Vault(Protocol):
    """The vault's keys: one in a file, or epochs in custody."""

    def identities(self, *epochs: str) -> tuple[Identity, ...]:
        """Return the identities of these epochs, or all at hand. Raises LockedError if they are not."""
        ...

    def want(self, *epochs: str) -> None:
        """Note that there is work for these epochs, for the next unlocking."""
        ...

    def mover(self, now: datetime) -> tuple[Recipient, Signer]:
        """Return the active epoch's recipient and the key for re-wrap records.

        Raises LockedError, ConflictError if this vault has no epochs.
        """
        ...


_DIRECTORIES = 8  # sets kept open; to verify one takes 10 ms


class Holder:
    """Judges what it is shown by its own folder, and wraps file keys for whom that entitles to them."""

    def __init__(self, folder: Path, vault: Vault, now: Callable[[], datetime]) -> None:
        """Take the folder's config, root and journal. Raises MalformedError."""
        self._config, self._root = read_config(folder), read_root(folder)
        self._vault, self._now = vault, now
        self._journal = Journal(folder)
        self._lock = threading.Lock()
        self._directory = lru_cache(_DIRECTORIES)(self._open_directory)

    def close(self) -> None:
        """Close the journal, once the request under way is done."""
        with self._lock:
            self._journal.close()

    def tell_state(self, request: AskState) -> State:
        """Note which epochs there is work for, and return how the keyholder stands."""
        self._vault.want(*request.work)
        return self.state()

    def state(self) -> State:
        """Return how the keyholder stands."""
        with self._lock:
            trust = self._trust()
            return State(
                locked=self._locked(),
                directory=trust.accepted[-1].number if trust.accepted else 0,
                size=trust.last.size if trust.last else 0,
                recalled=self._journal.last_recall(),
            )

    def show_directory(self, request: ShowDirectory) -> State:
        """Accept a directory set that the root signed and the ledger has. Numbers only grow."""
        with self._lock:
            trust = self._trust()
            view = judge.check_view(request.view, trust)
            with judge.about("directory"):
                directory = open_set(request.set, self._root)
                if trust.accepted and directory.number <= trust.accepted[-1].number:
                    newest = trust.accepted[-1].number
                    raise VerificationError(f"set {newest} was shown already: numbers only grow")
                one = judge.check_directory(request.entry, directory.number, directory.digest, view)
            with self._journal.writing():
                self._journal.see(request.view.checkpoint)
                self._journal.accept(one, request.set)
        return self.state()

    def show_recalls(self, request: ShowRecalls) -> State:
        """Remember recalls: nothing of these shares is wrapped any more."""
        if len(request.recalls) > MAX_RECALLS:
            raise TooLargeError(f"at most {MAX_RECALLS} recalls are taken at once")
        with self._lock:
            trust = self._trust()
            view = judge.check_view(request.view, trust)
            found = [judge.check_recall(shown, view, trust) for shown in request.recalls]
            with self._journal.writing():
                self._journal.see(request.view.checkpoint)
                for share, index in found:
                    self._journal.recall(share, index)
        return self.state()

    def wrap(self, request: WrapRequest) -> Headers:
        """Wrap the items of one release for its recipient; what was answered before is answered again.

        Raises LockedError, VerificationError, ConflictError; then nothing was wrapped.
        """
        if not 0 < len(request.items) <= MAX_ITEMS:
            raise TooLargeError(f"1 to {MAX_ITEMS} items are wrapped at once")
        with self._lock:
            identities = self._vault.identities(*_epochs(request.items))
            trust = self._trust()
            release = judge.check_release(request, trust)
            share = release.act.share
            self._check_unspent(share, release.digest)
            owed = [judge.check_item(item, release, trust) for item in request.items]
            _check_distinct([one.record.item for one in owed])
            made, fresh = [], []
            for item, one in zip(request.items, owed, strict=True):
                found = self._journal.wrapped(share, one.record.item, first=True)
                if found is None:
                    header = _wrap(item.vault_header, identities, one.keys)
                    found = _first(share, release.act.recipient, one, header, trust.now)
                    fresh.append(found)
                made.append(found)
            with self._journal.writing():
                self._journal.see(request.view.checkpoint)
                self._journal.release(share, release.digest)
                self._journal.keep(fresh)
        return _answer(made)

    def rewrap(self, request: RewrapRequest) -> Headers:
        """Wrap items of a share anew to newer keys of its recipient, by the newest directory shown.

        Raises VerificationError unless they were wrapped for this share before and it was not recalled,
        ConflictError if the recipient has no newer key.
        """
        if not 0 < len(request.items) <= MAX_ITEMS:
            raise TooLargeError(f"1 to {MAX_ITEMS} items are wrapped at once")
        with self._lock:
            identities = self._vault.identities(*_epochs(request.items))
            trust = self._trust()
            newest = trust.newest()
            self._check_not_recalled(request.share)
            _check_distinct([item.item for item in request.items])
            made = [self._again(request, item, newest, trust) for item in request.items]
            answers = [
                _next(last, item.vault_header, identities, keys, trust.now) if keys else last
                for item, (last, keys) in zip(request.items, made, strict=True)
            ]
            with self._journal.writing():
                self._journal.keep(
                    one for one, (_, keys) in zip(answers, made, strict=True) if keys
                )
        return _answer(answers)

    def move(self, request: MoveRequest) -> Moves:
        """Wrap items to the vault's active epoch, and sign a record of each.

        The epoch is its own, and the one that the newest directory names. Raises LockedError,
        VerificationError, ConflictError; then nothing was wrapped.
        """
        if not 0 < len(request.items) <= MAX_ITEMS:
            raise TooLargeError(f"1 to {MAX_ITEMS} items are wrapped at once")
        with self._lock:
            now = self._now()
            target, signer = self._vault.mover(now)
            identities = self._vault.identities(*_epochs(request.items))
            judge.check_mover(str(target), signer.public_key, self._trust())
            with judge.about("item"):
                moved = [
                    move(one.item, one.vault_header, identities, target, signer)
                    for one in request.items
                ]
        return Moves(tuple(moved))

    def _again(
        self, request: RewrapRequest, item: RewrapItem, newest: Directory, trust: Trust
    ) -> tuple[Wrap, tuple[str, ...]]:
        """Return the last wrap of an item, and the keys to wrap it to now: none if these are its keys."""
        with judge.about("item"):
            last = self._journal.wrapped(request.share, item.item)
            if last is None:
                raise VerificationError("it was never wrapped for this share")
            header = hex_sha256(item.vault_header)
            judge.leads_back(item.item, item.chain, last.vault_header, header, trust)
        with judge.about("recipient"):
            party = newest.party(last.recipient)
            keys = judge.usable(party, last.suite, request.keys, trust.now)
            if set(keys) == set(last.keys):
                return last, ()
            # To fewer keys than before only if another one ended: what they open, they could open.
            ended = set(last.keys) - set(judge.envelope_keys(party, last.suite, trust.now))
            if not keys or not (ended or set(keys) - set(last.keys)):
                raise ConflictError(f"it has no newer {last.suite} key in force")
            return last, keys

    def _check_unspent(self, share: str, release: str) -> None:
        self._check_not_recalled(share)
        before = self._journal.released_by(share)
        if before is not None and before != release:
            raise VerificationError("release: the share was wrapped by another order before")

    def _check_not_recalled(self, share: str) -> None:
        if self._journal.recalled(share):
            raise VerificationError(
                "share: its recall was shown; nothing of it is wrapped any more"
            )

    def _trust(self) -> Trust:
        note = self._journal.checkpoint()
        return Trust(
            audience=self._config.audience,
            log=self._config.verifier,
            floors=self._config.floors,
            otherwise=self._config.otherwise,
            accepted=self._journal.directories(),
            directory=self._directory,
            last=None if note is None else open_checkpoint(note, self._config.verifier),
            now=self._now(),
        )

    def _open_directory(self, number: int) -> Directory:
        return open_set(self._journal.directory(number), self._root)

    def _locked(self) -> bool:
        try:
            self._vault.identities()
        except LockedError:
            return True
        return False


def _epochs(items: Iterable[Item | RewrapItem | MoveItem]) -> set[str]:
    """Return the epochs that must be open; none, if an item's is not said: then whichever are."""
    said = {item.epoch for item in items}
    return set() if "" in said else said


@lru_cache(maxsize=1024)  # spelling of post-quantum recipients takes longer to read than a wrap
def _recipient(text: str) -> Recipient:
    return parse_recipient(text)


def _check_distinct(items: list[str]) -> None:
    if len(set(items)) != len(items):
        raise VerificationError("item: it stands twice in the request")


def _wrap(vault_header: bytes, identities: tuple[Identity, ...], keys: tuple[str, ...]) -> bytes:
    with judge.about("item"):
        return wrap(unwrap(vault_header, identities), [_recipient(key) for key in keys])


def _first(share: str, recipient: str, owed: Owed, header: bytes, now: datetime) -> Wrap:
    record = owed.record
    return Wrap(
        share, record.item, 0, owed.vault_header, recipient, record.suite, header, owed.keys, now
    )


def _next(
    last: Wrap,
    vault_header: bytes,
    identities: tuple[Identity, ...],
    keys: tuple[str, ...],
    now: datetime,
) -> Wrap:
    header = _wrap(vault_header, identities, keys)
    shown = hex_sha256(vault_header)
    return replace(last, n=last.n + 1, vault_header=shown, header=header, keys=keys, at=now)


def _answer(made: list[Wrap]) -> Headers:
    return Headers(tuple(Wrapped(one.item, one.header, one.keys) for one in made))
