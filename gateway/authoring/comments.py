"""Comments and blank lines of a YAML text, which its parser throws away."""

import re
from dataclasses import dataclass

import yaml

from gateway.kernel.errors import MalformedError


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment with its `#`, or a blank line (no text). *alone*: nothing else stands on the line."""

    line: int
    text: str
    alone: bool


def plain_lines(name: str, data: bytes) -> str:
    """Return the text with line feeds as its only line breaks. Raises MalformedError for stranger ones."""
    source = data.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
    if re.search("[\r\x85\u2028\u2029]", source):
        raise MalformedError(f"{name}: a line break that is no newline", field=name)
    return source


def comments(source: str) -> list[Comment]:
    """Return the comments and blank lines of a text that can be read, in order."""
    inside = _scalars(source)
    found: list[Comment] = []
    start = 0
    for number, line in enumerate(source.split("\n")):
        comment = _comment(number, line, start, inside)
        if comment is not None:
            found.append(comment)
        start += len(line) + 1
    return found


def _comment(number: int, line: str, start: int, inside: list[tuple[int, int]]) -> Comment | None:
    for match in re.finditer(r"(?:^|(?<=[ \t]))#", line):
        at = start + match.start()
        if not any(first <= at < last for first, last in inside):
            alone = not line[: match.start()].strip()
            return Comment(number, line[match.start() :].rstrip(), alone)
    blank = not line.strip() and not any(first <= start < last for first, last in inside)
    return Comment(number, "", alone=True) if blank else None


def _scalars(source: str) -> list[tuple[int, int]]:
    """Return where texts stand, in which `#` is a character like others."""
    found = []
    for token in yaml.scan(source, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken):
            first, last = token.start_mark.index, token.end_mark.index
            if token.style in {"|", ">"}:  # what follows the sign on its line is not the text yet
                first = source.find("\n", first) % (len(source) + 1)
            found.append((first, last))
    return found
