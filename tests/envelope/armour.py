"""The ASCII armour of age files (c2sp.org/age, "ASCII armor"), strictly read: for tests alone."""

import base64
import binascii

BEGIN, END = b"-----BEGIN AGE ENCRYPTED FILE-----", b"-----END AGE ENCRYPTED FILE-----"
COLUMNS = 64


def unarmoured(data: bytes) -> bytes:
    """Return the binary file. Raises ValueError for any other spelling than the one allowed."""
    lines = data.strip(b" \t\r\n").replace(b"\r\n", b"\n").split(b"\n")
    if len(lines) < 2 or lines[0] != BEGIN or lines[-1] != END:
        raise ValueError("not armoured")
    body = lines[1:-1]
    full = all(len(line) == COLUMNS for line in body[:-1])
    if body and not (full and 0 < len(body[-1]) <= COLUMNS):
        raise ValueError("a line has the wrong length")
    try:
        made = base64.b64decode(b"".join(body), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if base64.b64encode(made) != b"".join(body):
        raise ValueError("not canonical")
    return made
