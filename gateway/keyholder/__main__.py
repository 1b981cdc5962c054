"""`python -m gateway.keyholder [--service] FOLDER`: the keyholder's process.

It serves until its standard input ends, which is when the gateway that started it does; as a service of
its own, until SIGTERM or SIGINT.
"""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from gateway import keyfiles
from gateway.kernel.errors import GatewayError
from gateway.keyholder.process import running

SERVICE = "--service"
_ENDS = (signal.SIGTERM, signal.SIGINT)


def now() -> datetime:
    """Read the clock: the only place of the keyholder that does."""
    return datetime.now(UTC)  # noqa: TID251 - its composition root


def main() -> None:
    """Serve a folder until it is told to end."""
    *options, folder = sys.argv[1:]
    service = SERVICE in options
    if service:  # before there is a thread, so that every one inherits it
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    phrase = os.environ.pop(keyfiles.PASSPHRASE, None)  # noqa: TID251 - its composition root
    try:
        with running(Path(folder), phrase, now):
            if service:
                signal.sigwait(_ENDS)
            while not service and sys.stdin.buffer.read(4096):
                pass
    except GatewayError as error:
        sys.exit(f"keyholder: {error}")


if __name__ == "__main__":
    main()
