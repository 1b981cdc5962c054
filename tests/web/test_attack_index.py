"""The index of attacks is complete, and every test it names is there."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.world import ROOT

PAGE = ROOT / "docs" / "attacks.md"

ATTACKS: dict[str, tuple[str, ...]] = {
    "Token": (
        "`alg` none in four spellings",
        "HS256 with the public key as PEM, stripped PEM, DER, raw, SSH, JWK",
        "RS256",
        "another's key under my kid",
        "own key, another's `iss`",
        "kid with path or SQL",
        "`jku`, `x5u`, `jwk`, `crit`, `zip`, `b64` headers",
        "wrong `typ`",
        "expired",
        "future `iat` or `nbf`",
        "`exp` before `iat`",
        "over-long life",
        "clock just inside the leeway",
        "clock just outside the leeway",
        "wrong `aud`",
        "`aud` as list",
        "each claim missing",
        "short or non-text `jti`",
        "garbage",
        "non-ASCII",
        "oversize",
        "duplicate JSON keys",
        "non-canonical base64url",
        "huge, NaN or float `exp`",
        "receipt token used as request token",
        "two Authorization headers",
        "token in the query string",
    ),
    "Replay": (
        "in the same process",
        "in four processes",
        "after a restart",
        "replicas on PostgreSQL",
        "just before the purge",
        "clock stepped back",
    ),
    "Repetition": (
        "the same id and body again",
        "the same id with another body",
        "the same id by another actor",
    ),
    "Keys": (
        "revoked",
        "revoked while a download is running",
        "rotation overlap",
        "same key registered to two issuers",
        "low-order or invalid Ed25519 points",
        "Ed448 or RSA at registration",
    ),
    "Second signatures": (
        "stripped from a manifest, message, receipt, terms, RFA message, policy set",
        "stripped from an order, or moved to it from another",
        "an order spelt so that its second signature is overlooked",
        "backdated to before the day",
        "over other bytes, another type or context",
        "of another's pair, pairs mixed up",
        "by a key that is paired with none",
        "in place of the first",
        "flipped bits, other lengths",
        "a token locked by wrong PINs",
    ),
    "Envelope keys": (
        "a key wrapped to that nobody proved",
        "one person who confirms twice",
        "a challenge answered without the key, or by another party",
        "a confirmation of another key or answer",
        "a revoked key brought back",
        "a revocation that another server accepted",
        "a share of another wrapped anew",
        "a recalled or suspended share wrapped anew",
        "a re-wrap that swaps a body or a term, an old manifest offered again",
    ),
    "Binding": (
        "method",
        "path",
        "query",
        "body",
        "`//`, `%2e%2e`, `%2F`, case, trailing `;`",
        "proxy that rewrites the path",
        "`X-Forwarded-*` spoof",
        "method override headers",
    ),
    "IDOR": (
        "list",
        "download",
        "acknowledgement",
        "HEAD",
        "Range",
        "tus PATCH",
        "tus DELETE",
        "404 and timing equal to a non-existing id",
        "signed S3 URL shared",
    ),
    "Terms": (
        "signed by another than an officer of the recipient",
        "an officer's signature made or sent by another",
        "for another share, other terms, another manifest",
        "replayed, signed twice",
        "an item by range, HEAD or condition before the signature",
        "a receipt instead of a signature",
        "milder terms kept after they grew stricter",
        "a range after the last day, a clock that jumps",
    ),
    "HTTP, directly and through nginx": (
        "Content-Length with Transfer-Encoding",
        "Transfer-Encoding variants",
        "obs-fold",
        "duplicate Content-Length",
        "duplicate Host",
        "bare LF",
        "NUL",
        "chunk-extension flood",
        "trailers",
        "pipelining flood",
        "absolute-form",
        "Upgrade smuggling",
        "header line over 8190 bytes",
        "10,000 headers",
    ),
    "Slow": (
        "slow header",
        "slow body",
        "slow reader on a large download",
        "idle keep-alive",
        "connection cap per client",
        "requests without end",
    ),
    "Range": (
        "many",
        "overlapping",
        "reversed",
        "huge",
        "non-ASCII digits",
        "suffix 0",
        "If-Range stale or weak",
        "small ranges without end",
    ),
    "Body": (
        "gzip, deflate, zstd bombs",
        "deep JSON",
        "body over its limit",
        "wrong digest",
        "wrong Upload-Offset",
        "two writers at one offset",
        "length over quota",
        "negative or overflowing length",
        "disk full in the middle of a part",
        "kill -9, then resume",
    ),
    "Files": (
        "`..` in a name",
        "absolute name",
        "NUL in a name",
        "Windows names",
        "symlink in storage",
        "Content-Disposition injection",
    ),
    "Policy set": (
        "a typo, an unknown attribute, operator or effect, a literal outside its domain",
        "a key twice, anchors, an unreadable file",
        "no signature, one, one author with two keys",
        "a key revoked, retired, out of its term, of another use, person or party",
        "a file more, less or changed after signing",
        "an old number, the same number, a wrong predecessor",
        "a manifest that states what is not so",
        "a set that opens what was closed",
        "a set of more than 2 MiB",
        "a kept set rewritten in the database",
        "activation in quarantine, or by who may not",
    ),
    "Keyholder": (
        "another item's vault header, item or recipient under a valid order",
        "an order that was refused, never logged, of another kind, or signed with the gateway's own keys",
        "too few approvers, one twice, the releaser as one, approvals of other items or given afterwards",
        "a leaf, opening or path changed; a checkpoint cut, forked, of another log, or not proved to continue",
        "an order dated back to when a revoked key was good",
        "a directory of the attacker's own, an older one, or none since the last expired",
        "an order again, for other content or after a recall",
        "a re-wrap to a key of his, or of what was never wrapped",
        "every key of the gateway tried on headers and bodies",
        "another user, junk, huge frames on the socket",
        "kill -9 before, while and after it answers",
    ),
    "Custody": (
        "fewer shares than it takes, one share twice",
        "a wrong, mixed or damaged share",
        "a share that was handed in for something else, or hours ago",
        "shares of a set that was replaced",
        "a key of the thief's own in place of an epoch's",
        "another item's header under a re-wrap record",
        "a re-wrap record by the gateway's own keys",
        "file keys moved to an epoch that the directory does not name",
        "kill -9 in a rotation",
    ),
    "Web page": (
        "XSS through names",
        "CSRF",
        "framing",
        "CSP",
        "CSV formula injection",
        "cache headers",
    ),
}
"""The specification: what must be attacked."""

NOTHING_TO_ATTACK = frozenset(
    {
        "signed S3 URL shared",  # no store makes any
        "XSS through names",  # and those below: there is no page yet
        "CSRF",
        "framing",
        "CSP",
        "CSV formula injection",
    }
)

_ROW = re.compile(r"^\| (?P<attack>.+?) \| (?P<tests>.+?) \| (?P<answer>.+?) \|$")
_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def rows() -> Iterator[tuple[str, str, list[tuple[str, str]], str]]:
    """Yield group, attack, tests as file and name, and answer of every row of the page."""
    group = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            group = line.removeprefix("## ")
        found = _ROW.match(line)
        if found and found["attack"] not in ("attack", "---"):
            yield group, found["attack"], _TEST.findall(found["tests"]), found["answer"]


def defined(file: str) -> set[str]:
    """Return the names of the tests that a file defines."""
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


@pytest.mark.parametrize("group", ATTACKS)
def test_every_attack_has_a_row(group: str) -> None:
    assert [attack for of, attack, _, _ in rows() if of == group] == list(ATTACKS[group])


def test_the_page_knows_no_other_group() -> None:
    assert {group for group, _, _, _ in rows()} == set(ATTACKS)


def test_every_attack_is_made_by_a_test() -> None:
    without = {attack for _, attack, tests, _ in rows() if not tests}
    assert without == NOTHING_TO_ATTACK


def test_every_test_that_is_named_exists() -> None:
    named = {test for _, _, tests, _ in rows() for test in tests}
    files = {file: defined(file) for file in {file for file, _ in named}}
    assert [f"{file}::{name}" for file, name in sorted(named) if name not in files[file]] == []


def test_every_row_says_what_answers() -> None:
    assert all(answer.strip() for _, _, _, answer in rows())
