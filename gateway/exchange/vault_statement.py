"""What a keyholder says of itself, for the directory: its epochs, and its key for re-wrap records."""

from typing import Literal

import msgspec

Standing = Literal["next", "active", "retired", "destroyed"]


class PublicEpoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vault epoch: its name for people, its id, its age recipient, and the period it was made for."""

    name: str
    id: str
    recipient: str
    begins: str
    ends: str
    standing: Standing


class VaultStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that the directory is to hold of a keyholder; nothing of it is secret."""

    epochs: tuple[PublicEpoch, ...]
    signer: str
