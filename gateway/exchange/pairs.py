"""Signing twice as the directory in force asks for it."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.exchange.directory import Directory
from gateway.exchange.parties import Second
from gateway.kernel.encoding import b64url
from gateway.kernel.second import SecondKey
from gateway.kernel.signing import Signer, thumbprint


@dataclass(frozen=True, slots=True)
class AsPaired:
    """A signer that signs twice only while the directory pairs its two keys.

    A key file may have its second key before the set that says so is signed and accepted; whoever reads
    by the older set would refuse what bears a signature by a key that he does not know.
    """

    signer: Signer
    directory: Callable[[], Directory]

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self.signer.public_key

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of *message*."""
        return self.signer.sign(message)

    @property
    def second(self) -> SecondKey | None:
        """The second key, if the directory pairs it with the first one."""
        second = self.signer.second
        if second is None:
            return None
        actor = self.directory().actor(thumbprint(self.public_key))
        stated = actor.key.second if actor is not None else None
        paired = isinstance(stated, Second) and stated.public == b64url(second.public_key)
        return second if paired else None
