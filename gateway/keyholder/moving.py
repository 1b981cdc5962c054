"""Wrapping an item's file key to another vault epoch, and the record of it.

Nothing is disclosed by it, so it takes no order: the new header is for the vault's own identity. And a
record that was had for the header of another item leads nowhere, since a chain begins at the deposit
record of its item.
"""

from collections.abc import Sequence

import msgspec

from gateway.envelope import Identity, Recipient, unwrap, wrap
from gateway.exchange.rewraps import Rewrap, epoch_of, sign_rewrap
from gateway.kernel.encoding import hex_sha256
from gateway.kernel.errors import ConflictError, VerificationError
from gateway.kernel.signing import Signer


class Moved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The vault header of another epoch, and the signed record that leads to it."""

    header: bytes
    record: bytes


def move(
    item: str,
    vault_header: bytes,
    identities: Sequence[Identity],
    target: Recipient,
    signer: Signer,
) -> Moved:
    """Wrap the file key under *vault_header* to *target*, and sign the record of it.

    Raises VerificationError if no identity opens the header, ConflictError if it is for *target* already.
    """
    for identity in identities:
        try:
            file_key = unwrap(vault_header, [identity])
        except VerificationError:
            continue
        break
    else:
        raise VerificationError("no vault epoch that is open opens this header")
    if identity.recipient == target:
        raise ConflictError("the item is wrapped to the active vault epoch already")
    made = wrap(file_key, [target])
    before, after = epoch_of(str(identity.recipient)), epoch_of(str(target))
    record = Rewrap(item, hex_sha256(vault_header), hex_sha256(made), before, after)
    return Moved(made, sign_rewrap(record, signer))
