"""Second signatures by themselves: ML-DSA-65 as FIPS 204 has it, through our own wrapper.

The published vectors run through the same wrapper in tests of their own; here is what they do not ask.
"""

import pytest
from Crypto.PublicKey import MLDSA
from Crypto.Signature import mldsa
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import MalformedError, VerificationError
from gateway.kernel.second import PUBLIC_SIZE, SECOND_SIZE, SecondKey, check_second

KEY, OTHER = (SecondKey.from_seed(bytes([n]) * 32) for n in (1, 2))


@given(st.binary(max_size=300), st.binary(max_size=255))
@settings(max_examples=25)
def test_a_signature_holds_for_its_message_context_and_key_alone(
    message: bytes, context: bytes
) -> None:
    signature = KEY.sign(message, context)
    assert len(signature) == SECOND_SIZE
    check_second(KEY.public_key, message, signature, context=context)
    for public, text, place in (
        (OTHER.public_key, message, context),
        (KEY.public_key, message + b"x", context),
        (KEY.public_key, message, context[1:] if context else b"x"),
    ):
        with pytest.raises(VerificationError, match="second signature does not hold"):
            check_second(public, text, signature, context=place)


def test_message_and_context_do_not_run_into_each_other() -> None:
    """FIPS 204 prefixes the context's length: moving its end is another message."""
    signature = KEY.sign(b"bc", b"a")
    for message, context in ((b"c", b"ab"), (b"abc", b""), (b"bc", b"")):
        with pytest.raises(VerificationError):
            check_second(KEY.public_key, message, signature, context=context)


def test_two_signatures_of_one_message_differ_and_both_hold() -> None:
    one, two = KEY.sign(b"m", b""), KEY.sign(b"m", b"")
    assert one != two
    for signature in (one, two):
        check_second(KEY.public_key, b"m", signature)


@pytest.mark.parametrize(
    ("public", "signature"),
    [
        (KEY.public_key, b""),
        (KEY.public_key, KEY.sign(b"m", b"")[:-1]),
        (KEY.public_key, KEY.sign(b"m", b"") + b"\0"),
        (KEY.public_key, bytes(SECOND_SIZE)),
        (KEY.public_key, b"\xff" * SECOND_SIZE),
        (KEY.public_key[:-1], KEY.sign(b"m", b"")),
        (KEY.public_key + b"\0", KEY.sign(b"m", b"")),
        (b"", KEY.sign(b"m", b"")),
        (bytes(PUBLIC_SIZE), KEY.sign(b"m", b"")),
    ],
)
def test_keys_and_signatures_of_another_size_or_of_nothing_do_not_hold(
    public: bytes, signature: bytes
) -> None:
    with pytest.raises(VerificationError, match="second signature does not hold"):
        check_second(public, b"m", signature)


def test_a_context_longer_than_the_standard_has_is_no_signature() -> None:
    with pytest.raises(VerificationError):
        check_second(KEY.public_key, b"m", KEY.sign(b"m", b""), context=bytes(256))


def test_a_seed_gives_its_key_again_and_is_never_shown() -> None:
    made = SecondKey.generate()
    assert SecondKey.from_seed(made.seed).public_key == made.public_key
    assert SecondKey.generate().seed != made.seed
    assert made.seed.hex() not in repr(made)
    for length in (31, 33):
        with pytest.raises(MalformedError, match="32 bytes"):
            SecondKey.from_seed(bytes(length))


def test_the_key_of_a_seed_is_the_one_of_the_standard() -> None:
    """Key generation of FIPS 204, algorithm 6: what this seed gives is pinned against a change."""
    assert hex_sha256(KEY.public_key) == PINNED


PINNED = "83ee80fcbcaf4872ed023e55cb10d7a2b4f1336a182115ea9c000f7449a7a9b0"


@pytest.mark.parametrize("context", [b"", b"eg-manifest", bytes(255)])
def test_another_implementation_checks_ours_and_ours_checks_its(context: bytes) -> None:
    theirs = MLDSA.construct(pk=KEY.public_key, param_set=MLDSA.ML_DSA_65)
    mldsa.new(theirs, context=context).verify(b"m", KEY.sign(b"m", context))
    made = MLDSA.construct(seed=KEY.seed, param_set=MLDSA.ML_DSA_65)
    signature = mldsa.new(made, context=context).sign(b"m")
    check_second(KEY.public_key, b"m", signature, context=context)
    with pytest.raises(VerificationError):
        check_second(KEY.public_key, b"n", signature, context=context)
