"""The clock, the passphrase and the PIN: what the server takes from its surroundings."""

import os
from datetime import UTC, datetime

from gateway import keyfiles


def now() -> datetime:
    """Read the clock: the only place of the server that does."""
    return datetime.now(UTC)


def passphrase() -> str | None:
    """Return the passphrase of the key files, if the environment brings one."""
    return os.environ.get(keyfiles.PASSPHRASE)


def pin() -> str | None:
    """Return the PIN of the tokens that keys lie in, if the environment brings one."""
    return os.environ.get(keyfiles.PIN)
