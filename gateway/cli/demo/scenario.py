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
    """A package of `all` plain files or of the one `sensitive` file, with its basis."""

    items: Literal["all", "sensitive"]
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
    return made
