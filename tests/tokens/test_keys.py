"""Keys in a token sign as the same key in memory would; what is wrong is told, and a PIN tried once."""

import threading
from pathlib import Path

import pytest

from gateway import keyfiles
from gateway.kernel.encoding import b64url
from gateway.kernel.errors import (
    ConflictError,
    MalformedError,
    NotFoundError,
    UnavailableError,
)
from gateway.kernel.signing import KeySigner, Pair, check_signature, sign, thumbprint, verify
from gateway.keyfiles import tokens
from gateway.keyfiles.uris import TokenUri, parse_uri
from tests.tokens.conftest import PIN, Token, softhsm


def made(token: Token, name: str = "manifest") -> tokens.TokenSigner:
    return tokens.make_key(token.module, parse_uri(token.uri(name)), PIN)


def test_a_key_made_in_a_token_signs_there_and_cannot_be_taken_out(token: Token) -> None:
    import pkcs11

    signer = made(token)
    check_signature(signer.public_key, b"message", signer.sign(b"message"))
    assert PIN not in repr(signer)
    session = pkcs11.lib(token.module).get_token(token_label=token.label).open()
    key = tokens._private(session, signer.uri)
    with pytest.raises(pkcs11.PKCS11Error):
        key[pkcs11.Attribute.VALUE]
    assert key[pkcs11.Attribute.EXTRACTABLE] is False
    with pytest.raises(ConflictError, match="already"):
        made(token)


@pytest.mark.parametrize("second", [False, True])
def test_a_key_file_of_a_token_holds_no_secret_but_that_of_its_second_key(
    token: Token, tmp_path: Path, second: bool
) -> None:
    path, signer = tmp_path / "manifest.key", made(token)
    keyfiles.write_token_key(path, token.uri("manifest"), signer, None, second=second)
    assert ('"secret"' in path.read_text()) is second
    assert path.stat().st_mode & 0o777 == 0o600
    opened = keyfiles.open_signer(path, None, PIN)
    container = sign("t", {}, opened)
    kid = thumbprint(signer.public_key)
    key = (
        Pair(signer.public_key, opened.second.public_key, due=True)
        if opened.second is not None
        else signer.public_key
    )
    assert verify("t", container, {kid: key})[1] == {kid}
    assert (opened.second is not None) is second
    assert keyfiles.public_key(path) == signer.public_key
    with pytest.raises(MalformedError, match="holds a pkcs11 key, expected ed25519"):
        keyfiles.read_signer(path, None)
    with pytest.raises(MalformedError, match="wants its PIN"):
        keyfiles.open_signer(path, None, None)


def test_a_seed_in_a_file_is_opened_as_ever(tmp_path: Path) -> None:
    made = keyfiles.make_signer(tmp_path / "a.key", None)
    assert keyfiles.open_signer(tmp_path / "a.key", None, None) == made


def test_a_wrong_pin_is_tried_once(token: Token) -> None:
    made(token)
    tokens.close_all()
    uri = parse_uri(token.uri("manifest"))
    wrong = tokens.TokenSigner(token.module, uri, bytes(32), "000000")
    with pytest.raises(UnavailableError, match="refuses the PIN"):
        wrong.sign(b"m")
    assert tries_left(token)
    for _ in range(20):
        with pytest.raises(UnavailableError, match="not asked again"):
            wrong.sign(b"m")
    with pytest.raises(UnavailableError, match="not asked again"):
        tokens.find_key(token.module, uri, PIN)
    assert tries_left(token), "a second wrong try would have been the last but one"


def tries_left(token: Token) -> bool:
    """Tell whether the token says that the count of wrong PINs is low, and not that it is locked."""
    import pkcs11

    flags = pkcs11.lib(token.module).get_token(token_label=token.label).flags
    return not flags & pkcs11.TokenFlag.USER_PIN_LOCKED


def test_the_pin_comes_from_a_file_that_others_may_not_read(token: Token, tmp_path: Path) -> None:
    made(token)
    pin = tmp_path / "the pin"
    pin.write_text(PIN + "\n")
    uri = parse_uri(f"{token.uri('manifest')}?pin-source=file:{tmp_path}/the%20pin")
    assert uri.pin_source == pin
    pin.chmod(0o644)
    with pytest.raises(MalformedError, match="chmod 600"):
        tokens.pin_of(uri, "never asked for")
    pin.chmod(0o600)
    assert tokens.find_key(token.module, uri, tokens.pin_of(uri, None)).sign(b"m")
    pin.unlink()
    with pytest.raises(MalformedError, match="cannot be read"):
        tokens.pin_of(uri, None)


def test_a_token_that_goes_away_is_told_and_found_again(token: Token) -> None:
    signer, other = made(token), made(token, "checkpoint")
    token.take_away()
    for _ in range(3):
        with pytest.raises(UnavailableError, match="see that it is there"):
            signer.sign(b"m")
    token.bring_back()
    for one in (signer, other, signer):
        check_signature(one.public_key, b"m", one.sign(b"m"))


