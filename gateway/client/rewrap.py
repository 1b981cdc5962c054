"""Having shares wrapped anew to an authority's keys of today: one, or all that need it."""

from collections.abc import Callable
from functools import partial
from typing import Any

from gateway.client.session import Session
from gateway.exchange.acts import RewrapShare
from gateway.kernel.encoding import Json
from gateway.kernel.errors import ConflictError
from gateway.kernel.ids import new_id


async def rewrap(session: Session, share: str) -> dict[str, Json]:
    """Have one share wrapped anew. Raises ConflictError that says why not."""
    target = f"/v1/shares/{share}/rewrap"
    return await session.act_once(target, partial(_act, share), "rewrap", share)


def _act(share: str) -> RewrapShare:
    return RewrapShare(new_id("rwp"), share)


async def due(session: Session, authority: str) -> list[str]:
    """Return the open shares of an authority (a party id) that are wrapped to other keys than it has now."""
    found: Any = (await session.get(f"/v1/authorities/{authority}/rewraps")).json()["shares"]
    return [str(share) for share in found]


async def rewrap_all(
    session: Session, shares: list[str], progress: Callable[[int], None]
) -> list[dict[str, Json]]:
    """Have shares wrapped anew, each by an order of its own; one that is refused says why, as `refused`."""
    done: list[dict[str, Json]] = []
    for share in shares:
        try:
            done.append(await rewrap(session, share))
        except ConflictError as error:
            done.append({"share": share, "refused": str(error)})
        progress(1)
    return done
