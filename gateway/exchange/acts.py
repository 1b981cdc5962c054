"""Acts: what a person or service orders, as the `act` of a signed request body `{act, sig2}`.

The request token binds the body, so token and body together are the *order*: the evidence of who
asked for exactly what. `sig2` is the place of an ML-DSA-65 signature over the canonical JSON of
`act`; it is null until the directory asks for it. An order names exactly one share.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import msgspec

from gateway.exchange import tokens
from gateway.exchange.directory import Actor, Directory
from gateway.exchange.parse import decode
from gateway.exchange.parties import Role
from gateway.kernel.encoding import hex_sha256, is_hex_digest, sha256
from gateway.kernel.errors import ForbiddenError, MalformedError
from gateway.kernel.ids import check_id

MAX_ITEMS = 1000
MAX_PARTS = 100_000
MAX_TEXT = 4000  # characters of a note or reason


class Product(StrEnum):
    """The three kinds of product that the mechanism shares."""

    INFORMATION = "information"
    EVIDENCE = "evidence"
    ANALYTICAL_PRODUCT = "analytical_product"


class RelationKind(StrEnum):
    """What an item is to another one."""

    ORIGINAL = "original"
    COPY = "copy"
    TRANSLATION = "translation"
    TRANSCRIPT = "transcript"
    REDACTION = "redaction"


class Ask(StrEnum):
    """What a recall asks of the authority. Destruction takes a second order and is not built yet."""

    SEQUESTER = "sequester"


class Relation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The item's relation to another; *of* is that item's id, absent for an original."""

    kind: RelationKind = RelationKind.ORIGINAL
    of: str | None = None

    def __post_init__(self) -> None:
        if (self.kind is RelationKind.ORIGINAL) != (self.of is None):
            raise ValueError("every relation but original names the other item")
        if self.of is not None:
            _id(self.of, "itm")


class Particulars(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What identifies an item to people. *name* is a relative path with `/`; *sha256* of the plaintext."""

    name: str
    media_type: str
    evidence_number: str
    size: int
    sha256: str
    relation: Relation = Relation()

    def __post_init__(self) -> None:
        check_name(self.name)
        _text(self.media_type, 255, "media_type")
        _text(self.evidence_number, 255, "evidence_number")
        _size(self.size)
        _digest(self.sha256)


class OpenUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="upload"):
    """Begin an upload of *size* bytes, to be sealed under *suite*."""

    id: str
    size: int
    suite: Literal["pq", "classic"]

    def __post_init__(self) -> None:
        _id(self.id, "upl")
        _size(self.size)


class Complete(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="complete"):
    """State what was uploaded: its particulars, facts, and the SHA-256 of every part in order."""

    upload: str
    particulars: Particulars
    facts: dict[str, Any]
    handling: str
    parts: tuple[str, ...]

    def __post_init__(self) -> None:
        _id(self.upload, "upl")
        _text(self.handling, 64, "handling")
        if len(self.parts) > MAX_PARTS:
            raise ValueError(f"at most {MAX_PARTS} parts")
        for part in self.parts:
            _digest(part)


class Deposit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="deposit"):
    """The deposit record: what the depositor vouches for. Only its acceptance makes the item."""

    item: str
    vault_header: str
    body: str
    body_size: int
    size: int
    suite: Literal["pq", "classic"]
    facts: str
    particulars: str
    handling: str

    def __post_init__(self) -> None:
        _id(self.item, "itm")
        _size(self.size)
        _size(self.body_size)
        for digest in (self.vault_header, self.body, self.facts, self.particulars):
            _digest(digest)


class Basis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a package may be shared: the RFA it answers, or the rationale of sharing it unasked."""

    mode: Literal["requested", "proactive"]
    purpose: str
    case: str
    rfa: str | None = None
    rationale: str | None = None

    def __post_init__(self) -> None:
        _text(self.purpose, 64, "purpose")
        _text(self.case, 128, "case")
        if (self.mode == "requested") != (self.rfa is not None):
            raise ValueError("a requested package names its RFA, and only such a one")
        if (self.mode == "proactive") != (self.rationale is not None):
            raise ValueError("a proactive package has a rationale, and only such a one")
        _text(self.rfa or self.rationale or "", MAX_TEXT, "basis")


class MakePackage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="package"):
    """Put items together under one basis."""

    id: str
    product: Product
    basis: Basis
    items: tuple[str, ...]
    note: str = ""

    def __post_init__(self) -> None:
        _id(self.id, "pkg")
        if not 0 < len(self.items) <= MAX_ITEMS or len(set(self.items)) != len(self.items):
            raise ValueError(f"a package has 1 to {MAX_ITEMS} different items")
        for item in self.items:
            _id(item, "itm")
        if len(self.note) > MAX_TEXT:
            raise ValueError(f"a note has at most {MAX_TEXT} characters")