def test_a_session_that_the_token_ended_is_opened_anew(token: Token) -> None:
    signer = made(token)
    signer.sign(b"m")
    tokens._module(token.module).session(signer.uri, PIN).close()
    assert signer.sign(b"m")


def test_many_threads_sign_with_two_keys_at_once(token: Token) -> None:
    signers = [made(token), made(token, "checkpoint")]
    failed: list[Exception] = []

    def work(signer: tokens.TokenSigner) -> None:
        try:
            for n in range(25):
                message = bytes([n])
                check_signature(signer.public_key, message, signer.sign(message))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(signers[n % 2],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_key_of_another_type_is_refused(token: Token) -> None:
    import pkcs11

    session = (
        pkcs11.lib(token.module).get_token(token_label=token.label).open(rw=True, user_pin=PIN)
    )
    session.generate_keypair(pkcs11.KeyType.RSA, 2048, store=True, label="rsa")
    session.close()
    with pytest.raises(MalformedError, match="not one of Ed25519"):
        tokens.find_key(token.module, parse_uri(token.uri("rsa")), PIN)


def test_what_is_not_there_is_told(token: Token) -> None:
    signer = made(token)
    with pytest.raises(NotFoundError, match="0 keys called other"):
        tokens.find_key(token.module, parse_uri(token.uri("other")), PIN)
    with pytest.raises(UnavailableError, match="NoSuchToken"):
        tokens.find_key(token.module, TokenUri("elsewhere", "manifest"), PIN)
    with pytest.raises(UnavailableError, match="cannot be loaded"):
        tokens.find_key("/nonexistent/module.so", signer.uri, PIN)
    liar = tokens.TokenSigner(token.module, signer.uri, KeySigner.generate().public_key, PIN)
    with pytest.raises(UnavailableError, match="not the one of its key file"):
        liar.sign(b"m")


def test_two_tokens_of_one_name_are_told_apart_by_serial_number(token: Token) -> None:
    import pkcs11

    made(token)
    tokens.close_all()
    softhsm("--init-token", "--free", "--label", token.label, "--pin", PIN, "--so-pin", "314159")
    with pytest.raises(UnavailableError, match="MultipleTokens"):
        tokens.find_key(token.module, parse_uri(token.uri("manifest")), PIN)
    found = 0
    for one in pkcs11.lib(token.module).get_tokens(token_label=token.label):
        uri = parse_uri(f"{token.uri('manifest')};serial={one.serial.decode()}")
        try:
            found += bool(tokens.find_key(token.module, uri, PIN).sign(b"m"))
        except NotFoundError:
            continue
    assert found == 1


# URIs, and what tokens say of a public key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("token=a;object=b", "begins with pkcs11:"),
        ("pkcs11:token=a", "names token= and object="),
        ("pkcs11:object=b", "names token= and object="),
        ("pkcs11:", "has only"),
        ("pkcs11:token=a;object=b;id=%01", "has only"),
        ("pkcs11:token=a;object=b;token=c", "twice"),
        ("pkcs11:token=a;object=b;type=public", "private key"),
        ("pkcs11:token=a;object=%FF", "UTF-8"),
        ("pkcs11:token=a;object=b?pin-value=1234", "has only"),
        ("pkcs11:token=a;object=b?module-path=/lib/x.so", "has only"),
        ("pkcs11:token=a;object=b?pin-source=|/bin/pin", "absolute"),
        ("pkcs11:token=a;object=b?pin-source=https://x/pin", "is a file"),
        ("pkcs11:token=a;object=b?pin-source=file://elsewhere/pin", "is a file"),
    ],
)
def test_a_uri_that_says_too_little_or_too_much_is_refused(text: str, said: str) -> None:
    with pytest.raises(MalformedError, match=said):
        parse_uri(text)


def test_a_uri_is_read_whole() -> None:
    text = "pkcs11:token=The%20token%3B1;object=m;serial=00ff;type=private?pin-source=/run/pin"
    assert parse_uri(text) == TokenUri("The token;1", "m", "00ff", Path("/run/pin"))


def test_a_public_key_is_read_wrapped_or_raw() -> None:
    public = KeySigner.generate().public_key
    assert tokens.point_of(public) == public
    assert tokens.point_of(b"\x04\x20" + public) == public
    for other in (
        b"",
        public[1:],
        b"\x04\x21" + public,
        b"\x03\x20" + public,
        public + b"\x04\x20",
    ):
        with pytest.raises(MalformedError):
            tokens.point_of(other)
    assert b64url(public)


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, token: Token
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(MalformedError, match="extra pkcs11"):
        tokens.find_key(token.module, TokenUri("a", "b"), PIN)
