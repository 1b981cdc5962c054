"""The longer texts of the document."""

from collections.abc import Mapping

from gateway.web.openapi.operation import Tag

ABOUT = """\
An international mechanism shares evidence of grave crimes with national prosecutors through this gateway.

Every request but the one for this document carries a token of its own (see the security scheme). Every
GET also answers HEAD, with a token made for HEAD. Bodies are at most 8 MiB and without
`Content-Encoding`; requests that only read have none. JSON is read strictly: UTF-8, no duplicate keys, no
fractions, no member that is not named here. All answers say `Cache-Control: no-store`.

An order is `{"act": {…}, "sig2": null}`: token and body together are the evidence of who asked for
exactly what, and are kept. `sig2` is null unless the directory pairs the sender's key with a second one.
A creating request sent again by the same actor with the same body and a fresh
token gets the first answer again; the same id with another body is 409.

Errors are problems (RFC 9457). Each operation lists the statuses it can answer. Besides, any request can
get 404 for a path that is not there, 405 for a method that is not (`Allow` says which are), and 500 for a
defect of ours. What comes before any of it is in plain text: 400 for what is not HTTP or has a line above
8,190 bytes, 417 for an `Expect` other than `100-continue`.
"""

SCHEME = """\
A self-signed JWT (EdDSA, Ed25519), made anew for every request with the caller's key of use `request` and
spent once. There is no token endpoint. Compact JWS, at most 4,096 characters.

Header, exactly: `{"alg": "EdDSA", "typ": "fx-req+jwt", "kid": K}`, with K the RFC 7638 thumbprint of the key.

Claims, all of them and no others (schema `Claims`): `iss` the caller's id; `aud` the gateway's audience;
`iat` and `exp` in seconds since 1970, at most 120 apart; `jti` 16 to 64 characters, fresh and unguessable;
`htm` the method; `htu` the target as sent, raw path with query; `bd` the base64url SHA-256 of the body, of
no bytes if there is none. `Range` and other headers are not bound.
"""

TAGS: Mapping[Tag, str] = {
    Tag.DEPOSIT: "The sharing team sends files in parts (tus 1.0), has them sealed, and vouches for them.",
    Tag.SHARES: "One package for one authority: what is decided, approved, released and recalled.",
    Tag.PULL: "What an authority's endpoint does: read, pull, verify, acknowledge.",
    Tag.RFAS: "Requests for assistance: sent by authorities, worked on by the mechanism's officers.",
    Tag.WITHHELD: "Which items an authority does not get, why, and who looked at it. Authorities see none of it.",
    Tag.FACTS: "What policy rests on, stated by order; and what happened before there was a gateway.",
    Tag.POLICY: "The rules in force: who signed them, what they would change, and what was decided by them.",
    Tag.KEYS: "Keys to which evidence is wrapped: introduced by two persons, replaced, and lost.",
    Tag.OVERVIEW: "For the mechanism's people: what is open, what it waits for, what could go to whom.",
    Tag.LEDGER: "Anyone in the directory may hold leaves and proofs: they tell nothing by themselves.",
    Tag.ABOUT: "What you are reading.",
}
