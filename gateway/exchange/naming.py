"""Names of files inside a package: safe on every system, and able to lie together in one folder."""

import unicodedata
from collections.abc import Iterable


def can_stand_together(names: Iterable[str]) -> bool:
    """Tell whether files of these names can lie in one folder on every system.

    No two are alike but for case or Unicode normalisation, and none is the folder of another.
    """
    plain = [unicodedata.normalize("NFC", name).casefold() for name in names]
    folders = {name[:i] for name in plain for i, c in enumerate(name) if c == "/"}
    return len(set(plain)) == len(plain) and folders.isdisjoint(plain)


def check_name(name: str) -> None:
    """Check a file name inside a package: relative, `/` as separator, safe on every system.

    Raises ValueError for absolute paths, `..`, empty parts, parts of over 255 bytes, control
    characters, and what Windows would read as a device, drive or stream.
    """
    if len(name.encode("utf-8", "surrogatepass")) > 1024:
        raise ValueError("a name has at most 1024 bytes")
    if any(c in '\\:*?"<>|' or unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise ValueError('a name holds no control characters and none of \\ : * ? " < > |')
    if _TURNING.intersection(name):
        raise ValueError("a name holds no characters that turn the direction of writing")
    for part in name.split("/"):
        # Windows drops blanks before the dot, so that "nul .txt" is the device too.
        device = part.split(".")[0].rstrip().upper() in _DEVICES
        if not part or part[-1] in ". " or device or len(part.encode()) > 255:
            raise ValueError("a name is a relative path without . or .. that any system can write")


# With them "evidence-\u202egpj.exe" is shown as a picture.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{d}{i}" for d in ("COM", "LPT") for i in "0123456789¹²³"}
)
