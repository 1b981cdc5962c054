"""`python -m gateway.keyholder FOLDER`: the keyholder as a process.

One that a gateway started beside itself serves until its standard input ends, which is when the gateway
does; with `--alone`, until SIGTERM or SIGINT.
"""

import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from gateway import keyfiles
from gateway.kernel.errors import GatewayError
from gateway.keyholder.process import running


def now() -> datetime:
    """Read the clock: the only place of the keyholder that does."""
    return datetime.now(UTC)  # noqa: TID251 - its composition root


def main() -> None:
    """Serve a folder until told to stop."""
    folder, *alone = sys.argv[1:]
    phrase = os.environ.pop(keyfiles.PASSPHRASE, None)  # noqa: TID251 - its composition root
    try:
        with running(Path(folder), phrase, now):
            _until_told() if alone == ["--alone"] else _until_alone()
    except GatewayError as error:
        sys.exit(f"keyholder: {error}")


def _until_told() -> None:
    told = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: told.set())
    told.wait()


def _until_alone() -> None:
    while sys.stdin.buffer.read(4096):
        pass


if __name__ == "__main__":
    main()
