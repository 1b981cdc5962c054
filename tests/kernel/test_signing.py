"""Signed objects: one spelling, exact headers, thresholds that count keys and not signatures."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kernel.encoding import Json, b64url, canonical_json, un_b64url
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.second import SECOND_SIZE, SecondKey
from gateway.kernel.signing import (
    KeySigner,
    Pair,
    add_signature,
    check_signature,
    own_keys,
    sign,
    signing_input,
    thumbprint,
    unverified_payload,
    verify,
)

ANNA, BORIS, CLEO = (KeySigner.from_seed(bytes([n]) * 32) for n in (1, 2, 3))
BOTH, TWIN = (
    KeySigner.from_seed(bytes([n]) * 32, SecondKey.from_seed(bytes([n]) * 32)) for n in (4, 5)
)
PAYLOAD: Json = {"share": "s", "n": 1}
TWICE = sign("t", PAYLOAD, BOTH)
SECOND = un_b64url(json.loads(TWICE)["signatures"][0]["sig2"], size=SECOND_SIZE)


def second_of(signer: KeySigner) -> bytes:
    assert signer.second is not None
    return signer.second.public_key


def pairs(signer: KeySigner, *, due: bool = True) -> dict[str, Pair]:
    pair = Pair(signer.public_key, second_of(signer), due)
    return {thumbprint(signer.public_key): pair}


def fill(text: str | None) -> Callable[[dict[str, Any]], object]:
    """Put *text* in the place of the first second signature."""
    return lambda value: value["signatures"][0].__setitem__("sig2", text)


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


def test_a_second_signature_by_a_key_that_is_paired_with_none_condemns() -> None:
    for text in ("AAAA", json.loads(sign("t", PAYLOAD, BOTH))["signatures"][0]["sig2"]):
        filled = changed(sign("t", PAYLOAD, ANNA), fill(text))
        with pytest.raises(VerificationError, match="paired with none"):
            verify("t", filled, keys(ANNA))


# Two signatures


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 9) | st.text(max_size=5)), st.booleans()
)
def test_both_signatures_hold_for_what_was_signed(payload: dict[str, Json], due: bool) -> None:
    container = add_signature("t", sign("t", payload, BOTH), ANNA)
    held = verify("t", container, {**pairs(BOTH, due=due), **keys(ANNA)}, threshold=2)
    assert held == (payload, names(BOTH, ANNA))


def test_a_stripped_second_signature_is_refused_once_it_is_due() -> None:
    stripped = changed(sign("t", PAYLOAD, BOTH), fill(None))
    assert verify("t", stripped, pairs(BOTH, due=False))[0] == PAYLOAD
    with pytest.raises(VerificationError, match="due and missing"):
        verify("t", stripped, pairs(BOTH, due=True))


@given(st.integers(0, SECOND_SIZE * 8 - 1), st.booleans())
@settings(max_examples=30)
def test_no_flipped_bit_of_a_second_signature_passes_due_or_not(bit: int, due: bool) -> None:
    spoilt = (int.from_bytes(SECOND, "big") ^ 1 << bit).to_bytes(SECOND_SIZE, "big")
    with pytest.raises(VerificationError, match="second signature does not hold"):
        verify("t", changed(TWICE, fill(b64url(spoilt))), pairs(BOTH, due=due))


@pytest.mark.parametrize("due", [False, True])
def test_a_second_signature_over_other_bytes_does_not_hold(due: bool) -> None:
    """Of another payload, another type, another signer's header, or under another context."""
    assert BOTH.second is not None
    kid = thumbprint(BOTH.public_key)
    body = canonical_json(PAYLOAD)
    message = signing_input("t", kid, body)
    others = [
        json.loads(sign("t", {"share": "other", "n": 1}, BOTH))["signatures"][0]["sig2"],
        json.loads(sign("u", PAYLOAD, BOTH))["signatures"][0]["sig2"],
        b64url(BOTH.second.sign(signing_input("t", thumbprint(ANNA.public_key), body), b"t")),
        b64url(BOTH.second.sign(message, b"u")),
        b64url(BOTH.second.sign(message, b"")),
        b64url(BOTH.second.sign(body, b"t")),
    ]
    for text in others:
        with pytest.raises(VerificationError, match="second signature does not hold"):
            verify("t", changed(TWICE, fill(text)), pairs(BOTH, due=due))
    good = b64url(BOTH.second.sign(message, b"t"))
    assert verify("t", changed(TWICE, fill(good)), pairs(BOTH, due=due))[0] == PAYLOAD


def test_the_second_of_another_pair_does_not_hold() -> None:
    """Two signers exchange their second keys, or their second signatures."""
    container = sign("t", PAYLOAD, BOTH, TWIN)
    crossed = {
        **{kid: replace(p, second=second_of(TWIN)) for kid, p in pairs(BOTH).items()},
        **{kid: replace(p, second=second_of(BOTH)) for kid, p in pairs(TWIN).items()},
    }
    with pytest.raises(VerificationError, match="second signature does not hold"):
        verify("t", container, crossed)

    def swap(value: dict[str, Any]) -> None:
        one, two = value["signatures"]
        one["sig2"], two["sig2"] = two["sig2"], one["sig2"]

    with pytest.raises(VerificationError, match="second signature does not hold"):
        verify("t", changed(container, swap), {**pairs(BOTH), **pairs(TWIN)})
    assert verify("t", container, {**pairs(BOTH), **pairs(TWIN)}, threshold=2)


def test_a_second_signature_does_not_stand_in_for_the_first() -> None:
    spoilt = changed(
        TWICE, lambda v: v["signatures"][0].__setitem__("signature", b64url(bytes(64)))
    )
    with pytest.raises(VerificationError, match="signature does not hold"):
        verify("t", spoilt, pairs(BOTH))


@pytest.mark.parametrize(
    "text", ["", "AAAA", "A" * 4411 + "=", "*", b64url(bytes(SECOND_SIZE + 1))]
)
def test_a_second_signature_of_another_form_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        verify("t", changed(TWICE, fill(text)), pairs(BOTH))


def test_signing_again_replaces_both() -> None:
    again = add_signature("t", add_signature("t", TWICE, ANNA), BOTH)
    assert len(json.loads(again)["signatures"]) == 2
    assert verify("t", again, {**pairs(BOTH), **keys(ANNA)}, threshold=2)[0] == PAYLOAD


def test_a_signer_knows_its_own_signatures_made_once_or_twice() -> None:
    stripped = changed(TWICE, fill(None))
    for container, signer in ((TWICE, BOTH), (stripped, BOTH), (sign("t", PAYLOAD, ANNA), ANNA)):
        assert verify("t", container, own_keys(signer))[1] == names(signer)
    with pytest.raises(VerificationError):
        verify("t", TWICE, own_keys(ANNA))


def test_a_signer_is_made_with_a_second_key_if_asked() -> None:
    assert KeySigner.generate().second is None
    made = KeySigner.generate(second=True)
    assert verify("t", sign("t", PAYLOAD, made), pairs(made))[0] == PAYLOAD


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
