"""A keyholder's process: its memory protected, its vault locked or open, its sockets answered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from gateway.keyholder import ceremony, custody, memory, server
from gateway.keyholder.ceremony import Ceremony
from gateway.keyholder.custody import Custody
from gateway.keyholder.folder import VaultFile


@contextmanager
def running(folder: Path, passphrase: str | None, now: Callable[[], datetime]) -> Iterator[None]:
    """Serve the keyholder of *folder* until the block ends.

    One with epochs in custody begins locked, and answers ceremonies; one with a single key file is open
    from the start, by *passphrase*. Raises MalformedError, VerificationError, UnavailableError.
    """
    hygiene = memory.protect()
    if not (folder / custody.FILE).exists():
        with server.opened(folder, VaultFile.read(folder, passphrase), now):
            yield
        return
    held = Custody(folder)
    with server.opened(folder, held, now) as serving:
        with ceremony.opened(Ceremony(held, now, hygiene), folder, serving.log.write):
            yield
        held.lock()
