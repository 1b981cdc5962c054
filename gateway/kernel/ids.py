"""Ids: a prefix that names the kind, and 16 random bytes in 26 characters.

The characters are RFC 4648 base32 in lower case without padding. Ids tell nothing: no counter, no
time, no party. A client may mint them, so every id is checked where it comes in.
"""

import base64
import binascii
import secrets
from typing import NewType

from gateway.kernel.errors import MalformedError

PartyId = NewType("PartyId", str)  # pty_
PersonId = NewType("PersonId", str)  # psn_
ServiceId = NewType("ServiceId", str)  # svc_
ActorId = NewType("ActorId", str)  # psn_ or svc_
UploadId = NewType("UploadId", str)  # upl_
ItemId = NewType("ItemId", str)  # itm_
PackageId = NewType("PackageId", str)  # pkg_
ShareId = NewType("ShareId", str)  # shr_
ReceiptId = NewType("ReceiptId", str)  # rcp_
MessageId = NewType("MessageId", str)  # msg_
BlobId = NewType("BlobId", str)  # blb_
EntryId = NewType("EntryId", str)  # ent_
RfaId = NewType("RfaId", str)  # rfa_
InvestigationId = NewType("InvestigationId", str)  # inv_

PREFIXES = frozenset(
    {
        "pty",
        "psn",
        "svc",
        "upl",
        "itm",
        "pkg",
        "shr",
        "rcp",
        "msg",
        "blb",
        "ent",
        "clr",
        "rfa",
        "srv",
        "stp",
        "inv",
        "att",
        "amd",
        "dcl",
        "drv",  # the attestation of a derivative
        "sup",  # what an endpoint supports
        "trm",  # terms as an officer signed them
        "wth",  # an item that was kept back
        "rvw",  # its review
        "sgn",  # a sign-off of a policy set
        "chl",  # a challenge to a new envelope key
        "prf",  # the owner's answer to it
        "kcf",  # a person's confirmation of the key
        "rwp",  # a request to wrap a share anew
    }
)
_RANDOM_BYTES = 16


def new_id(prefix: str) -> str:
    """Mint an id of the kind *prefix*; unguessable."""
    return id_from_bytes(prefix, secrets.token_bytes(_RANDOM_BYTES))


def id_from_bytes(prefix: str, raw: bytes) -> str:
    """Spell 16 *raw* bytes as an id."""
    if prefix not in PREFIXES or len(raw) != _RANDOM_BYTES:
        raise ValueError("an id is a known prefix and 16 bytes")
    return f"{prefix}_{base64.b32encode(raw).decode('ascii').rstrip('=').lower()}"


def id_bytes(text: str, prefix: str) -> bytes:
    """Return the 16 bytes of an id of kind *prefix*.

    Raises MalformedError unless it is spelt exactly as `new_id` would.
    """
    head, _, tail = text.partition("_")
    try:
        raw = base64.b32decode(tail.upper() + "=" * (-len(tail) % 8))
    except (binascii.Error, ValueError):
        raise MalformedError(f"not an id of kind {prefix}") from None
    if head != prefix or len(raw) != _RANDOM_BYTES or id_from_bytes(prefix, raw) != text:
        raise MalformedError(f"not an id of kind {prefix}")
    return raw


def check_id(text: str, *prefixes: str, field: str = "") -> str:
    """Return *text* if it is an id of one of the kinds *prefixes*. Raises MalformedError otherwise."""
    head = text.partition("_")[0]
    if head not in prefixes:
        raise MalformedError(f"expected an id starting with {' or '.join(prefixes)}", field=field)
    try:
        id_bytes(text, head)
    except MalformedError as error:
        raise MalformedError(str(error), field=field) from None
    return text
