"""Parties, persons, services and their keys, as the directory's data files state them."""

import re
from datetime import datetime
from enum import StrEnum

import msgspec
from nacl.bindings import crypto_core_ed25519_is_valid_point

from gateway.kernel.encoding import un_b64url
from gateway.kernel.errors import MalformedError
from gateway.kernel.ids import check_id
from gateway.kernel.signing import PUBLIC_KEY_SIZE, thumbprint
from gateway.kernel.time import instant


class Use(StrEnum):
    """What a key is for. A key has one use; keys are never mixed."""

    REQUEST = "request"  # request tokens, and so orders
    MESSAGE = "message"  # receipts and messages
    MANIFEST = "manifest"
    CHECKPOINT = "checkpoint"
    ENVELOPE = "envelope"  # an age recipient
    POLICY = "policy"  # an author's part of a policy set's signature
    VAULT = "vault"  # the age recipient of one epoch of the vault
    DIRECTORY = "directory"  # a custodian's part of the directory's signature
    REWRAP = "rewrap"  # the keyholder's records of file keys wrapped to another vault epoch


class Status(StrEnum):
    """The life of a key. Envelopes are made for *active* and *next*; only *active* keys sign."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


class Kind(StrEnum):
    """What a party is."""

    MECHANISM = "mechanism"
    AUTHORITY = "authority"
    SOURCE = "source"


class Role(StrEnum):
    """What a person or service may be entitled to do."""

    SHARER = "sharer"  # deposit items, make packages, propose shares
    RELEASER = "releaser"  # release and recall shares
    RFA_OFFICER = "rfa_officer"  # register, assess and answer RFAs; read what is sealed to the team
    LEGAL_ADVISER = "legal_adviser"
    VICTIMS_UNIT = "victims_unit"
    HEAD_OF_SHARING = "head_of_sharing"
    HEAD_OF_MECHANISM = "head_of_mechanism"
    SOURCE_LIAISON = "source_liaison"
    POLICY_AUTHOR = "policy_author"  # sign policy sets, two of them
    DISCLOSURE_REVIEWER = "disclosure_reviewer"  # review what exculpatory material is kept back
    COMPLIANCE = "compliance"  # read the whole ledger
    CUSTODIAN = "custodian"  # sign the directory, accept a ledger head
    ENDPOINT = "endpoint"  # an authority's program: read the inbox, pull, receipt
    OFFICER = "officer"  # an authority's person: open, accept, reject


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A public key. *public* is base64url (Ed25519, 32 bytes) or an age recipient."""

    use: Use
    alg: str
    public: str
    status: Status
    not_before: str
    not_after: str

    def __post_init__(self) -> None:
        if instant(self.not_before) >= instant(self.not_after):
            raise ValueError("a key ends after it begins")
        age = self.use in (Use.ENVELOPE, Use.VAULT)
        if self.alg not in ({"x25519", "mlkem768x25519"} if age else {"Ed25519"}):
            raise ValueError(f"algorithm {self.alg} is not for use {self.use.value}")
        if not age:
            self._check_point()

    @property
    def kid(self) -> str:
        """The RFC 7638 thumbprint of a signing key, or the recipient text of an age key."""
        return thumbprint(self.raw()) if self.alg == "Ed25519" else self.public

    def raw(self) -> bytes:
        """Return the 32 bytes of an Ed25519 key."""
        try:
            return un_b64url(self.public, size=PUBLIC_KEY_SIZE)
        except MalformedError as error:
            raise ValueError(str(error)) from None

    def _check_point(self) -> None:
        """Refuse points off the curve or of small order, under which signatures can be forged."""
        if not crypto_core_ed25519_is_valid_point(self.raw()):
            raise ValueError("not a valid Ed25519 public key")

    def in_force(self, now: datetime, *statuses: Status) -> bool:
        """Tell whether the key has one of *statuses* (default: active) and *now* is in its term."""
        term = instant(self.not_before) <= now < instant(self.not_after)
        return term and self.status in (statuses or (Status.ACTIVE,))


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person (`psn_…`) or a service (`svc_…`) of a party, with keys of its own."""

    id: str
    name: str
    roles: tuple[Role, ...]
    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        check_member(self.id)

    @property
    def is_person(self) -> bool:
        """Tell whether this is a human being, who alone may release, approve, recall and accept."""
        return self.id.startswith("psn_")


def check_member(text: str) -> None:
    """Raise ValueError unless *text* is the id of a person or service."""
    try:
        check_id(text, "psn", "svc")
    except MalformedError as error:
        raise ValueError(str(error)) from None


_OBLIGATION = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)


class Party(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One party. *short* is the handle that the mechanism's people type, such as `xa-prosecutor`.

    *announced* stands as `supports` in its file, and not at all before anything was: so the party's hash
    in a directory that was signed then stays what it was.
    """

    id: str
    short: str
    name: str
    kind: Kind
    members: tuple[Member, ...]
    jurisdiction: str | None = None
    announced: tuple[str, ...] | msgspec.UnsetType = msgspec.field(
        name="supports", default=msgspec.UNSET
    )

    def __post_init__(self) -> None:
        try:
            check_id(self.id, "pty")
        except MalformedError as error:
            raise ValueError(str(error)) from None
        if (self.kind is Kind.AUTHORITY) != (self.jurisdiction is not None):
            raise ValueError("an authority, and only an authority, is of a jurisdiction")
        if self.supports:
            self._check_supports()

    @property
    def supports(self) -> tuple[str, ...]:
        """The kinds of obligation that its endpoint has announced to honour."""
        return self.announced if isinstance(self.announced, tuple) else ()

    def _check_supports(self) -> None:
        if self.kind is not Kind.AUTHORITY:
            raise ValueError("only an authority's endpoint supports obligations")
        if len(set(self.supports)) != len(self.supports):
            raise ValueError("a kind of obligation is supported once")
        if not all(_OBLIGATION.fullmatch(kind) for kind in self.supports):
            raise ValueError("a kind of obligation is a word of a-z, 0-9 and _")

    def keys(self, use: Use, now: datetime, *statuses: Status) -> tuple[Key, ...]:
        """Return the keys of one *use* that are in force, in the order of the file."""
        every = (key for member in self.members for key in member.keys)
        return tuple(key for key in every if key.use is use and key.in_force(now, *statuses))
