"""Project Wycheproof's vectors (C2SP/wycheproof, testvectors_v1) through our own functions.

What a function of ours cannot be asked (associated data, other sizes) is counted, and says why.
"""

import hmac
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from gateway.envelope import Identity, Recipient, Suite, bech32, parse_recipient
from gateway.envelope.body import open_chunk
from gateway.envelope.keys import _exchange, hkdf
from gateway.envelope.stanza import Stanza, b64, un_b64
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.signing import check_signature
from tests.vectors import wycheproof

Case = tuple[dict[str, Any], dict[str, Any]]
FILE_KEY = b"f" * 16


def cases(name: str) -> Iterator[Case]:
    """Yield each test of a file with the group it stands in."""
    for group in json.loads(wycheproof(name).read_text())["testGroups"]:
        for test in group["tests"]:
            yield group, test


def raw(test: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(test[name])


def test_chunks_are_opened_as_chacha20_poly1305_says() -> None:
    """Chunks carry no associated data and have nonces of 12 bytes; the other vectors are left out."""
    seen: Counter[str] = Counter()
    for group, test in cases("chacha20_poly1305"):
        if test["aad"] or group["ivSize"] != 96:
            seen["left out"] += 1
            continue
        cipher = ChaCha20Poly1305(raw(test, "key"))
        message, sealed = raw(test, "msg"), memoryview(raw(test, "ct") + raw(test, "tag"))
        out = memoryview(bytearray(len(message)))
        if test["result"] == "valid":
            assert open_chunk(cipher, raw(test, "iv"), sealed, out) == len(message)
            assert bytes(out) == message, test["tcId"]
            again = bytearray(len(sealed))
            cipher.encrypt_into(raw(test, "iv"), message, None, again)
            assert again == sealed
        else:
            with pytest.raises(VerificationError):
                open_chunk(cipher, raw(test, "iv"), sealed, out)
        seen[test["result"]] += 1
    assert seen["valid"] > 20
    assert sum(seen.values()) == 325


def test_shares_are_exchanged_as_x25519_says_and_low_order_ones_are_refused() -> None:
    seen: Counter[str] = Counter()
    for _, test in cases("x25519"):
        secret = x25519.X25519PrivateKey.from_private_bytes(raw(test, "private"))
        if any(raw(test, "shared")):
            assert _exchange(secret, raw(test, "public")) == raw(test, "shared"), test["tcId"]
            seen["agreed"] += 1
            continue
        with pytest.raises(MalformedError, match="low-order"):
            _exchange(secret, raw(test, "public"))
        seen["refused"] += 1
    assert seen["refused"] > 10
    assert sum(seen.values()) == 518


def test_keys_are_derived_as_hkdf_says() -> None:
    """Ours gives 32 bytes: the first of any longer output, and all of a shorter one."""
    seen: Counter[str] = Counter()
    for _, test in cases("hkdf_sha256"):
        seen[test["result"]] += 1
        if test["result"] == "valid":
            size = min(test["size"], 32)
            made = hkdf(raw(test, "ikm"), raw(test, "salt"), raw(test, "info"))
            assert made[:size] == raw(test, "okm")[:size], test["tcId"]
    assert seen["valid"] > 70  # the invalid ones ask for more than HKDF has, which ours cannot


def test_macs_are_hmac_as_it_says() -> None:
    for group, test in cases("hmac_sha256"):
        made = hmac.digest(raw(test, "key"), raw(test, "msg"), "sha256")
        same = hmac.compare_digest(made[: group["tagSize"] // 8], raw(test, "tag"))
        assert same is (test["result"] == "valid"), test["tcId"]


def test_signatures_hold_as_ed25519_says() -> None:
    seen: Counter[str] = Counter()
    for group, test in cases("ed25519"):
        public = bytes.fromhex(group["publicKey"]["pk"])
        try:
            check_signature(public, raw(test, "msg"), raw(test, "sig"))
            found = "valid"
        except VerificationError:
            found = "invalid"
        assert found == test["result"], test["tcId"]
        seen[found] += 1
    assert min(seen["valid"], seen["invalid"]) > 40


def test_second_signatures_hold_as_ml_dsa_65_says() -> None:
    second = pytest.importorskip("gateway.kernel.second")
    seen: Counter[str] = Counter()
    for group, test in cases("mldsa_65_verify"):
        context = bytes.fromhex(test.get("ctx", ""))
        public = bytes.fromhex(group["publicKey"])
        try:
            second.check_second(public, raw(test, "msg"), raw(test, "sig"), context=context)
            found = "valid"
        except VerificationError:
            found = "invalid"
        assert found == test["result"], test["tcId"]
        seen[found] += 1
    assert min(seen["valid"], seen["invalid"]) > 10


# ML-KEM-768, as half of the post-quantum recipient


def test_a_recipient_whose_kem_key_is_none_is_malformed() -> None:
    """As ML-KEM's check of encapsulation keys says (FIPS 203, section 7.2): lengths and modulus."""
    share = Identity(Suite.CLASSIC, b"s" * 32).recipient.public
    seen: Counter[str] = Counter()
    for _, test in cases("mlkem_768_encaps"):
        text = bech32.encode("age1pq", raw(test, "ek") + share)
        if test["result"] == "valid":
            parse_recipient(text).wrap(FILE_KEY)
        else:
            with pytest.raises(MalformedError):
                parse_recipient(text)
        seen[test["result"]] += 1
    assert seen["invalid"] > 10


def test_a_seed_makes_the_kem_keys_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    for _, test in cases("mlkem_768_keygen_seed"):
        kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(raw(test, "seed"))
        with monkeypatch.context() as patch:
            share = x25519.X25519PrivateKey.from_private_bytes(b"s" * 32)
            patch.setattr(Identity, "_hybrid", lambda _, kem=kem, share=share: (kem, share))
            public = Identity(Suite.PQ, b"s" * 32).recipient.public
        assert public[:1184] == raw(test, "ek"), test["tcId"]


def test_what_is_decapsulated_is_what_ml_kem_says_and_spoilt_stanzas_match_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: Counter[str] = Counter()
    for _, test in cases("mlkem_768"):
        seed, ciphertext = raw(test, "seed"), raw(test, "c")
        if test["result"] == "invalid" and len(seed) != 64:
            with pytest.raises(ValueError, match="64"):
                mlkem.MLKEM768PrivateKey.from_seed_bytes(seed)
            seen["seed"] += 1
            continue
        kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(seed)
        stanza, identity = _stanza(kem, ciphertext, monkeypatch)
        if len(ciphertext) != 1088:
            with pytest.raises(MalformedError, match="share has the wrong size"):
                identity.unwrap(stanza)
            seen["size"] += 1
        else:
            assert kem.decapsulate(ciphertext) == raw(test, "K"), test["tcId"]
            # The stanza's key was wrapped under another ciphertext: nothing comes of this one.
            assert identity.unwrap(stanza) is None
            seen["decapsulated"] += 1
        monkeypatch.undo()
    assert seen["decapsulated"] > 10


def _stanza(
    kem: mlkem.MLKEM768PrivateKey, ciphertext: bytes, patch: pytest.MonkeyPatch
) -> tuple[Stanza, Identity]:
    """Return a stanza for this key in which the KEM's ciphertext was exchanged, and who may open it."""
    share = x25519.X25519PrivateKey.from_private_bytes(b"s" * 32)
    patch.setattr(Identity, "_hybrid", lambda _: (kem, share))
    identity = Identity(Suite.PQ, b"s" * 32)
    good = Recipient(Suite.PQ, identity.recipient.public).wrap(FILE_KEY)
    assert identity.unwrap(good) == FILE_KEY
    enc = ciphertext + un_b64(good.args[1])[1088:]
    return Stanza((good.args[0], b64(enc)), good.body), identity
