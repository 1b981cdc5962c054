"""Acts: what a person or service orders, as the `act` of a signed request body `{act, sig2}`.

The request token binds the body, so token and body together are the *order*: the evidence of who
asked for exactly what. `sig2` is an ML-DSA-65 signature over the exact bytes of `act` as they stand in
the body, by the key that the directory pairs with the one of the token; null if there is none. An
order names exactly one share.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import msgspec

from gateway.exchange import tokens
from gateway.exchange.bounds import MAX_TEXT, must_have_text
from gateway.exchange.deposit_acts import (
    MAX_PARTS,
    Complete,
    Deposit,
    OpenUpload,
    Particulars,
    Relation,
    RelationKind,
)
from gateway.exchange.derivation_acts import DerivationCheck, Derive, relation_to
from gateway.exchange.directory import Actor, Directory
from gateway.exchange.fact_acts import Amend, Attest, EndAttestation, Evidence
from gateway.exchange.history_acts import Declare
from gateway.exchange.key_acts import ChallengeKey, ConfirmKey, RewrapShare
from gateway.exchange.naming import can_stand_together, check_name
from gateway.exchange.parse import decode, plain
from gateway.exchange.parties import Key, Role
from gateway.exchange.policy_acts import ActivatePolicy, PreviewPolicy, SignOffPolicy
from gateway.exchange.rfa_acts import (
    AnswerRfa,
    AskRfa,
    AssessRfa,
    CloseRfa,
    ConfirmRfa,
    DeclineRfa,
    ExtendRfa,
    RecordRfa,
    RegisterRfa,
    ReopenRfa,
    RfaAct,
    StrikeRfa,
    TellRfa,
    Wanted,
)
from gateway.exchange.share_acts import (
    MAX_ITEMS,
    Approve,
    Ask,
    Basis,
    Consult,
    MakePackage,
    Product,
    Propose,
    Recall,
    Release,
    ReleaseItem,
)
from gateway.exchange.withheld_acts import ReviewWithheld
from gateway.kernel.encoding import b64url, canonical_json, hex_sha256, sha256
from gateway.kernel.errors import ForbiddenError, MalformedError
from gateway.kernel.signing import Pair, Signer, check_paired

__all__ = [
    "MAX_ITEMS",
    "MAX_PARTS",
    "MAX_TEXT",
    "RIGHTS",
    "AcceptHead",
    "Act",
    "ActivatePolicy",
    "Amend",
    "AnswerRfa",
    "Approve",
    "Ask",
    "AskRfa",
    "AssessRfa",
    "Attest",
    "Basis",
    "Body",
    "ChallengeKey",
    "CloseRfa",
    "Complete",
    "ConfirmKey",
    "ConfirmRfa",
    "Consult",
    "Declare",
    "DeclineRfa",
    "Deposit",
    "DerivationCheck",
    "Derive",
    "EndAttestation",
    "Evidence",
    "ExtendRfa",
    "MakePackage",
    "OpenUpload",
    "Order",
    "Particulars",
    "PreviewPolicy",
    "Product",
    "Propose",
    "Recall",
    "RecordRfa",
    "RegisterRfa",
    "Relation",
    "RelationKind",
    "Release",
    "ReleaseItem",
    "ReopenRfa",
    "ReviewWithheld",
    "RewrapShare",
    "RfaAct",
    "SignOffPolicy",
    "StrikeRfa",
    "TellRfa",
    "Wanted",
    "act_of",
    "can_stand_together",
    "check_name",
    "check_rights",
    "check_second_order",
    "is_order",
    "judge",
    "order_body",
    "relation_to",
]


class AcceptHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="accept-head"):
    """Accept the ledger head as it stands after it fell behind: *size* and *root* of what is kept."""

    size: int
    root: str
    reason: str

    def __post_init__(self) -> None:
        must_have_text(self.reason, MAX_TEXT, "reason")
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
    | Consult
    | Release
    | Recall
    | RecordRfa
    | RfaAct
    | Attest
    | EndAttestation
    | Amend
    | Derive
    | ReviewWithheld
    | Declare
    | ActivatePolicy
    | PreviewPolicy
    | SignOffPolicy
    | ChallengeKey
    | ConfirmKey
    | RewrapShare
    | AcceptHead
)

_APPROVERS = frozenset(
    {
        Role.LEGAL_ADVISER,
        Role.VICTIMS_UNIT,
        Role.HEAD_OF_SHARING,
        Role.HEAD_OF_MECHANISM,
        Role.SOURCE_LIAISON,
    }
)
_SHARER, _RELEASER = frozenset({Role.SHARER}), frozenset({Role.RELEASER})
_RFA_OFFICER = frozenset({Role.RFA_OFFICER})
_ATTESTERS = frozenset({Role.LEGAL_ADVISER, Role.HEAD_OF_SHARING, Role.HEAD_OF_MECHANISM})
_ACTIVATORS = frozenset({Role.POLICY_AUTHOR, Role.HEAD_OF_SHARING, Role.HEAD_OF_MECHANISM})
_SIGNING_OFF = frozenset({Role.LEGAL_ADVISER, Role.HEAD_OF_MECHANISM})
_INTRODUCERS = frozenset(
    {
        Role.RFA_OFFICER,
        Role.LEGAL_ADVISER,
        Role.HEAD_OF_SHARING,
        Role.HEAD_OF_MECHANISM,
        Role.CUSTODIAN,
    }
)

# Who may order what. The roles are alternatives; the flag says that only a person may.
RIGHTS: dict[type, tuple[frozenset[Role], bool]] = {
    OpenUpload: (_SHARER, False),
    Complete: (_SHARER, False),
    Deposit: (_SHARER, False),
    MakePackage: (_SHARER, False),
    Propose: (_SHARER, False),
    Approve: (_APPROVERS, True),
    Consult: (frozenset({Role.SOURCE_LIAISON}), True),
    Release: (_RELEASER, True),
    Recall: (_RELEASER, True),
    RecordRfa: (_RFA_OFFICER, True),
    ConfirmRfa: (_RFA_OFFICER, True),
    StrikeRfa: (_RFA_OFFICER, True),
    RegisterRfa: (_RFA_OFFICER, True),
    AssessRfa: (_RFA_OFFICER, True),
    AskRfa: (_RFA_OFFICER, True),
    TellRfa: (_RFA_OFFICER, True),
    ExtendRfa: (_RFA_OFFICER, True),
    AnswerRfa: (_RFA_OFFICER, True),
    DeclineRfa: (_RFA_OFFICER, True),
    ReopenRfa: (_RFA_OFFICER, True),
    CloseRfa: (_RFA_OFFICER, True),
    Attest: (_ATTESTERS, True),
    EndAttestation: (_ATTESTERS, True),
    Amend: (frozenset({Role.SOURCE_LIAISON, Role.LEGAL_ADVISER}), True),
    Derive: (_SHARER, True),
    ReviewWithheld: (frozenset({Role.DISCLOSURE_REVIEWER}), True),
    Declare: (frozenset({Role.RFA_OFFICER, Role.COMPLIANCE}), True),
    ActivatePolicy: (_ACTIVATORS, True),
    PreviewPolicy: (_ACTIVATORS | _SIGNING_OFF | {Role.COMPLIANCE}, True),
    SignOffPolicy: (_SIGNING_OFF, True),
    ChallengeKey: (_INTRODUCERS, True),
    ConfirmKey: (_INTRODUCERS, True),
    RewrapShare: (frozenset({Role.SHARER, Role.RELEASER, Role.ENDPOINT}), False),
    AcceptHead: (frozenset({Role.CUSTODIAN}), True),
}


SECOND_TYP = "eg-act"
"""The context of second signatures of acts."""


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of an acting request."""

    act: Act
    sig2: str | None


