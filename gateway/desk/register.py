"""The register of marks: which copy went to whom. JSON lines of mode 0600, only ever added to.

Each line carries an HMAC-SHA256 under a key of its own file (`REGISTER.key`), so that a changed line is
found. The tag in a copy is random; without the register it leads to nobody.
"""

import fcntl
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import msgspec

from gateway import keyfiles
from gateway.exchange.parse import decode, plain
from gateway.kernel.encoding import canonical_json
from gateway.kernel.errors import MalformedError, VerificationError


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One marked copy: whose it is, what it was made of and when; *tag* in hex."""

    v: int
    tag: str
    party: str
    source_sha256: str
    at: str
    mac: str


class Register:
    """A register on disk and its key. Raises MalformedError if others may read it."""

    def __init__(self, path: Path, passphrase: str | None, *, make: bool = False) -> None:
        self.path = path
        key = path.with_name(path.name + ".key")
        if make and not key.exists() and not path.exists():
            self._key = keyfiles.make_symmetric(key, passphrase)
        else:
            self._key = keyfiles.read_symmetric(key, passphrase)
        if path.exists() and path.stat().st_mode & 0o077:
            raise MalformedError(f"register {path.name} is open to others: run chmod 600 on it")

    def enter(self, party: str, source_sha256: str, at: str) -> bytes:
        """Enter a new copy, durably, and return its random tag."""
        tag = secrets.token_bytes(16)
        line = Line(1, tag.hex(), party, source_sha256, at, "")
        data = canonical_json(plain(msgspec.structs.replace(line, mac=self._mac(line)))) + b"\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return tag

    def lines(self) -> list[Line]:
        """Return every line, checked. Raises VerificationError for one that was changed."""
        if not self.path.exists():
            return []
        found = []
        for number, data in enumerate(self.path.read_bytes().splitlines(), 1):
            line = decode(data, Line)
            if not hmac.compare_digest(line.mac, self._mac(line)):
                raise VerificationError(f"line {number} of the register is not as it was entered")
            found.append(line)
        return found

    def _mac(self, line: Line) -> str:
        data = canonical_json(plain(msgspec.structs.replace(line, mac="")))
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()