class Propose(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="propose"):
    """Propose a package to one authority."""

    share: str
    package: str
    recipient: str

    def __post_init__(self) -> None:
        _id(self.share, "shr")
        _id(self.package, "pkg")
        _id(self.recipient, "pty")


class ReleaseItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One item of a release, by the digests that its deposit record states."""

    item: str
    vault_header: str
    body: str

    def __post_init__(self) -> None:
        _id(self.item, "itm")
        _digest(self.vault_header)
        _digest(self.body)


class Approve(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="approve"):
    """Clear one obligation of a held share in one *role*; void when items or basis change."""

    id: str
    share: str
    recipient: str
    role: Role
    basis: str
    items: tuple[ReleaseItem, ...]

    def __post_init__(self) -> None:
        _id(self.id, "clr")
        _id(self.share, "shr")
        _id(self.recipient, "pty")
        _digest(self.basis)


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="release"):
    """Release one share: repeats the recipient and every item's digests, for the keyholder to compare."""

    share: str
    recipient: str
    items: tuple[ReleaseItem, ...]

    def __post_init__(self) -> None:
        _id(self.share, "shr")
        _id(self.recipient, "pty")
        if not self.items:
            raise ValueError("a release names at least one item")


class Recall(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="recall"):
    """Recall one share. *reason* stays with the mechanism: a recall never says why."""

    share: str
    ask: Ask
    reason: str

    def __post_init__(self) -> None:
        _id(self.share, "shr")
        _text(self.reason, MAX_TEXT, "reason")


class AcceptHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="accept-head"):
    """Accept the ledger head as it stands after it fell behind: *size* and *root* of what is kept."""

    size: int
    root: str
    reason: str

    def __post_init__(self) -> None:
        _text(self.reason, MAX_TEXT, "reason")
        if self.size < 1 or not _ROOT.fullmatch(self.root):
            raise ValueError("a head is a size above 0 and a root in base64url")


_ROOT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)

Act: TypeAlias = (
    OpenUpload
    | Complete
    | Deposit
    | MakePackage
    | Propose
    | Approve
    | Release
    | Recall
    | AcceptHead
)

# Who may order what. The roles are alternatives; the flag says that only a person may.
RIGHTS: dict[type, tuple[frozenset[Role], bool]] = {
    OpenUpload: (frozenset({Role.SHARER}), False),
    Complete: (frozenset({Role.SHARER}), False),
    Deposit: (frozenset({Role.SHARER}), False),
    MakePackage: (frozenset({Role.SHARER}), False),
    Propose: (frozenset({Role.SHARER}), False),
    Approve: (
        frozenset(
            {
                Role.LEGAL_ADVISER,
                Role.VICTIMS_UNIT,
                Role.HEAD_OF_SHARING,
                Role.HEAD_OF_MECHANISM,
                Role.SOURCE_LIAISON,
            }
        ),
        True,
    ),
    Release: (frozenset({Role.RELEASER}), True),
    Recall: (frozenset({Role.RELEASER}), True),
    AcceptHead: (frozenset({Role.CUSTODIAN}), True),
}


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an acting request."""

    act: Act
    sig2: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A request token with the request it is bound to, kept as evidence.

    *body* is empty for an upload part, of which only the token is kept; *body_digest* always stands.
    """

    token: str
    method: str
    target: str
    body: bytes
    body_digest: bytes

    @property
    def digest(self) -> str:
        """The digest that entries commit to: hex SHA-256 of token, LF, hex digest of the body."""
        return hex_sha256(f"{self.token}\n{self.body_digest.hex()}".encode())

    @property
    def request(self) -> tokens.Request:
        """What the token is bound to."""
        return tokens.Request(self.method, self.target, self.body_digest)