class _Bytes(msgspec.Struct, frozen=True):
    """The body again, with the bytes of its act as they were sent."""

    act: msgspec.Raw
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
    return decode(body, Body).act


def order_body(act: object, signer: Signer) -> bytes:
    """Return the body that orders *act*, signed by the second key of *signer* if it has one."""
    said = canonical_json(plain(act))
    second = signer.second
    sig2 = None if second is None else b64url(second.sign(said, SECOND_TYP.encode("ascii")))
    return b'{"act":' + said + b',"sig2":' + canonical_json(sig2) + b"}"


def is_order(body: bytes) -> bool:
    """Tell whether a body is an order, and not a signed message or a part of an upload."""
    return _sent(body) is not None


def check_second_order(body: bytes, key: Key, moment: datetime) -> None:
    """Check the second signature of an order by *key*, logged at *moment*.

    Its token and its form are checked before. Raises MalformedError for a signature of another form, or
    where the directory pairs *key* with none; VerificationError for one that does not hold, or that is
    due and missing.
    """
    sent = _sent(body)
    if sent is None:
        raise MalformedError("not an order")
    checking = key.checking(moment)
    if sent.sig2 is not None and not isinstance(checking, Pair):
        raise MalformedError(
            "no second signature is expected: the directory pairs this key with none", field="/sig2"
        )
    check_paired(SECOND_TYP, checking, bytes(sent.act), sent.sig2)


def _sent(body: bytes) -> _Bytes | None:
    try:
        return msgspec.json.decode(body, type=_Bytes)
    except msgspec.MsgspecError:
        return None


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

    Raises UnauthorizedError, ForbiddenError, VerificationError or MalformedError. This is the check that web,
    keyholder and auditor share.
    """
    if sha256(order.body) != order.body_digest:
        raise MalformedError("the order's body is not the one it was signed over")
    verified = tokens.verify(
        order.token, order.request, audience=audience, directory=directory, now=logged
    )
    act = act_of(order.body)
    check_second_order(order.body, verified.actor.key, logged)
    check_rights(verified.actor, act)
    return verified.actor, act
