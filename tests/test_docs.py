"""The documentation leads nowhere that is not there, and names no command that does not exist."""

import io
import json
import re
import shlex
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest
import typer
from aiohttp import web

from gateway.cli.main import app
from gateway.envelope import open_body, parse_identity, unseal_bytes, unwrap
from gateway.exchange import messages, rfa_messages, terms
from gateway.exchange.acts import RIGHTS, Order, act_of
from gateway.exchange.directory import Root, open_view
from gateway.exchange.entries import Kind
from gateway.exchange.manifest import Inner, Manifest, open_inner
from gateway.exchange.messages import open_message
from gateway.exchange.parse import decode
from gateway.exchange.parties import Role
from gateway.exchange.receipts import TYP, Receipt
from gateway.exchange.rfa_messages import verify_rfa_message
from gateway.kernel.encoding import b64url, canonical_json, parse_json, sha256, un_b64url
from gateway.kernel.second import SecondKey
from gateway.kernel.signing import KeySigner, Pair, check_signature, thumbprint, verify
from gateway.policy import load, to_json
from gateway.web.api import (
    about,
    facts,
    inbox,
    keys,
    overview,
    policy,
    review,
    rfas,
    shares,
    uploads,
    withheld,
)
from tests.vectors import ROOT

TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
PAGES = [
    *(ROOT / name for name in TOP if (ROOT / name).exists()),
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
# Click's classes, without naming the package: typer may bring its own copy of it.
COMMAND = typer.main.get_command(app)

_FENCE = re.compile(r"^( *)```.*?^\1```[ ]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_OPTION = re.compile(r"--?[a-z][a-z-]*")
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
_INDEX_HOST = re.compile(r"pypi\.|pythonhosted|npmjs|index-url|crates\.io", re.IGNORECASE)
_MACHINE_PATH = re.compile(r"(?<![\w.…/}-])/(work|home|root|tmp|Users|usr/local)\b")
_SCHEME = re.compile(r"[a-z]+:")


def _prose(page: Path) -> str:
    return _CODE.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(text))
    return {title.replace(" ", "-") for title in titles}


def _dead(page: Path) -> Iterator[str]:
    for link in _LINK.findall(_prose(page)):
        if _SCHEME.match(link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"{link}: there is no such file"
        elif anchor and anchor not in _anchors(target):
            yield f"{link}: there is no such heading"


def _commands(text: str) -> Iterator[list[str]]:
    """Yield the words after `gateway` of every command in the fenced blocks of *text*."""
    for fence in _FENCE.finditer(text):
        joined = fence.group().replace("\\\n", " ")
        for line in joined.splitlines()[1:-1]:
            try:
                words = shlex.split(line.strip().removeprefix("$ "), comments=True)
            except ValueError:  # an apostrophe in something that is no command
                continue
            while words and (_ASSIGNMENT.fullmatch(words[0]) or words[0] in ("sudo", "exec")):
                words = words[1:]
            if words and words[0].rpartition("/")[2] == "gateway":
                yield words[1:]


def _wrong(words: list[str]) -> Iterator[str]:
    """Yield what the command line of these words does not know."""
    command, rest = COMMAND, words
    while hasattr(command, "commands"):
        if not rest or rest[0].startswith("-"):
            break
        if rest[0] not in command.commands:
            yield f"gateway {' '.join(words)}: there is no command {rest[0]}"
            return
        command, rest = command.commands[rest[0]], rest[1:]
    known = {name for parameter in command.params for name in parameter.opts}
    known |= {"--help", "--install-completion", "--show-completion"}
    for word in rest:
        option = word.partition("=")[0]
        if _OPTION.fullmatch(option) and option not in known:
            yield f"gateway {' '.join(words)}: there is no option {option}"


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    """Files and headings that a page links to are there."""
    assert list(_dead(ROOT / name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_command_exists_with_its_options(name: str) -> None:
    """What a reader copies from a code block is a command that the program knows."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert [wrong for words in _commands(text) for wrong in _wrong(words)] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_page_names_a_package_index_or_this_machine(name: str) -> None:
    """Packages come from whatever index the reader uses, and paths are the reader's own."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert _INDEX_HOST.findall(text) == []
    assert [match.group() for match in _MACHINE_PATH.finditer(text)] == []


def test_the_check_of_commands_sees_what_is_wrong() -> None:
    """A command or option that does not exist is found, one that exists is not."""
    text = "```sh\n$ A=1 gateway frobnicate\ngateway ledger verify --as k \\\n  --quickly\n```\n"
    found = [wrong for words in _commands(text) for wrong in _wrong(words)]
    assert [wrong.rpartition(" ")[2] for wrong in found] == ["frobnicate", "--quickly"]


SIGNER = KeySigner.from_seed(bytes(32))
KEYS = {thumbprint(SIGNER.public_key): SIGNER.public_key}


def _example(page: str, name: str) -> str:
    """Return the block of a format page that is marked as the example *name*."""
    text = (ROOT / "docs" / "formats" / f"{page}.md").read_text(encoding="utf-8")
    return re.split(rf"```[a-z]+ example {name}\n", text)[1].partition("```")[0].strip()


def _rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of every table row in a section of a format page."""
    text = (ROOT / "docs" / "formats" / f"{page}.md").read_text(encoding="utf-8")
    section = re.split(rf"^## \d+\. {heading}$", text, flags=re.MULTILINE)[1]
    section = re.split(r"^## ", section, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def _words(cell: str) -> list[str]:
    """Return the words in code of a cell, but for those in brackets."""
    return re.findall(r"`([^`]+)`", re.sub(r"\([^)]*\)", "", cell))


KINDS_OF_ACTS = {str(msgspec.inspect.type_info(kind).tag): kind for kind in RIGHTS}  # type: ignore[attr-defined]


def test_every_act_is_documented_with_its_members_and_who_may_order_it() -> None:
    """The table of acts is the code's: types, members, roles, and which take a person."""
    rows = [row for row in _rows("messages", "Orders and acts") if len(row) == 3]
    documented = {tag: row for row in rows for tag in _words(row[0]) if tag in KINDS_OF_ACTS}
    assert set(KINDS_OF_ACTS) - set(documented) == {"accept-head"}, "it has no endpoint"
    for tag, (_, members, who) in documented.items():
        kind = KINDS_OF_ACTS[tag]
        fields = [field.name for field in msgspec.structs.fields(kind)]
        assert sorted(_words(members)) == sorted(fields), tag
        roles, person = RIGHTS[kind]
        if tag not in ("approve", "fact.end", "rfa.confirm"):  # these say "that", "same", "such"
            assert {role.value for role in roles} == set(re.findall(r"\w+", who)) & {*Role}, tag
            assert ("person" in who) is person, tag


def test_every_kind_of_entry_is_documented_once() -> None:
    """The tables of the ledger's page name each kind, a refusal in two ways."""
    rows = _rows("ledger", "Kinds of entries")
    named = [kind for row in rows for kind in _words(row[0])]
    assert sorted({*named}) == sorted(kind.value for kind in Kind)
    assert {kind for kind in named if named.count(kind) > 1} == {Kind.REFUSED.value}


def test_every_route_is_documented() -> None:
    """Each method and path of the public service stands in the page on messages, and no other."""
    text = (ROOT / "docs" / "formats" / "messages.md").read_text(encoding="utf-8")
    section = text.split("## 10. Endpoints")[1].split("### Admin port")[0]
    said = {match.split("?")[0] for match in re.findall(r"`((?:[A-Z]+) /v1/[^`]*)`", section)}
    modules = (about, facts, inbox, keys, overview, policy, review, rfas, shares, uploads, withheld)
    routes = (route for module in modules for route in module.routes)
    known = {
        re.sub(r"\{(\w+):[^}]*\}", r"{\1}", f"{route.method} {route.path}")
        for route in routes
        if isinstance(route, web.RouteDef)
    }
    assert said == known


@pytest.mark.parametrize("about", [messages.About, rfa_messages.About])
def test_everything_that_a_message_may_be_about_is_documented(about: type[StrEnum]) -> None:
    """The words stand in the page's sections on messages of either side."""
    heading = "Inbox message" if about is messages.About else "RFA message"
    words = [word for row in _rows("messages", heading) for cell in row for word in _words(cell)]
    assert {member.value for member in about} <= set(words)
    named = {word for word in words if word.startswith(("rfa.", "share."))}
    assert named == {member.value for member in about}


def test_the_example_of_an_envelope_opens_to_its_plaintext() -> None:
    """The identity unwraps the file key from the header, and the key opens the body."""
    example = json.loads(_example("envelope", "envelope"))
    identity = parse_identity(example["identity"])
    file_key = unwrap(example["header"].encode(), [identity])
    body = io.BytesIO(bytes.fromhex(example["body"]))
    assert (file_key.hex(), str(identity.recipient)) == (example["file_key"], example["recipient"])
    assert b"".join(open_body(file_key, body)).decode() == example["plaintext"]


def test_the_example_of_an_order_is_bound_to_its_body() -> None:
    """Token, body and digests of the example belong together, and the body is an act."""
    token, body = _example("messages", "token"), _example("messages", "release").encode()
    signed, _, signature = token.rpartition(".")
    check_signature(SIGNER.public_key, signed.encode(), un_b64url(signature))
    claims = json.loads(un_b64url(signed.partition(".")[2]))
    assert claims["bd"] == b64url(sha256(body))
    order = Order(token, claims["htm"], claims["htu"], body, sha256(body))
    digests = _example("messages", "digests").split()
    assert [sha256(body).hex(), order.digest] == [d for d in digests if len(d) == 64]
    assert act_of(body)


def test_the_examples_of_receipt_and_message_verify() -> None:
    """Both containers are canonical, signed by the example's key, and of the stated form."""
    receipt, _ = verify(TYP, _example("messages", "receipt").encode(), KEYS)
    assert decode(canonical_json(receipt), Receipt).rung == "verified"
    container = _example("messages", "message").encode()
    to = json.loads(un_b64url(json.loads(container)["payload"]))["to"]
    assert open_message(container, KEYS, to=to).seq == 1


def test_the_example_with_two_signatures_verifies_and_says_what_the_receipt_says() -> None:
    """Signed by the pair whose seeds are both 32 zero bytes, and due."""
    ((kid, first),) = KEYS.items()
    pair = Pair(first, SecondKey.from_seed(bytes(32)).public_key, due=True)
    twice, _ = verify(TYP, _example("messages", "twice").encode(), {kid: pair})
    assert twice == verify(TYP, _example("messages", "receipt").encode(), KEYS)[0]


def test_the_example_of_signed_terms_is_under_the_terms_of_the_inner_manifest() -> None:
    """Whoever reads the inner layer can compute what an officer signs."""
    said, _ = verify(terms.TYP, _example("messages", "terms").encode(), KEYS)
    signed = decode(canonical_json(said), terms.SignedTerms)
    inner = decode(_example("messages", "inner").encode(), Inner)
    assert (signed.share, signed.terms) == (inner.share, terms.terms_digest(inner.terms))


def test_the_example_of_an_rfa_message_verifies_and_its_content_opens() -> None:
    """The container is signed by the example's key; its content is sealed to the example identity."""
    message = verify_rfa_message(_example("messages", "rfa").encode(), KEYS)
    assert message.wanted is not None
    assert message.content is not None
    identity = parse_identity(json.loads(_example("envelope", "envelope"))["identity"])
    text = unseal_bytes(un_b64url(message.content), [identity]).decode()
    assert text.strip() in (ROOT / "docs" / "formats" / "messages.md").read_text(encoding="utf-8")
    inner = decode(_example("messages", "inner").encode(), Inner)
    assert inner.basis["rfa"] == message.rfa, "the example package answers the example RFA"


def test_the_examples_of_both_layers_of_a_manifest_agree() -> None:
    """The inner layer belongs to the outer one."""
    outer = decode(_example("messages", "manifest").encode(), Manifest)
    inner = _example("messages", "inner").encode()
    assert open_inner(outer, inner) == decode(inner, Inner)


def test_the_example_of_a_view_verifies_under_its_root() -> None:
    """The view proves its party; digest and thumbprint are the stated ones."""
    root = decode(_example("directory", "root").encode(), Root)
    directory = open_view(_example("directory", "view").encode(), root)
    page = (ROOT / "docs" / "formats" / "directory.md").read_text(encoding="utf-8")
    assert f"`{directory.digest}`" in page
    assert f"`{directory.parties[0].members[0].keys[0].kid}`" in page


def test_the_example_of_a_decision_is_what_the_shipped_set_decides() -> None:
    """The stated facts lead to the stated decision; the set's digest may have moved on."""
    folder = ROOT / "policies"
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.yaml")}
    shipped = load(files)
    stated = parse_json(_example("policy", "facts").encode())
    assert isinstance(stated, dict)
    seen = {
        path: fact
        for space in ("item", "recipient", "context")
        for path, fact in shipped.vocabulary.facts(
            {k: v for k, v in stated.items() if k.startswith(space)}, space
        ).items()
    }
    assert to_json(seen) == stated
    expected = json.loads(_example("policy", "decision"))
    decided = shipped.decide(seen, "2026-11-23").to_json()
    assert decided | {"policy": ""} == expected | {"policy": ""}
