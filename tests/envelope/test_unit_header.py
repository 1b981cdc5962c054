"""Headers, stanzas and keys: what is wrapped unwraps for its owner, and nothing has two spellings."""

import base64
import io
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.envelope import (
    MAX_HEADER,
    MAX_RECIPIENTS,
    Identity,
    Recipient,
    Suite,
    bech32,
    generate_identity,
    header_size,
    new_file_key,
    new_nonce,
    parse_identity,
    parse_recipient,
    seal_bytes,
    unseal_bytes,
    unseal_stream,
    unwrap,
    wrap,
)
from gateway.envelope.header import _mac
from gateway.envelope.stanza import INTRO, MAX_STANZAS, Stanza, b64, parse, un_b64
from gateway.kernel.errors import MalformedError, VerificationError

FILE_KEY = b"f" * 16
MINE = {suite: Identity(suite, b"s" * 32) for suite in Suite}
OTHERS = {suite: Identity(suite, b"o" * 32) for suite in Suite}
SUITES = pytest.mark.parametrize("suite", list(Suite))
TYPES = {Suite.PQ: b"mlkem768x25519", Suite.CLASSIC: b"X25519"}


def closed(*stanzas: Stanza, key: bytes = FILE_KEY) -> bytes:
    """Write a header of any stanzas with its MAC."""
    covered = INTRO + b"".join(s.encode() for s in stanzas) + b"---"
    return covered + b" " + b64(_mac(key, covered)) + b"\n"


def wrapped(suite: Suite, *, key: bytes = FILE_KEY) -> Stanza:
    return MINE[suite].recipient.wrap(key)


@SUITES
def test_a_file_key_unwraps_for_each_of_its_keys_and_for_no_other(suite: Suite) -> None:
    header = wrap(FILE_KEY, [OTHERS[suite].recipient, MINE[suite].recipient])
    assert unwrap(header, [MINE[suite]]) == unwrap(header, [OTHERS[suite]]) == FILE_KEY
    assert unwrap(header + b"body", [Identity(suite, b"x" * 32), MINE[suite]]) == FILE_KEY
    assert header_size(header + b"body") == len(header)
    for identities in ([], [Identity(suite, b"x" * 32)]):
        with pytest.raises(VerificationError, match="no identity matches"):
            unwrap(header, identities)


def test_an_identity_of_the_other_suite_does_not_match() -> None:
    for one, two in ((Suite.PQ, Suite.CLASSIC), (Suite.CLASSIC, Suite.PQ)):
        with pytest.raises(VerificationError, match="no identity matches"):
            unwrap(wrap(FILE_KEY, [MINE[one].recipient]), [MINE[two]])


def test_a_header_is_for_one_to_eight_keys_of_one_suite() -> None:
    classic = MINE[Suite.CLASSIC].recipient
    assert len(parse(wrap(FILE_KEY, [classic] * MAX_RECIPIENTS)).stanzas) == MAX_RECIPIENTS
    for many in ([], [classic] * (MAX_RECIPIENTS + 1)):
        with pytest.raises(MalformedError, match="1 to 8 keys"):
            wrap(FILE_KEY, many)
    with pytest.raises(MalformedError, match="of one suite"):
        wrap(FILE_KEY, [classic, MINE[Suite.PQ].recipient])


@SUITES
def test_two_headers_of_one_key_differ(suite: Suite) -> None:
    recipients = [MINE[suite].recipient]
    assert wrap(FILE_KEY, recipients) != wrap(FILE_KEY, recipients)


@SUITES
def test_a_header_with_a_stanza_added_or_taken_away_does_not_hold(suite: Suite) -> None:
    header = wrap(FILE_KEY, [MINE[suite].recipient, OTHERS[suite].recipient])
    parsed = parse(header)
    mac = b" " + b64(parsed.mac) + b"\n"
    grease = Stanza((b"grease",), b"x")
    for stanzas in (parsed.stanzas[:1], parsed.stanzas[::-1], (*parsed.stanzas, grease)):
        spoilt = INTRO + b"".join(s.encode() for s in stanzas) + b"---" + mac
        with pytest.raises(VerificationError, match="MAC does not hold"):
            unwrap(spoilt, [MINE[suite]])