def act_of(body: bytes) -> Act:
    """Decode the act of a request body. Raises MalformedError naming the field."""
    made = decode(body, Body)
    if made.sig2 is not None:
        raise MalformedError("no second signature is due yet: send null", field="/sig2")
    return made.act


def check_rights(actor: Actor, act: Act) -> None:
    """Check that *actor* may order *act* at all. Raises ForbiddenError saying what it takes."""
    roles, person = RIGHTS[type(act)]
    if person and not actor.member.is_person:
        raise ForbiddenError("this act needs the key of a person, not of a service")
    needed = frozenset({act.role}) if isinstance(act, Approve) else roles
    if not needed & roles & set(actor.member.roles):
        names = ", ".join(sorted(role.value for role in needed & roles))
        raise ForbiddenError(f"this act needs the role {names}" if names else "no such approval")


def judge(
    order: Order, *, audience: str, directory: Directory, logged: datetime
) -> tuple[Actor, Act]:
    """Check a kept order as its log time saw it: token, body, rights. Returns who ordered what.

    Raises UnauthorizedError, ForbiddenError or MalformedError. This is the check that web,
    keyholder and auditor share.
    """
    if sha256(order.body) != order.body_digest:
        raise MalformedError("the order's body is not the one it was signed over")
    verified = tokens.verify(
        order.token, order.request, audience=audience, directory=directory, now=logged
    )
    act = act_of(order.body)
    check_rights(verified.actor, act)
    return verified.actor, act


def can_stand_together(names: Iterable[str]) -> bool:
    """Tell whether files of these names can lie in one folder on every system.

    No two are alike but for case or Unicode normalisation, and none is the folder of another.
    """
    plain = [unicodedata.normalize("NFC", name).casefold() for name in names]
    folders = {name[:i] for name in plain for i, c in enumerate(name) if c == "/"}
    return len(set(plain)) == len(plain) and folders.isdisjoint(plain)


def check_name(name: str) -> None:
    """Check a file name inside a package: relative, `/` as separator, safe on every system.

    Raises ValueError for absolute paths, `..`, empty parts, parts of over 255 bytes, control
    characters, and what Windows would read as a device, drive or stream.
    """
    if len(name.encode("utf-8", "surrogatepass")) > 1024:
        raise ValueError("a name has at most 1024 bytes")
    if any(c in '\\:*?"<>|' or unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise ValueError('a name holds no control characters and none of \\ : * ? " < > |')
    if _TURNING.intersection(name):
        raise ValueError("a name holds no characters that turn the direction of writing")
    for part in name.split("/"):
        # Windows drops blanks before the dot, so that "nul .txt" is the device too.
        device = part.split(".")[0].rstrip().upper() in _DEVICES
        if not part or part[-1] in ". " or device or len(part.encode()) > 255:
            raise ValueError("a name is a relative path without . or .. that any system can write")


# With them "evidence-\u202egpj.exe" is shown as a picture.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{d}{i}" for d in ("COM", "LPT") for i in "0123456789¹²³"}
)


def _id(text: str, prefix: str) -> None:
    try:
        check_id(text, prefix)
    except MalformedError as error:
        raise ValueError(str(error)) from None


def _digest(text: str) -> None:
    if not is_hex_digest(text):
        raise ValueError("a digest is 64 lower-case hex digits")


def _size(size: int) -> None:
    if not 0 <= size <= 1 << 50:
        raise ValueError("a size is between 0 and 2**50 bytes")


def _text(text: str, longest: int, what: str) -> None:
    if not 0 < len(text) <= longest:
        raise ValueError(f"{what} has 1 to {longest} characters")
