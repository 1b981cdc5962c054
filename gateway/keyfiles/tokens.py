"""Ed25519 keys in PKCS#11 tokens: they sign there, and never leave.

One session per token, shared by the keys in it, because a login counts for the whole process. A token that
went away is looked for anew at each signature, in a module that is initialised again: some notice nothing
otherwise. A PIN that was refused is never tried again by this process: tokens lock themselves after a few
wrong ones. All calls of one module stand behind one lock.
"""

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.kernel.errors import (
    ConflictError,
    GatewayError,
    MalformedError,
    NotFoundError,
    UnavailableError,
    VerificationError,
)
from gateway.kernel.second import SecondKey
from gateway.kernel.signing import PUBLIC_KEY_SIZE, check_signature
from gateway.keyfiles.uris import TokenUri

PIN = "GATEWAY_PKCS11_PIN"
"""The environment variable that brings the PIN, unless a URI names a pin-source."""

_ED25519 = bytes.fromhex("06032b6570")  # the object identifier 1.3.101.112 (RFC 8410) in DER
_ED25519_NAME = b"\x13\x0cedwards25519"  # the curve's name, as PKCS#11 3.0 first had it
_OCTETS = bytes((0x04, PUBLIC_KEY_SIZE))  # DER of an OCTET STRING of 32 bytes


def point_of(value: bytes) -> bytes:
    """Return the raw public key in a CKA_EC_POINT: wrapped in a DER OCTET STRING, or as it is.

    PKCS#11 3.0 wraps it, 3.1 does not, and tokens do either. Raises MalformedError for anything else.
    """
    if len(value) == PUBLIC_KEY_SIZE:
        return value
    if len(value) == PUBLIC_KEY_SIZE + 2 and value.startswith(_OCTETS):
        return value[2:]
    raise MalformedError("the token's public key is not one of Ed25519")


@dataclass(slots=True)
class _Module:
    """A module with the sessions that are open in it: by label and serial of their token."""

    path: str
    lock: threading.RLock = field(default_factory=threading.RLock)
    sessions: dict[tuple[str, str | None], Any] = field(default_factory=dict)
    barred: set[tuple[str, str | None]] = field(default_factory=set)

    def session(self, uri: TokenUri, pin: str, *, writing: bool = False) -> Any:
        """Return the session of a token, opened if it is not."""
        place = uri.token, uri.serial
        if writing and place in self.sessions:
            self.sessions.pop(place).close()
        if place not in self.sessions:
            self.sessions[place] = self._open(uri, place, pin, writing=writing)
        return self.sessions[place]

    def forget(self) -> None:
        """Drop every session and initialise the module again, which then finds the tokens there are."""
        self.sessions.clear()
        _load(self.path).reinitialize()

    def _open(
        self, uri: TokenUri, place: tuple[str, str | None], pin: str, *, writing: bool
    ) -> Any:
        import pkcs11

        if place in self.barred:
            raise UnavailableError(
                f"the token {uri.token} refused its PIN before, and is not asked again lest it lock "
                "itself: set the right one and start anew"
            )
        serial = None if uri.serial is None else uri.serial.encode()
        token = _load(self.path).get_token(token_label=uri.token, token_serial=serial)
        try:
            return token.open(rw=writing, user_pin=pin)
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
            self.barred.add(place)
            raise UnavailableError(
                f"the token {uri.token} refuses the PIN, which is not tried again: a few wrong ones lock it"
            ) from None
        except pkcs11.PinLocked:
            self.barred.add(place)
            raise UnavailableError(
                f"the PIN of the token {uri.token} is locked: its security officer sets a new one"
            ) from None


_modules: dict[str, _Module] = {}
_registry = threading.Lock()


def _module(path: str) -> _Module:
    with _registry:
        return _modules.setdefault(path, _Module(path))


def _load(path: str) -> Any:
    try:
        import pkcs11
    except ImportError:
        raise MalformedError(
            "the key lies in a PKCS#11 token: install the extra pkcs11 to use it"
        ) from None
    try:
        return pkcs11.lib(path)
    except (RuntimeError, pkcs11.PKCS11Error):
        raise UnavailableError("the PKCS#11 module cannot be loaded: see its path") from None


