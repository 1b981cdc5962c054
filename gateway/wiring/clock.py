"""The clock and the passphrase: what the server takes from its surroundings."""

import os
from datetime import UTC, datetime

from gateway import keyfiles


def now() -> datetime:
    """Read the clock: the only place of the server that does."""
    return datetime.now(UTC)


def passphrase() -> str | None:
    """Return the passphrase of the key files, if the environment brings one."""
    return os.environ.get(keyfiles.PASSPHRASE)