def test_a_stanza_of_an_unknown_kind_is_passed_over() -> None:
    assert unwrap(closed(Stanza((b"new", b"arg"), b""), wrapped(Suite.CLASSIC)), MINE.values())


def test_a_passphrase_stanza_stands_alone() -> None:
    scrypt = Stanza((b"scrypt", b"salt", b"18"), b"x" * 32)
    with pytest.raises(MalformedError, match="stands alone"):
        unwrap(closed(scrypt, wrapped(Suite.CLASSIC)), MINE.values())
    with pytest.raises(VerificationError, match="no identity matches"):
        unwrap(closed(scrypt), MINE.values())


@SUITES
@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_file_key_of_another_size_is_malformed(suite: Suite, size: int) -> None:
    with pytest.raises(MalformedError, match="wrong form"):
        unwrap(closed(wrapped(suite, key=b"f" * size), key=b"f" * size), [MINE[suite]])


@SUITES
def test_a_stanza_that_no_honest_sender_makes_is_malformed(suite: Suite) -> None:
    good = wrapped(suite)
    share = un_b64(good.args[1])
    low = share[:-32] + bytes(32)
    for args, says in (
        (good.args[:1], "wrong form"),
        ((*good.args, b"more"), "wrong form"),
        ((TYPES[suite], b64(share[:-1])), "share has the wrong size"),
        ((TYPES[suite], b64(share + b"x")), "share has the wrong size"),
        ((TYPES[suite], b64(share) + b"="), "base64"),
        ((TYPES[suite], b64(low)), "low-order point"),
    ):
        with pytest.raises(MalformedError, match=says):
            unwrap(closed(Stanza(args, good.body)), [MINE[suite]])


@SUITES
def test_a_spoilt_stanza_matches_nobody(suite: Suite) -> None:
    good = wrapped(suite)
    spoilt = Stanza(good.args, bytes([good.body[0] ^ 1]) + good.body[1:])
    with pytest.raises(VerificationError, match="no identity matches"):
        unwrap(closed(spoilt), [MINE[suite]])


# Grammar


@given(
    st.lists(st.from_regex(rb"\A[!-~]{1,12}\Z"), min_size=1, max_size=4),
    st.binary(max_size=200),
)
def test_a_stanza_reads_back_as_it_was_written(args: list[bytes], body: bytes) -> None:
    stanza = Stanza(tuple(args), body)
    header = closed(stanza, stanza)
    parsed = parse(header + b"body")
    assert parsed.stanzas == (stanza, stanza)
    assert (parsed.size, parsed.mac) == (len(header), _mac(FILE_KEY, parsed.covered))


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 96])
def test_a_body_that_fills_its_last_line_is_followed_by_a_shorter_one(size: int) -> None:
    stanza = Stanza((b"x",), b"b" * size)
    assert parse(closed(stanza)).stanzas == (stanza,)
    assert len(stanza.encode().splitlines()[-1]) < 64


