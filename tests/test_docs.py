"""The documentation leads nowhere that is not there, and names no command that does not exist."""

import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from gateway.cli.main import app
from gateway.envelope import open_body, parse_identity, unwrap
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


def test_the_example_of_an_envelope_opens_to_its_plaintext() -> None:
    """The identity unwraps the file key from the header, and the key opens the body."""
    page = (ROOT / "docs" / "formats" / "envelope.md").read_text(encoding="utf-8")
    example = json.loads(page.partition("```json example\n")[2].partition("```")[0])
    identity = parse_identity(example["identity"])
    file_key = unwrap(example["header"].encode(), [identity])
    body = io.BytesIO(bytes.fromhex(example["body"]))
    assert (file_key.hex(), str(identity.recipient)) == (example["file_key"], example["recipient"])
    assert b"".join(open_body(file_key, body)).decode() == example["plaintext"]
