"""`python -m gateway.keyholder FOLDER`: the keyholder that a gateway starts beside itself.

It serves until its standard input ends, which is when the gateway does.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from gateway import keyfiles
from gateway.kernel.errors import GatewayError
from gateway.keyholder.folder import VaultFile
from gateway.keyholder.server import opened


def now() -> datetime:
    """Read the clock: the only place of the keyholder that does."""
    return datetime.now(UTC)  # noqa: TID251 - its composition root


def main() -> None:
    """Serve a folder until standard input ends."""
    folder = Path(sys.argv[1])
    phrase = os.environ.pop(keyfiles.PASSPHRASE, None)  # noqa: TID251 - its composition root
    try:
        with opened(folder, VaultFile.read(folder, phrase), now):
            while sys.stdin.buffer.read(4096):
                pass
    except GatewayError as error:
        sys.exit(f"keyholder: {error}")


if __name__ == "__main__":
    main()