LINE = b"-> x\n\n"
MAC = b64(bytes(32))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not an age file"),
        (b"age-encryption.org/v2\n", "not an age file"),
        (INTRO[:-1] + b"\r\n", "not an age file"),
        (INTRO, "truncated"),
        (INTRO + LINE, "truncated"),
        (INTRO + LINE + b"--- " + MAC, "truncated"),
        (INTRO + b"-> x", "truncated"),
        (INTRO + b"-> x\nAAAA", "truncated"),
        (INTRO + b"--- " + MAC + b"\n", "without stanzas or MAC"),
        (INTRO + LINE + b"---\n", "without stanzas or MAC"),
        (INTRO + LINE + b"---" + MAC + b"\n", "without stanzas or MAC"),
        (INTRO + LINE + b"--- " + MAC[:-1] + b"\n", "MAC has the wrong size"),
        (INTRO + LINE + b"--- " + MAC + b"=\n", "base64 is not canonical|malformed"),
        (INTRO + LINE + b"--- " + MAC[:-1] + b"B\n", "base64 is not canonical"),
        (INTRO + LINE + b"---  " + MAC + b"\n", "base64 is malformed"),
        (INTRO + b"->\n\n", "stanza is malformed"),
        (INTRO + b"-> \n\n", "stanza is malformed"),
        (INTRO + b"->  x\n\n", "stanza is malformed"),
        (INTRO + b"-> x \n\n", "stanza is malformed"),
        (INTRO + b"-> x\ty\n\n", "stanza is malformed"),
        (INTRO + b"-> \xc3\xa9\n\n", "stanza is malformed"),
        (INTRO + b"=> x\n\n", "stanza is malformed"),
        (INTRO + b"-> x\r\n\n", "stanza is malformed"),
        (INTRO + b"-> x\nAA=\n", "base64"),
        (INTRO + b"-> x\nA\n", "base64 is malformed"),
        (INTRO + b"-> x\nAB\n", "base64 is not canonical"),
        (INTRO + b"-> x\n" + b"A" * 65 + b"\n", "line is too long"),
        (INTRO + LINE * (MAX_STANZAS + 1), "at most 20 stanzas"),
        (INTRO + b"-> " + b"x" * MAX_HEADER + b"\n\n--- " + MAC + b"\n", "truncated"),
    ],
)
def test_a_header_with_any_other_spelling_is_malformed(data: bytes, says: str) -> None:
    with pytest.raises(MalformedError, match=says):
        parse(data)
    with pytest.raises(MalformedError, match=says):
        unwrap(data, [])


@given(st.binary(max_size=40))
def test_base64_of_a_header_reads_back_without_padding(data: bytes) -> None:
    assert un_b64(b64(data)) == data
    assert b64(data) == base64.b64encode(data).rstrip(b"=")


# Keys


@settings(max_examples=15)
@given(st.sampled_from(list(Suite)), st.binary(min_size=32, max_size=32))
def test_keys_read_back_from_their_texts(suite: Suite, secret: bytes) -> None:
    identity = Identity(suite, secret)
    assert parse_identity(identity.text) == parse_identity(identity.text.lower()) == identity
    assert parse_recipient(str(identity.recipient)) == identity.recipient
    assert identity.text not in repr(identity)
    assert unwrap(wrap(FILE_KEY, [identity.recipient]), [identity]) == FILE_KEY


def test_keys_are_spelt_as_age_spells_them() -> None:
    classic, pq = MINE[Suite.CLASSIC], MINE[Suite.PQ]
    assert classic.text.startswith("AGE-SECRET-KEY-1")
    assert pq.text.startswith("AGE-SECRET-KEY-PQ-1")
    assert str(classic.recipient).startswith("age1")
    assert str(pq.recipient).startswith("age1pq1")
    assert repr(pq) == "Identity(pq)"


@SUITES
def test_fresh_keys_differ(suite: Suite) -> None:
    assert generate_identity(suite) != generate_identity(suite)
    assert new_file_key() != new_file_key()
    assert new_nonce() != new_nonce()
    assert (len(new_file_key()), len(new_nonce())) == (16, 16)


@pytest.mark.parametrize(
    ("read", "hrp", "size", "says"),
    [
        (parse_recipient, "age", 31, "not an age recipient"),
        (parse_recipient, "age", 1216, "not an age recipient"),
        (parse_recipient, "age1pq", 32, "not an age recipient"),
        (parse_recipient, "age1tag", 33, "not an age recipient"),
        (parse_recipient, "age-secret-key-", 32, "not an age recipient"),
        (parse_identity, "age-secret-key-", 31, "not an age identity"),
        (parse_identity, "age-secret-key-pq-", 33, "not an age identity"),
        (parse_identity, "age", 32, "not an age identity"),
    ],
)
def test_a_key_of_another_kind_or_size_is_malformed(
    read: Callable[[str], object], hrp: str, size: int, says: str
) -> None:
    with pytest.raises(MalformedError, match=says):
        read(bech32.encode(hrp, bytes(size)))


@given(st.from_regex(r"\A[a-z][a-z-]{0,9}\Z"), st.binary(max_size=60))
def test_bech32_reads_back_in_either_case(hrp: str, data: bytes) -> None:
    text = bech32.encode(hrp, data)
    assert bech32.decode(text) == bech32.decode(text.upper()) == (hrp, data)


