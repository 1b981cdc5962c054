"""What a demo plays: who there is, what is said of the files, what is shared with whom and expected."""

from pathlib import Path
from typing import Any, Literal

import msgspec

from gateway.exchange.parse import build
from gateway.kernel.errors import MalformedError
from gateway.policy import read

Expected = Literal["permit", "hold", "deny"]


class Authority(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fictional authority, with an endpoint and an officer."""

    short: str
    name: str
    jurisdiction: str
    suite: Literal["pq", "classic"] = "pq"


class Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package of `all` plain files, of the one `sensitive` file or of the `redacted` one, with its basis."""

    items: Literal["all", "sensitive", "redacted"]
    case: str
    rfa: str = ""
    rationale: str = ""
    product: str = "evidence"


class Planned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One share: what the policy is expected to say, and who approves it if it is held."""

    package: str
    authority: str
    expect: Expected
    approve: tuple[str, ...] = ()
    recall: bool = False


class Redaction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that leaves only redacted: its pattern (as *sensitive*), facts, and what is taken out."""

    file: str
    facts: dict[str, Any]
    removed: tuple[str, ...]


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole demo. *sensitive* is a pattern; of the files that match, the first is the sensitive one
    (of none, the smallest file).
    """

    authorities: tuple[Authority, ...]
    facts: dict[str, Any]
    sensitive: str
    sensitive_facts: dict[str, Any]
    packages: dict[str, Package]
    shares: tuple[Planned, ...]
    redaction: Redaction | None = None


def load(path: Path) -> Scenario:
    """Read a scenario. Raises MalformedError naming file and place."""
    try:
        value = read(path.name, path.read_bytes()).json()
    except OSError:
        raise MalformedError(f"scenario {path.name} cannot be read") from None
    made = build(value, Scenario)
    shorts = {authority.short for authority in made.authorities}
    for planned in made.shares:
        if planned.package not in made.packages or planned.authority not in shorts:
            raise MalformedError(f"{path.name}: a share names an unknown package or authority")
    if made.redaction is None and any(p.items == "redacted" for p in made.packages.values()):
        raise MalformedError(f"{path.name}: a package of the redacted file needs a redaction")
    return made
