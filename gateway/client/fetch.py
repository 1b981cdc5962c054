"""Fetching one item: verified part by part as it comes, going on after a cut, a bad part fetched alone."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.client.arrived import Arrived, Intake
from gateway.client.push import Progress, sync
from gateway.client.session import Session
from gateway.exchange.manifest import SealedItem
from gateway.kernel.errors import (
    MalformedError,
    RateLimitedError,
    UnavailableError,
    VerificationError,
)

_TRIES = 8  # in a row that brought nothing
_PAUSE = 0.3  # seconds before the second of them, doubled at each
_BAD = 2  # times that a part may come as something else
Say = Callable[[str], None]


async def fetch(
    session: Session,
    share: str,
    item: SealedItem,
    parts: Sequence[str],
    path: Path,
    progress: Progress,
    say: Say,
) -> None:
    """Fetch header ‖ body into *path*, until every piece holds by the digest that was signed for it.

    Raises VerificationError for a piece that comes as something else twice, UnavailableError.
    """
    arrived = await asyncio.to_thread(Arrived, path, item, parts)
    progress(arrived.held)
    bad: Counter[int] = Counter()
    tries = 0
    while (run := arrived.missing()) is not None:
        before = arrived.held
        try:
            for n in await _range(
                session, f"/v1/shares/{share}/items/{item.n}", arrived, run, progress
            ):
                _blame(item, arrived, n, bad, say)
        except (UnavailableError, RateLimitedError) as error:
            tries = 0 if arrived.held > before else tries + 1
            if tries == _TRIES:
                raise
            told = error.retry_after if isinstance(error, RateLimitedError) else 0
            await asyncio.sleep(max(_PAUSE * 2**tries, min(told, 60)))


def _blame(item: SealedItem, arrived: Arrived, n: int, bad: Counter[int], say: Say) -> None:
    bad[n] += 1
    named = f"{arrived.pieces[n].name} of item {item.n}"
    if bad[n] == _BAD:
        raise VerificationError(f"{named} is not what the manifest says: nothing was decrypted")
    say(f"{named} came as something else than was signed: it alone is fetched again")


async def _range(
    session: Session, target: str, arrived: Arrived, run: range, progress: Progress
) -> list[int]:
    """Fetch a run of pieces, from where the file ends if it ends inside the first; return the bad ones."""
    arrived.path.touch(mode=0o600)
    with arrived.path.open("r+b") as handle:
        intake = await asyncio.to_thread(Intake, arrived, run, handle)
        wanted = f"bytes={intake.at}-{intake.end - 1}"
        async with session.stream("GET", target, headers={"Range": wanted}) as response:
            if response.status != 206:
                raise MalformedError("the gateway sends something else than the range asked for")
            async for data in response.content.iter_chunked(1 << 20):
                await asyncio.to_thread(intake.take, data)
                progress(len(data))
        await asyncio.to_thread(sync, handle)
        return intake.bad
