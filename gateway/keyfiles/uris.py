"""PKCS#11 URIs (RFC 7512), of which a key needs little: in which token it lies and what it is called."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from gateway.kernel.errors import MalformedError

_PATH = frozenset({"token", "object", "serial", "type"})
_QUERY = frozenset({"pin-source"})


@dataclass(frozen=True, slots=True)
class TokenUri:
    """Where a key lies: the label of its *token*, if need be its *serial*, and the label *name* of the key.

    *pin_source* is the file with the PIN; without one the PIN is given from outside.
    """

    token: str
    name: str
    serial: str | None = None
    pin_source: Path | None = None


def parse_uri(text: str) -> TokenUri:
    """Read a URI such as `pkcs11:token=gateway;object=manifest?pin-source=file:/run/pin`.

    Raises MalformedError: for an attribute that is not supported, since to leave one out could name another
    key, and for a PIN in the URI itself.
    """
    scheme, _, rest = text.partition(":")
    if scheme != "pkcs11":
        raise MalformedError("expected a URI that begins with pkcs11:")
    path, _, query = rest.partition("?")
    said = _attributes(path.split(";"), _PATH)
    asked = _attributes(query.split("&") if query else [], _QUERY)
    if said.get("type", "private") != "private":
        raise MalformedError("a PKCS#11 URI here is of a private key")
    if not said.get("token") or not said.get("object"):
        raise MalformedError("a PKCS#11 URI names token= and object=")
    source = asked.get("pin-source")
    return TokenUri(
        said["token"], said["object"], said.get("serial"), None if source is None else _file(source)
    )


def _attributes(parts: list[str], known: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if name not in known or not equals:
            raise MalformedError(f"a PKCS#11 URI here has only {', '.join(sorted(_PATH | _QUERY))}")
        if name in found:
            raise MalformedError(f"{name} stands twice in the PKCS#11 URI")
        try:
            found[name] = unquote_to_bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError(f"{name} in the PKCS#11 URI is not UTF-8") from None
    return found


def _file(source: str) -> Path:
    """Return the file of a pin-source: a path, or a file: URI (RFC 7512, section 2.4)."""
    parts = urlsplit(source)
    if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
        raise MalformedError("the pin-source is a file")
    path = Path(unquote_to_bytes(parts.path).decode("utf-8", "replace"))
    if not path.is_absolute():
        raise MalformedError("the pin-source is an absolute path")
    return path