@given(st.binary(max_size=40), st.data())
def test_one_changed_character_of_bech32_is_found(data: bytes, draw: st.DataObject) -> None:
    text = bech32.encode("age", data)
    at = draw.draw(st.integers(4, len(text) - 1))
    other = draw.draw(st.sampled_from(sorted(set("qpzry9x8gf2tvdw0s3jn54khce6mua7l") - {text[at]})))
    with pytest.raises(MalformedError, match="checksum"):
        bech32.decode(text[:at] + other + text[at + 1 :])


def summed(hrp: str, values: list[int]) -> str:
    """Write five-bit values with a good checksum, whatever they mean."""
    chars = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    check = bech32._polymod([*bech32._expand(hrp), *values, *([0] * 6)]) ^ 1
    values = [*values, *(check >> 5 * (5 - i) & 31 for i in range(6))]
    return hrp + "1" + "".join(chars[v] for v in values)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a bech32 key"),
        ("age", "not a bech32 key"),
        ("1qqqqqq", "not a bech32 key"),
        ("age1b", "not a bech32 key"),
        ("age1é", "not a bech32 key"),
        ("\u212bge1qqqqqq", "not a bech32 key"),
        (bech32.encode("age", b"x").replace("age", "Age"), "not a bech32 key"),
        ("age1qqqqq", "checksum"),
        ("age1qqqqqq", "checksum"),
        (bech32.encode("age", b"x").replace("age", "ago"), "checksum"),
        (summed("age", [0, 1]), "padding is not zero"),
        (summed("age", [0]), "padding is not zero"),
        (summed("age", [0, 0, 0]), "padding is not zero"),
    ],
)
def test_a_text_that_is_no_bech32_is_malformed(text: str, says: str) -> None:
    with pytest.raises(MalformedError, match=says):
        bech32.decode(text)


# Whole files


@SUITES
@pytest.mark.parametrize("size", [0, 1, 70_000])
def test_a_whole_file_opens_for_its_recipient(suite: Suite, size: int) -> None:
    data = b"d" * size
    made = seal_bytes(data, [MINE[suite].recipient])
    assert unseal_bytes(made, [MINE[suite]]) == data
    with pytest.raises(VerificationError, match="no identity matches"):
        unseal_bytes(made, [OTHERS[suite]])
    with pytest.raises(VerificationError, match="body"):
        unseal_bytes(made[:-1], [MINE[suite]])


def test_a_body_of_another_file_does_not_open_under_this_header() -> None:
    recipients = [MINE[Suite.CLASSIC].recipient]
    one, two = (seal_bytes(data, recipients) for data in (b"one", b"two"))
    with pytest.raises(VerificationError, match="body does not hold"):
        unseal_bytes(one[: header_size(one)] + two[header_size(two) :], [MINE[Suite.CLASSIC]])


def test_one_body_serves_another_recipient_under_a_header_of_his_own() -> None:
    made = seal_bytes(b"text", [MINE[Suite.PQ].recipient])
    key = unwrap(made, [MINE[Suite.PQ]])
    theirs = wrap(key, [OTHERS[Suite.PQ].recipient]) + made[header_size(made) :]
    assert unseal_bytes(theirs, [OTHERS[Suite.PQ]]) == b"text"
    with pytest.raises(VerificationError, match="no identity matches"):
        unseal_bytes(theirs, [MINE[Suite.PQ]])


def test_nothing_is_read_before_it_is_asked_for() -> None:
    made = seal_bytes(b"d" * 300_000, [MINE[Suite.CLASSIC].recipient])
    source = io.BytesIO(made)
    chunks = unseal_stream(source, [MINE[Suite.CLASSIC]])
    assert source.tell() == 0
    assert next(chunks) == b"d" * 65536
    assert source.tell() < len(made)


def test_a_recipient_is_its_suite_and_its_bytes() -> None:
    assert Recipient(Suite.CLASSIC, bytes(32)) != Recipient(Suite.PQ, bytes(32))


def test_a_recipient_whose_kem_key_is_beyond_the_modulus_is_malformed() -> None:
    public = MINE[Suite.PQ].recipient.public
    with pytest.raises(MalformedError, match="ML-KEM key is none"):
        parse_recipient(bech32.encode("age1pq", b"\xff" * 1184 + public[1184:]))
