"""Signed objects: one spelling, exact headers, thresholds that count keys and not signatures."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.encoding import Json, b64url, canonical_json, un_b64url
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.signing import (
    KeySigner,
    add_signature,
    check_signature,
    sign,
    signing_input,
    thumbprint,
    unverified_payload,
    verify,
)

ANNA, BORIS, CLEO = (KeySigner.from_seed(bytes([n]) * 32) for n in (1, 2, 3))
PAYLOAD: Json = {"share": "s", "n": 1}


def keys(*signers: KeySigner) -> dict[str, bytes]:
    return {thumbprint(s.public_key): s.public_key for s in signers}


def names(*signers: KeySigner) -> frozenset[str]:
    return frozenset(keys(*signers))


def changed(container: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    value: dict[str, Any] = json.loads(container)
    change(value)
    return canonical_json(value)


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 9) | st.text(max_size=5)))
def test_what_is_signed_verifies_to_the_same_payload(payload: dict[str, Json]) -> None:
    container = sign("t", payload, ANNA, BORIS)
    assert verify("t", container, keys(ANNA, BORIS), threshold=2) == (payload, names(ANNA, BORIS))
    assert unverified_payload(container) == payload


@given(st.binary(max_size=40), st.integers(0, 511))
def test_a_signature_holds_for_one_message_and_no_flipped_bit(message: bytes, bit: int) -> None:
    signature = ANNA.sign(message)
    check_signature(ANNA.public_key, message, signature)
    spoilt = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(64, "big")
    for key, text, bad in (
        (ANNA.public_key, message, spoilt),
        (ANNA.public_key, message + b"x", signature),
        (BORIS.public_key, message, signature),
    ):
        with pytest.raises(VerificationError, match="signature does not hold"):
            check_signature(key, text, bad)


def test_a_key_or_signature_of_another_size_does_not_hold() -> None:
    for key, signature in ((b"short", bytes(64)), (ANNA.public_key, b"short")):
        with pytest.raises(VerificationError, match="signature does not hold"):
            check_signature(key, b"", signature)


def test_the_thumbprint_is_the_one_of_rfc_8037() -> None:
    public = un_b64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_signer_shows_its_thumbprint_and_never_its_seed() -> None:
    signer = KeySigner.generate()
    assert repr(signer) == f"KeySigner({thumbprint(signer.public_key)})"
    assert KeySigner.from_seed(signer.seed).public_key == signer.public_key
    assert KeySigner.generate().seed != signer.seed
    with pytest.raises(MalformedError, match="32 bytes"):
        KeySigner.from_seed(bytes(31))


def test_what_is_signed_names_algorithm_key_and_type() -> None:
    header, payload = signing_input("t", "k", b"p").decode().split(".")
    assert un_b64url(header) == b'{"alg":"EdDSA","kid":"k","typ":"t"}'
    assert un_b64url(payload) == b"p"


def test_a_signature_of_another_type_counts_for_nothing() -> None:
    with pytest.raises(VerificationError, match="enough"):
        verify("other", sign("t", PAYLOAD, ANNA), keys(ANNA))


def test_unknown_keys_count_for_nothing_and_do_no_harm() -> None:
    container = sign("t", PAYLOAD, ANNA, CLEO)
    assert verify("t", container, keys(ANNA, BORIS))[1] == names(ANNA)
    with pytest.raises(VerificationError, match="enough"):
        verify("t", container, keys(BORIS))


def test_one_key_that_signs_twice_counts_once() -> None:
    with pytest.raises(VerificationError, match="enough"):
        verify("t", sign("t", PAYLOAD, ANNA, ANNA), keys(ANNA, BORIS), threshold=2)


def test_a_threshold_of_none_still_asks_for_one() -> None:
    for threshold in (0, -1):
        with pytest.raises(VerificationError, match="enough"):
            verify("t", sign("t", PAYLOAD, CLEO), keys(ANNA), threshold=threshold)


def test_one_known_signature_that_does_not_hold_condemns_the_whole() -> None:
    container = sign("t", PAYLOAD, ANNA, BORIS)
    spoilt = changed(
        container, lambda v: v["signatures"][1].__setitem__("signature", b64url(bytes(64)))
    )
    with pytest.raises(VerificationError, match="signature does not hold"):
        verify("t", spoilt, keys(ANNA, BORIS), threshold=1)
    assert verify("t", spoilt, keys(ANNA))[1] == names(ANNA)


def test_a_changed_payload_does_not_hold() -> None:
    other = b64url(canonical_json({"share": "other", "n": 1}))
    spoilt = changed(sign("t", PAYLOAD, ANNA), lambda v: v.__setitem__("payload", other))
    with pytest.raises(VerificationError, match="signature does not hold"):
        verify("t", spoilt, keys(ANNA))


def test_a_signature_moved_under_another_header_does_not_hold() -> None:
    one, two = sign("t", PAYLOAD, ANNA), sign("t", PAYLOAD, BORIS)
    header = json.loads(two)["signatures"][0]["protected"]
    spoilt = changed(one, lambda v: v["signatures"][0].__setitem__("protected", header))
    with pytest.raises(VerificationError, match="signature does not hold"):
        verify("t", spoilt, keys(ANNA, BORIS))


def test_a_protected_header_with_another_spelling_names_no_key() -> None:
    kid = thumbprint(ANNA.public_key)
    header = b64url(b'{"typ":"t","alg":"EdDSA","kid":"' + kid.encode() + b'"}')
    spoilt = changed(
        sign("t", PAYLOAD, ANNA), lambda v: v["signatures"][0].__setitem__("protected", header)
    )
    with pytest.raises(VerificationError, match="enough"):
        verify("t", spoilt, keys(ANNA))


def test_a_signature_may_be_added_by_another_key() -> None:
    both = add_signature("t", sign("t", PAYLOAD, ANNA), BORIS)
    assert verify("t", both, keys(ANNA, BORIS), threshold=2) == (PAYLOAD, names(ANNA, BORIS))


def test_signing_again_replaces_the_own_signature() -> None:
    once = sign("t", PAYLOAD, ANNA, BORIS)
    again = add_signature("t", once, ANNA)
    assert len(json.loads(again)["signatures"]) == 2
    assert verify("t", again, keys(ANNA, BORIS), threshold=2)[1] == names(ANNA, BORIS)


def test_the_place_of_a_second_signature_may_be_filled() -> None:
    filled = changed(
        sign("t", PAYLOAD, ANNA), lambda v: v["signatures"][0].__setitem__("sig2", "AAAA")
    )
    assert verify("t", filled, keys(ANNA))[0] == PAYLOAD


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.__setitem__("more", 1),
        lambda v: v.pop("payload"),
        lambda v: v.__setitem__("payload", 1),
        lambda v: v.__setitem__("payload", "YQ=="),
        lambda v: v.__setitem__("signatures", {}),
        lambda v: v.__setitem__("signatures", 1),
        lambda v: v.__setitem__("signatures", {"payload": 1}),
        lambda v: v.__setitem__("signatures", []),
        lambda v: v.__setitem__("signatures", v["signatures"] * 17),
        lambda v: v.__setitem__("signatures", [1]),
        lambda v: v["signatures"][0].pop("sig2"),
        lambda v: v["signatures"][0].__setitem__("header", {}),
        lambda v: v["signatures"][0].__setitem__("sig2", 1),
        lambda v: v["signatures"][0].__setitem__("protected", 1),
        lambda v: v["signatures"][0].__setitem__("signature", 1),
        lambda v: v["signatures"][0].__setitem__("signature", "YQ"),
        lambda v: v["signatures"][0].__setitem__(
            "signature", v["signatures"][0]["signature"] + "="
        ),
    ],
)
def test_a_signed_object_of_another_form_is_malformed(
    change: Callable[[dict[str, Any]], object],
) -> None:
    with pytest.raises(MalformedError):
        verify("t", changed(sign("t", PAYLOAD, ANNA), change), keys(ANNA))


@pytest.mark.parametrize("data", [b"[]", b"1", b"", b"{}", b"null"])
def test_what_is_no_object_is_no_signed_object(data: bytes) -> None:
    with pytest.raises(MalformedError):
        unverified_payload(data)


def test_another_spelling_of_a_signed_object_is_malformed() -> None:
    container = sign("t", PAYLOAD, ANNA)
    value = json.loads(container)
    turned = {k: value[k] for k in ("signatures", "payload")}
    for other in (
        container + b"\n",
        json.dumps(value).encode(),
        json.dumps(turned, separators=(",", ":")).encode(),
    ):
        with pytest.raises(MalformedError, match="canonical"):
            verify("t", other, keys(ANNA))


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b'{"a":1.5}', b'{"a":NaN}', b"{", b"\xff"])
def test_a_payload_that_could_be_read_two_ways_is_malformed_even_if_it_was_signed(
    body: bytes,
) -> None:
    kid = thumbprint(ANNA.public_key)
    signature = ANNA.sign(signing_input("t", kid, body))
    spoilt = changed(
        sign("t", PAYLOAD, ANNA),
        lambda v: v.update(
            payload=b64url(body),
            signatures=[{**v["signatures"][0], "signature": b64url(signature)}],
        ),
    )
    with pytest.raises(MalformedError):
        verify("t", spoilt, keys(ANNA))
    with pytest.raises(MalformedError):
        unverified_payload(spoilt)


def test_a_seventeenth_signature_is_refused_where_it_is_made() -> None:
    container = sign("test", {"a": 1}, *(KeySigner.generate() for _ in range(16)))
    with pytest.raises(MalformedError, match="1 to 16 signatures"):
        add_signature("test", container, KeySigner.generate())
