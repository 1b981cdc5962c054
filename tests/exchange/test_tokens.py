"""Attacks on request tokens: each is refused, and the refusal tells an honest client what is wrong.

A forged token is made from a good one by changing header, claims or spelling, and is signed again by
the same key unless the attack is on the signature: whatever is refused is refused by one check alone.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed448, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.exchange import tokens
from gateway.exchange.directory import Directory
from gateway.exchange.parties import Key, Status, Use
from gateway.kernel.encoding import b64url, sha256
from gateway.kernel.errors import UnauthorizedError
from gateway.kernel.signing import KeySigner, sign, thumbprint
from gateway.kernel.time import unix
from tests.exchange.world import (
    AUDIENCE,
    NOW,
    RELEASER,
    SHARER,
    directory,
    key,
    kid,
    seconds,
    signer,
    with_keys,
)

EVERYBODY = directory()
REQUEST = tokens.Request("POST", "/v1/items?a=1&b=%2F", sha256(b"body"))
HEADER: dict[str, Any] = {"alg": "EdDSA", "typ": "fx-req+jwt", "kid": kid("sharer")}
CLAIMS: dict[str, Any] = {
    "iss": SHARER.id,
    "aud": AUDIENCE,
    "iat": unix(NOW),
    "exp": unix(NOW) + 60,
    "jti": "j" * 24,
    "htm": REQUEST.method,
    "htu": REQUEST.target,
    "bd": b64url(REQUEST.digest),
}
MALFORMED = "^token is malformed$"
MEMBERS = "^token header has other members than alg, typ and kid$"
ALGORITHM = "^token header must say alg EdDSA and typ fx-req.jwt$"
KEY = "^unknown or revoked key$"
SIGNATURE = "^signature does not hold$"
ISSUER = "^issuer does not own the key$"
AUDIENCE_OTHER = "^token is for another audience$"
TARGET = "^token is for another method or target$"
BODY = "^token is for another body$"
JTI = "^jti has 16 to 64 characters$"
LIFE = "^a token lives at most 120 s$"


def without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k != name}


def dumped(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def forge(header: object = HEADER, claims: object = CLAIMS, by: KeySigner | None = None) -> str:
    """Sign any header and claims; bytes are taken as they are."""
    signed = f"{b64url(dumped(header))}.{b64url(dumped(claims))}"
    return resign(signed, by or signer("sharer"))


def resign(signed: str, by: KeySigner) -> str:
    return f"{signed}.{b64url(by.sign(signed.encode()))}"


def verify(
    token: str,
    *,
    request: tokens.Request = REQUEST,
    audience: str = AUDIENCE,
    among: Directory = EVERYBODY,
    now: datetime = NOW,
) -> tokens.Verified:
    return tokens.verify(token, request, audience=audience, directory=among, now=now)


def refused(token: str, says: str, **changes: Any) -> None:
    with pytest.raises(UnauthorizedError, match=says):
        verify(token, **changes)


def sharer_keys(*statuses: Status, **changes: Any) -> Directory:
    return with_keys(*(key("sharer", status=status, **changes) for status in statuses))


# What is good


def test_a_forged_token_with_nothing_changed_holds_so_that_each_change_is_the_reason() -> None:
    verified = verify(forge())
    assert verified.actor.id == SHARER.id
    assert verified.claims.jti == "j" * 24


def test_a_token_that_was_made_here_holds_for_its_request() -> None:
    token = tokens.make(
        signer("sharer"), issuer=SHARER.id, audience=AUDIENCE, request=REQUEST, now=NOW
    )
    claims = verify(token).claims
    assert (claims.exp - claims.iat, claims.htu) == (60, REQUEST.target)
    assert len(claims.jti) == 32


def test_two_tokens_for_one_request_have_different_ids() -> None:
    made = {
        tokens.make(signer("sharer"), issuer="i", audience="a", request=REQUEST, now=NOW)
        for _ in range(3)
    }
    assert len(made) == 3


@pytest.mark.parametrize("offset", [-30, 0, 60, 89])
def test_clocks_may_differ_by_the_leeway(offset: int) -> None:
    assert verify(forge(), now=seconds(offset)).claims.iat == unix(NOW)


@pytest.mark.parametrize("length", [16, 64])
def test_a_jti_of_the_shortest_and_longest_length_holds(length: int) -> None:
    assert len(verify(forge(claims={**CLAIMS, "jti": "j" * length})).claims.jti) == length


@pytest.mark.parametrize("life", [1, 120])
def test_a_life_of_the_shortest_and_longest_length_holds(life: int) -> None:
    assert verify(forge(claims={**CLAIMS, "exp": CLAIMS["iat"] + life})).claims.exp


# Algorithms and signatures


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("signature", ["", b64url(bytes(64))])
def test_alg_none_is_refused(name: str, signature: str) -> None:
    signed = forge({**HEADER, "alg": name}).rpartition(".")[0]
    refused(f"{signed}.{signature}", ALGORITHM)


def public_spellings() -> list[bytes]:
    raw = signer("sharer").public_key
    public = Ed25519PublicKey.from_public_bytes(raw)
    formats = serialization.PublicFormat
    pem = public.public_bytes(serialization.Encoding.PEM, formats.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, formats.SubjectPublicKeyInfo)
    ssh = public.public_bytes(serialization.Encoding.OpenSSH, formats.OpenSSH)
    jwk = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": b64url(raw)}).encode()
    return [raw, b64url(raw).encode(), pem, pem.strip(), pem.replace(b"\n", b""), der, ssh, jwk]


@pytest.mark.parametrize("secret", public_spellings())
@pytest.mark.parametrize("alg", ["HS256", "EdDSA"])
def test_hs256_with_the_public_key_as_secret_is_refused(secret: bytes, alg: str) -> None:
    signed = forge({**HEADER, "alg": alg}).rpartition(".")[0]
    mac = hmac.digest(secret, signed.encode(), "sha256")
    refused(f"{signed}.{b64url(mac)}", ALGORITHM if alg == "HS256" else SIGNATURE)


@pytest.mark.parametrize("alg", ["RS256", "EdDSA"])
def test_rs256_is_refused(alg: str) -> None:
    signed = forge({**HEADER, "alg": alg}).rpartition(".")[0]
    private = rsa.generate_private_key(65537, 2048)
    signature = private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    refused(f"{signed}.{b64url(signature)}", ALGORITHM if alg == "RS256" else SIGNATURE)


def test_ed448_under_the_name_eddsa_is_refused() -> None:
    signed = forge().rpartition(".")[0]
    signature = ed448.Ed448PrivateKey.generate().sign(signed.encode())
    refused(f"{signed}.{b64url(signature)}", SIGNATURE)


@pytest.mark.parametrize("alg", ["Ed25519", "eddsa", "ES256", "", None, 1, ["EdDSA"], True])
def test_any_other_algorithm_is_refused_even_under_a_good_signature(alg: object) -> None:
    refused(forge({**HEADER, "alg": alg}), ALGORITHM)


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "FX-REQ+JWT", "application/fx-req+jwt", "", None, 1, "eg-receipt"]
)
def test_another_typ_is_refused_even_under_a_good_signature(typ: object) -> None:
    refused(forge({**HEADER, "typ": typ}), ALGORITHM)


def test_a_signature_by_another_key_is_refused() -> None:
    refused(forge(by=signer("releaser")), SIGNATURE)


def test_a_key_of_another_actor_under_my_kid_is_refused() -> None:
    refused(forge(claims={**CLAIMS, "iss": RELEASER.id}, by=signer("releaser")), SIGNATURE)


@pytest.mark.parametrize("part", [0, 1])
def test_a_signature_of_another_token_is_refused(part: int) -> None:
    parts = forge().split(".")
    others = forge({**HEADER, "kid": kid("releaser")}, {**CLAIMS, "jti": "k" * 24}).split(".")
    parts[2] = others[2]
    refused(".".join(parts), SIGNATURE)
    mixed = forge().split(".")
    mixed[part] = others[part]
    refused(".".join(mixed), SIGNATURE)


@pytest.mark.parametrize("bit", [0, 7, 255, 256, 511])
def test_a_flipped_bit_of_the_signature_is_refused(bit: int) -> None:
    signed, _, signature = forge().rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    spoilt = (int.from_bytes(raw, "big") ^ 1 << bit).to_bytes(64, "big")
    refused(f"{signed}.{b64url(spoilt)}", SIGNATURE)


@pytest.mark.parametrize("size", [0, 1, 32, 63, 65, 128])
def test_a_signature_of_another_size_is_refused(size: int) -> None:
    signed, _, signature = forge().rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    refused(f"{signed}.{b64url((raw * 2)[:size])}", SIGNATURE)


def test_the_order_added_to_a_signature_makes_no_second_one() -> None:
    signed, _, signature = forge().rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 2**252 + 27742317777372353535851937790883648493
    high = (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    refused(f"{signed}.{b64url(raw[:32] + high)}", SIGNATURE)


# Keys


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "' OR 1=1 --", "/dev/null", "", "\x00", "x" * 43, "é"]
)
def test_an_unknown_kid_is_refused_whatever_it_spells(name: str) -> None:
    refused(forge({**HEADER, "kid": name}), KEY)


@pytest.mark.parametrize("name", [None, 1, True, [], {}, [kid("sharer")], {"kid": 1}])
def test_a_kid_that_is_no_text_is_refused(name: object) -> None:
    refused(forge({**HEADER, "kid": name}), ALGORITHM)


def test_a_kid_of_another_actor_is_refused() -> None:
    refused(forge({**HEADER, "kid": kid("releaser")}), SIGNATURE)


def test_an_issuer_of_another_actor_is_refused() -> None:
    refused(forge(claims={**CLAIMS, "iss": RELEASER.id}), ISSUER)


@pytest.mark.parametrize("issuer", ["", SHARER.id.upper(), SHARER.id + "\x00", "\u202e"])
def test_an_issuer_nobody_has_is_refused(issuer: str) -> None:
    refused(forge(claims={**CLAIMS, "iss": issuer}), ISSUER)


def test_a_key_that_is_in_no_directory_is_refused() -> None:
    stranger = KeySigner.generate()
    header = {**HEADER, "kid": thumbprint(stranger.public_key)}
    refused(forge(header, by=stranger), KEY)


def test_a_revoked_key_is_refused() -> None:
    refused(forge(), KEY, among=sharer_keys(Status.REVOKED))


def test_a_retired_key_is_refused() -> None:
    refused(forge(), KEY, among=sharer_keys(Status.RETIRED))


def test_a_next_key_is_refused() -> None:
    refused(forge(), KEY, among=sharer_keys(Status.NEXT))


@pytest.mark.parametrize("use", [Use.MESSAGE, Use.MANIFEST, Use.CHECKPOINT, Use.DIRECTORY])
def test_a_key_of_another_use_is_refused(use: Use) -> None:
    refused(forge(), KEY, among=sharer_keys(Status.ACTIVE, use=use))


@pytest.mark.parametrize("use", [Use.ENVELOPE, Use.VAULT])
def test_an_envelope_key_named_as_kid_is_refused(use: Use) -> None:
    sealing = Key(
        use, "x25519", "age1example", Status.ACTIVE, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"
    )
    among = with_keys(key("sharer"), sealing)
    refused(forge({**HEADER, "kid": "age1example"}), KEY, among=among)


@pytest.mark.parametrize(
    "term",
    [
        ("2026-01-01T00:00:00Z", "2026-11-23T16:18:00Z"),
        ("2026-11-23T16:18:01Z", "2027-01-01T00:00:00Z"),
    ],
)
def test_a_key_out_of_its_term_is_refused(term: tuple[str, str]) -> None:
    refused(forge(), KEY, among=sharer_keys(Status.ACTIVE, term=term))


def test_old_and_new_key_overlap_in_a_rotation() -> None:
    among = with_keys(key("sharer"), key("sharer/new"))
    header = {**HEADER, "kid": kid("sharer/new")}
    assert verify(forge(), among=among).actor.id == SHARER.id
    assert verify(forge(header, by=signer("sharer/new")), among=among).actor.id == SHARER.id


# Time


def test_an_expired_token_is_refused_and_told_for_how_long() -> None:
    says = "^token expired 30 s ago: sign anew; if it was just signed, your clock is 90 s behind"
    refused(forge(), says, now=seconds(90))
    refused(forge(), "^token expired 3540 s ago.* your clock is 3600 s behind", now=seconds(3600))


def test_a_token_from_the_future_is_refused_and_told_how_far() -> None:
    says = "^token is from the future: your clock is 31 s ahead; set it and sign anew$"
    refused(forge(), says, now=seconds(-31))


def test_too_long_a_life_is_refused() -> None:
    refused(forge(claims={**CLAIMS, "exp": CLAIMS["iat"] + 121}), LIFE)
    refused(forge(claims={**CLAIMS, "exp": 2**53 - 1}), LIFE)


@pytest.mark.parametrize("life", [0, -1, -(2**40)])
def test_an_end_that_is_not_after_the_beginning_is_refused(life: int) -> None:
    refused(forge(claims={**CLAIMS, "exp": CLAIMS["iat"] + life}), LIFE)


def test_a_long_past_token_backdated_to_a_short_life_is_refused() -> None:
    refused(forge(claims={**CLAIMS, "iat": 0, "exp": 60}), "^token expired")


# Binding


@pytest.mark.parametrize(
    "audience", ["https://other.example", AUDIENCE + "/", AUDIENCE.upper(), ""]
)
def test_another_audience_is_refused(audience: str) -> None:
    refused(forge(claims={**CLAIMS, "aud": audience}), AUDIENCE_OTHER)
    refused(forge(), AUDIENCE_OTHER, audience=audience)


def test_a_list_of_audiences_is_refused() -> None:
    refused(forge(claims={**CLAIMS, "aud": [AUDIENCE]}), MALFORMED)


@pytest.mark.parametrize("method", ["GET", "post", "Post", "POST ", ""])
def test_another_method_is_refused(method: str) -> None:
    refused(forge(claims={**CLAIMS, "htm": method}), TARGET)
    refused(forge(), TARGET, request=replace(REQUEST, method=method))


@pytest.mark.parametrize(
    "target",
    [
        "/v1/other?a=1&b=%2F",
        "/v1/items",
        "/v1/items?",
        "/v1/items?a=1",
        "/v1/items?b=%2F&a=1",
        "/v1/items?a=1&b=%2F&c=3",
        "/v1/items?a=1&b=/",
        "/v1/items?a=1&b=%2f",
        "/v1//items?a=1&b=%2F",
        "/v1/./items?a=1&b=%2F",
        "/v1/%69tems?a=1&b=%2F",
        "/V1/items?a=1&b=%2F",
        "/v1/items;?a=1&b=%2F",
        "/v1/items?a=1&b=%2F#x",
        "https://gateway.example/v1/items?a=1&b=%2F",
        "",
    ],
)
def test_another_target_or_query_is_refused(target: str) -> None:
    refused(forge(claims={**CLAIMS, "htu": target}), TARGET)
    refused(forge(), TARGET, request=replace(REQUEST, target=target))


@pytest.mark.parametrize("body", [b"", b"bodY", b"body\n"])
def test_another_body_is_refused(body: bytes) -> None:
    refused(forge(claims={**CLAIMS, "bd": b64url(sha256(body))}), BODY)
    refused(forge(), BODY, request=replace(REQUEST, digest=sha256(body)))


@pytest.mark.parametrize(
    "digest",
    [
        "",
        b64url(REQUEST.digest) + "=",
        REQUEST.digest.hex(),
        b64url(REQUEST.digest)[:-1],
        b64url(hashlib.sha512(b"body").digest()),
        "é" * 43,
    ],
)
def test_a_body_digest_in_another_spelling_is_refused(digest: str) -> None:
    refused(forge(claims={**CLAIMS, "bd": digest}), BODY)


@pytest.mark.parametrize("length", [0, 1, 15])
def test_a_jti_that_is_too_short_is_refused(length: int) -> None:
    refused(forge(claims={**CLAIMS, "jti": "j" * length}), JTI)


@pytest.mark.parametrize("length", [65, 1000])
def test_a_jti_that_is_too_long_is_refused(length: int) -> None:
    refused(forge(claims={**CLAIMS, "jti": "j" * length}), JTI)


# Header members


@pytest.mark.parametrize(
    "more",
    [
        {"jwk": {"crv": "Ed25519", "kty": "OKP", "x": b64url(signer("releaser").public_key)}},
        {"jku": "https://attacker.example/keys"},
        {"x5u": "https://attacker.example/cert"},
        {"x5c": ["AAAA"]},
        {"x5t": "AAAA"},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False},
        {"b64": True},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"": 1},
        {"KID": kid("releaser")},
    ],
)
def test_an_extra_header_member_is_refused(more: dict[str, Any]) -> None:
    refused(forge({**HEADER, **more}), MEMBERS)


@pytest.mark.parametrize("name", ["alg", "typ", "kid"])
def test_a_missing_header_member_is_refused(name: str) -> None:
    refused(forge(without(HEADER, name)), MEMBERS)


@pytest.mark.parametrize("header", [["alg", "typ", "kid"], "algtypkid", 1, None, True, {}])
def test_a_header_that_is_no_object_of_three_members_is_refused(header: object) -> None:
    refused(forge(header), MEMBERS)


@pytest.mark.parametrize("name", ["alg", "typ", "kid"])
@pytest.mark.parametrize("first", [True, False])
def test_a_duplicate_key_in_the_header_is_refused(name: str, first: bool) -> None:
    refused(forge(doubled(HEADER, name, "other", first=first)), MALFORMED)


# Claims


def doubled(values: dict[str, Any], name: str, other: object, *, first: bool) -> bytes:
    """Write an object in which *name* stands twice, its good value first or last."""
    good, bad = (json.dumps({name: v})[1:-1] for v in (values[name], other))
    rest = json.dumps(without(values, name))[1:-1]
    return f"{{{', '.join([good, rest, bad] if first else [bad, rest, good])}}}".encode()


@pytest.mark.parametrize("name", sorted(CLAIMS))
@pytest.mark.parametrize("first", [True, False])
def test_a_duplicate_key_in_the_claims_is_refused(name: str, first: bool) -> None:
    refused(forge(claims=doubled(CLAIMS, name, CLAIMS[name], first=first)), MALFORMED)


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_a_missing_claim_is_refused(name: str) -> None:
    refused(forge(claims=without(CLAIMS, name)), MALFORMED)


@pytest.mark.parametrize(
    "more", [{"nbf": CLAIMS["iat"]}, {"sub": SHARER.id}, {"scope": "all"}, {"": 1}, {"ISS": "x"}]
)
def test_an_extra_claim_is_refused(more: dict[str, Any]) -> None:
    refused(forge(claims={**CLAIMS, **more}), MALFORMED)


@pytest.mark.parametrize("name", sorted(CLAIMS))
@pytest.mark.parametrize("value", [None, [], {}, 1.5])
def test_a_claim_of_another_type_is_refused(name: str, value: object) -> None:
    refused(forge(claims={**CLAIMS, name: value}), MALFORMED)


@pytest.mark.parametrize("name", ["iss", "aud", "jti", "htm", "htu", "bd"])
def test_a_number_for_text_is_refused(name: str) -> None:
    refused(forge(claims={**CLAIMS, name: 1}), MALFORMED)


@pytest.mark.parametrize("name", ["iat", "exp"])
def test_a_bool_as_int_is_refused(name: str) -> None:
    claims = {**CLAIMS, "iat": 0, "exp": 1, name: name == "exp"}
    assert verify(
        forge(claims={**CLAIMS, "iat": 0, "exp": 1}),
        now=datetime.fromtimestamp(0, NOW.tzinfo),
        among=ageless(),
    )
    refused(
        forge(claims=claims), MALFORMED, now=datetime.fromtimestamp(0, NOW.tzinfo), among=ageless()
    )


def ageless() -> Directory:
    return sharer_keys(Status.ACTIVE, term=("1960-01-01T00:00:00Z", "2100-01-01T00:00:00Z"))


@pytest.mark.parametrize("name", ["iat", "exp"])
@pytest.mark.parametrize("spelling", ["{}.0", "{}e0", "{}.5", '"{}"', "NaN", "Infinity", "1e400"])
def test_a_float_time_is_refused(name: str, spelling: str) -> None:
    text = json.dumps({**CLAIMS, name: "@"}).replace('"@"', spelling.format(CLAIMS[name]))
    refused(forge(claims=text.encode()), MALFORMED)


@pytest.mark.parametrize("number", ["9007199254740992", "-9007199254740992", "1" + "0" * 400])
def test_a_huge_time_is_refused(number: str) -> None:
    text = json.dumps({**CLAIMS, "exp": "@"}).replace('"@"', number)
    refused(forge(claims=text.encode()), MALFORMED)


def test_claims_with_half_a_character_are_refused() -> None:
    for name in ("iss", "aud", "jti", "htm", "htu", "bd"):
        refused(forge(claims={**CLAIMS, name: "\ud800" * 20}), MALFORMED)


@pytest.mark.parametrize("claims", [[], "x", 1, None, b"", b"{", b"\xff", b"[" * 1000, b"{}x"])
def test_claims_that_are_no_object_are_refused(claims: object) -> None:
    refused(forge(claims=claims), MALFORMED)


# Spelling


def respelt(token: str, part: int, change: Callable[[str], str]) -> str:
    """Change the spelling of one part; the first two are signed as they then stand."""
    parts = token.split(".")
    parts[part] = change(parts[part])
    if part == 2:
        return ".".join(parts)
    return resign(".".join(parts[:2]), signer("sharer"))


def padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)


def with_trailing_bits(text: str) -> str:
    """Set a bit that decoding drops; the text ends inside a byte."""
    assert len(text) % 4
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1]


def uneven() -> str:
    """Return a good token of which every part ends inside a byte."""
    return forge(
        dumped(HEADER) + b" " * (-(len(dumped(HEADER)) - 1) % 3),
        dumped(CLAIMS) + b" " * (-(len(dumped(CLAIMS)) - 1) % 3),
    )


def test_an_uneven_token_holds_so_that_its_spelling_is_the_reason() -> None:
    assert all(len(part) % 4 == 2 for part in uneven().split("."))
    assert verify(uneven()).actor.id == SHARER.id


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_padded_second_spelling_is_refused(part: int) -> None:
    refused(respelt(uneven(), part, padded), MALFORMED)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_second_spelling_in_the_trailing_bits_is_refused(part: int) -> None:
    refused(respelt(uneven(), part, with_trailing_bits), MALFORMED)


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("junk", [" ", "\n", "!", "+", "=", "é", "\ud800", "\x00"])
def test_a_foreign_character_is_refused(part: int, junk: str) -> None:
    parts = forge().split(".")
    for spoilt in (
        junk + parts[part],
        parts[part] + junk,
        parts[part][:4] + junk + parts[part][4:],
    ):
        refused(".".join([*parts[:part], spoilt, *parts[part + 1 :]]), MALFORMED)


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "a.b.c", "a", "Bearer x.y.z", "\x00", "🦊.🦊.🦊", "{}", "e30.e30.e30"],
)
def test_garbage_is_refused(token: str) -> None:
    refused(token, MALFORMED)


def test_too_few_or_too_many_parts_are_refused() -> None:
    token = forge()
    for other in (token.rpartition(".")[0], token + ".", "." + token, token + "." + token):
        refused(other, MALFORMED)


def test_json_serialisation_is_refused() -> None:
    head, body, signature = forge().split(".")
    refused(json.dumps({"protected": head, "payload": body, "signature": signature}), MALFORMED)


def test_a_huge_token_is_refused_before_it_is_read() -> None:
    request = replace(REQUEST, target="/" + "x" * 4000)
    token = forge(claims={**CLAIMS, "htu": request.target})
    assert len(token) > tokens.MAX_TOKEN
    refused(token, "^token too long$", request=request)
    refused("x" * 10_000_000, "^token too long$")


def test_a_receipt_sent_as_a_token_is_refused() -> None:
    refused(sign("eg-receipt", {**CLAIMS}, signer("sharer")).decode(), MALFORMED)


def test_before_its_body_has_come_everything_else_of_a_token_is_checked() -> None:
    def early(token: str, method: str = REQUEST.method, target: str = REQUEST.target) -> str:
        found = tokens.verify_but_body(
            token, method, target, audience=AUDIENCE, directory=EVERYBODY, now=NOW
        )
        return found.actor.id

    assert early(forge(claims={**CLAIMS, "bd": b64url(bytes(32))})) == SHARER.id
    for token, says in (
        (forge(by=signer("releaser")), SIGNATURE),
        (forge(claims={**CLAIMS, "iss": RELEASER.id}), ISSUER),
        (forge(claims={**CLAIMS, "iat": 0, "exp": 60}), "^token expired"),
        (forge(claims={**CLAIMS, "aud": "x"}), AUDIENCE_OTHER),
        (forge(claims={**CLAIMS, "jti": "x"}), JTI),
    ):
        with pytest.raises(UnauthorizedError, match=says):
            early(token)
    for method, target in (("PUT", REQUEST.target), (REQUEST.method, "/")):
        with pytest.raises(UnauthorizedError, match=TARGET):
            early(forge(), method, target)