@dataclass(slots=True)
class TokenSigner:
    """A signer whose Ed25519 key lies in a token; its *second* key, if it has one, in a file."""

    module: str
    uri: TokenUri
    public_key: bytes
    pin: str = field(repr=False)
    second: SecondKey | None = None
    _key: Any = field(default=None, repr=False)
    _session: Any = field(default=None, repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of *message*.

        Raises UnavailableError while the token is not there, refuses the PIN or does not sign; also if its
        key is another one than the key file says.
        """
        import pkcs11

        module = _module(self.module)
        with module.lock:
            try:
                signature = self._sign(module, message)
            except (pkcs11.PKCS11Error, NotFoundError):
                # Gone, and seen empty or not at all; perhaps back again: once more from the beginning.
                signature = self._again(module, message)
        try:
            check_signature(self.public_key, message, signature)
        except VerificationError:
            raise UnavailableError(
                f"the key {self.uri.name} in the token {self.uri.token} is not the one of its key file"
            ) from None
        return signature

    def _again(self, module: _Module, message: bytes) -> bytes:
        import pkcs11

        try:
            module.forget()
            return self._sign(module, message)
        except (pkcs11.PKCS11Error, NotFoundError) as error:
            raise _gone(self.uri, error) from None

    def _sign(self, module: _Module, message: bytes) -> bytes:
        import pkcs11

        session = module.session(self.uri, self.pin)
        if self._session is not session:  # a key's handle lives as long as its session
            self._key = _private(session, self.uri)
            self._session = session
        return bytes(self._key.sign(message, mechanism=pkcs11.Mechanism.EDDSA))


def _gone(uri: TokenUri, error: Exception) -> GatewayError:
    return UnavailableError(
        f"the token {uri.token} does not sign ({type(error).__name__}): see that it is there"
    )


def _private(session: Any, uri: TokenUri) -> Any:
    """Return the private key a URI names. Raises NotFoundError, or MalformedError for another type."""
    return _only(session, uri, "PRIVATE_KEY")


def _only(session: Any, uri: TokenUri, kind: str) -> Any:
    import pkcs11

    wanted = {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass[kind],
        pkcs11.Attribute.LABEL: uri.name,
    }
    found = list(session.get_objects(wanted))
    if len(found) != 1:
        raise NotFoundError(f"the token {uri.token} has {len(found)} keys called {uri.name}")
    if found[0].key_type is not pkcs11.KeyType.EC_EDWARDS:
        raise MalformedError(f"the key {uri.name} in the token {uri.token} is not one of Ed25519")
    return found[0]


def find_key(module: str, uri: TokenUri, pin: str) -> TokenSigner:
    """Return the signer of a key that lies in a token, once it has signed something and it held.

    Raises NotFoundError, MalformedError for a key of another type, UnavailableError without the token or
    for a wrong PIN.
    """
    import_or_explain(module)
    import pkcs11

    held = _module(module)
    with held.lock:
        try:
            session = held.session(uri, pin)
            public = _only(session, uri, "PUBLIC_KEY")
            params = bytes(public[pkcs11.Attribute.EC_PARAMS])
            point = point_of(bytes(public[pkcs11.Attribute.EC_POINT]))
        except pkcs11.PKCS11Error as error:
            raise _gone(uri, error) from None
    if params not in {_ED25519, _ED25519_NAME}:
        raise MalformedError(f"the key {uri.name} in the token {uri.token} is not one of Ed25519")
    signer = TokenSigner(module, uri, point, pin)
    signer.sign(b"a key that is entered signs once before")
    return signer


def make_key(module: str, uri: TokenUri, pin: str) -> TokenSigner:
    """Have a token make an Ed25519 key that it never gives out. Raises ConflictError for a label that is taken."""
    import_or_explain(module)
    import pkcs11

    held = _module(module)
    with held.lock:
        try:
            session = held.session(uri, pin, writing=True)
            if list(session.get_objects({pkcs11.Attribute.LABEL: uri.name})):
                raise ConflictError(f"the token {uri.token} has a key called {uri.name} already")
            attributes = {pkcs11.Attribute.EC_PARAMS: _ED25519}
            domain = session.create_domain_parameters(
                pkcs11.KeyType.EC_EDWARDS, attributes, local=True
            )
            domain.generate_keypair(
                mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                store=True,
                label=uri.name,
                private_template={
                    pkcs11.Attribute.SENSITIVE: True,
                    pkcs11.Attribute.EXTRACTABLE: False,
                },
            )
        except pkcs11.PKCS11Error as error:
            raise _gone(uri, error) from None
    return find_key(module, uri, pin)


def import_or_explain(module: str) -> None:
    """Raise MalformedError without the extra pkcs11, UnavailableError if the module does not load."""
    _load(module)


def close_all() -> None:
    """Close every session and let go of the modules: at the end of a process, and between tests."""
    with _registry:
        for held in _modules.values():
            with held.lock, suppress(Exception):
                held.sessions.clear()
                _load(held.path).finalize()
        _modules.clear()


def pin_of(uri: TokenUri, given: str | None) -> str:
    """Return the PIN: of the pin-source if the URI names one, else the one *given*.

    Raises MalformedError without one, or if others may read the file.
    """
    if uri.pin_source is None:
        if not given:
            raise MalformedError(f"the token {uri.token} wants its PIN: set {PIN}, or a pin-source")
        return given
    return _pin_in(uri.pin_source)


def _pin_in(path: Path) -> str:
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise MalformedError(f"the pin-source {path.name} cannot be read") from None
    if mode & 0o077:
        raise MalformedError(f"the pin-source {path.name} is open to others: run chmod 600 on it")
    return text.rstrip("\r\n")
