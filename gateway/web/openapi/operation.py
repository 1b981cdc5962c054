"""One operation of the API as the document knows it: who, what goes in, what comes out, which errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.exchange.acts import RIGHTS
from gateway.exchange.parties import Role
from gateway.kernel.encoding import MAX_SAFE_INTEGER, Json

JSON = "application/json"
AGE = "application/octet-stream"
TEXT = "text/plain"
TUS_PART = "application/offset+octet-stream"


class Caller(StrEnum):
    """Who may call, in words for people."""

    ANYONE = "anyone, without a token"
    SIGNED = "anyone in the directory"
    MECHANISM = "persons and services of the mechanism"
    ENDPOINT = "an authority's service with role endpoint"
    AUTHORITY = "an authority's person or service with role endpoint or officer"
    RECIPIENT = "persons and services of the authority that the share is for"
    RECEIPTING = "of the share's authority, the endpoint (a service) or an officer (a person)"
    SIGNING = "of the share's authority, a person with role officer"
    OWNER = "persons and services of the RFA's authority, and of the mechanism"
    MEMBER = "persons and services of the mechanism and of authorities"
    DISCLOSURE = (
        "persons and services of the mechanism with role compliance, disclosure_reviewer, "
        "legal_adviser or rfa_officer"
    )
    UPLOADER = "who began the upload"


class Tag(StrEnum):
    """The chapters of the document."""

    DEPOSIT = "Uploads and items"
    SHARES = "Packages and shares"
    PULL = "Inbox and pull"
    RFAS = "RFAs"
    WITHHELD = "What is kept back"
    FACTS = "Facts and history"
    POLICY = "Policy sets"
    KEYS = "Envelope keys"
    OVERVIEW = "What stands where"
    LEDGER = "Ledger and directory"
    ABOUT = "This document"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter or header. Path parameters follow from the path."""

    name: str
    where: str
    text: str
    schema: Mapping[str, Json]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Success:
    """A good answer: *schema* names a component, or is empty where *media* says all or nothing comes."""

    status: int
    text: str
    schema: str = ""
    media: str = JSON
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path. *acts* or *body* say what goes in; *errors* are the statuses beyond those
    that every operation of its kind has.
    """

    method: str
    path: str
    id: str
    tag: Tag
    summary: str
    caller: Caller
    answers: tuple[Success, ...]
    errors: tuple[int, ...] = ()
    text: str = ""
    acts: tuple[type, ...] = ()
    body: str = ""
    media: str = JSON
    parameters: tuple[Parameter, ...] = field(default=())

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every error status, in order."""
        signed = () if self.caller is Caller.ANYONE else SIGNED_ERRORS
        acting = ACTING_ERRORS if self.acts or self.body else ()
        # A path with an id in it may name nothing, or hold a `%`, which no path of ours does.
        named = (404,) if "{" in self.path else ()
        return tuple(sorted({*READ_ERRORS, *signed, *acting, *named, *self.errors}))

    @property
    def who(self) -> str:
        """Who may call; of an act, as the rights say that are checked."""
        if not self.acts:
            return self.caller.value
        said = dict.fromkeys(_entitled(act) for act in self.acts)
        return "; or ".join(said)


READ_ERRORS = (400, 408, 413)
"""Every body is read within limits, also the empty one of a request that only reads."""

SIGNED_ERRORS = (401, 429, 503)
ACTING_ERRORS = (403, 409)


def _entitled(act: type) -> str:
    roles, person = RIGHTS[act]
    names = " or ".join(sorted(role.value for role in roles - {Role.ENDPOINT}))
    who = f"{'a person' if person else 'a person or service'} of the mechanism with role {names}"
    return f"{who}; or {Caller.ENDPOINT.value}" if Role.ENDPOINT in roles else who


def number(name: str, text: str, highest: int = MAX_SAFE_INTEGER) -> Parameter:
    """Describe a query parameter that is a whole number; 0 if it is absent."""
    schema: dict[str, Json] = {"type": "integer", "minimum": 0, "maximum": highest, "default": 0}
    return Parameter(name, "query", text, schema)


def which(name: str, text: str) -> Parameter:
    """Describe a query parameter that is a position from 0, and may be absent."""
    schema: dict[str, Json] = {"type": "integer", "minimum": 0, "maximum": MAX_SAFE_INTEGER}
    return Parameter(name, "query", text, schema)


def header(
    name: str, text: str, schema: Mapping[str, Json], *, required: bool = False
) -> Parameter:
    """Describe a request header."""
    return Parameter(name, "header", text, schema, required)
