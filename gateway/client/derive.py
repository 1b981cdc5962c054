"""The sharing team's side of a derivation: the attestation that one item was made from another."""

from typing import Any

from gateway.client.session import Session
from gateway.exchange.acts import Derive


async def attest(session: Session, act: Derive) -> dict[str, Any]:
    """Submit a person's attestation of a derivation; return the gateway's answer.

    Both items are deposited before, the derivative with its relation to the original
    (`Source.relation`). Raises VerificationError if the gateway holds other bytes or another relation,
    ConflictError if the derivative was attested before.
    """
    return dict(await session.act(f"/v1/items/{act.item}/derivation", act))
