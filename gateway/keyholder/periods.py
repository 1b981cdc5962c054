"""Vault epochs: how long each lasts, and what it is called."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from gateway.kernel.errors import MalformedError

_QUARTER, _YEAR = 3, 12


def check_months(months: int) -> None:
    """Check the length of an epoch. Raises MalformedError unless years divide into it."""
    if months not in (1, 2, 3, 4, 6, 12):
        raise MalformedError("an epoch lasts 1, 2, 3, 4, 6 or 12 months")


def period(moment: datetime, months: int) -> tuple[datetime, datetime]:
    """Return begin and end of the period of *months* that *moment* lies in, in UTC."""
    first = (moment.month - 1) // months * months + 1
    begin = datetime(moment.year, first, 1, tzinfo=UTC)
    after = first + months
    end = begin.replace(year=begin.year + (after > _YEAR), month=(after - 1) % _YEAR + 1)
    return begin, end


def following(moment: datetime, months: int) -> datetime:
    """Return a moment in the next period."""
    return period(moment, months)[1] + timedelta(seconds=1)


def name_of(begin: datetime, months: int, taken: Collection[str] = ()) -> str:
    """Return `2026Q4`, `2026-11` or `2026`; with `b`, `c` … if there is one of that name already."""
    name = f"{begin.year}-{begin.month:02}"
    if months == _QUARTER:
        name = f"{begin.year}Q{(begin.month - 1) // _QUARTER + 1}"
    elif months == _YEAR:
        name = str(begin.year)
    for suffix in ("", *"bcdefghijklmnopqrstuvwxyz"):
        found = f"{name}{suffix}"
        if found not in taken:
            return found
    raise MalformedError(f"there are 26 epochs of {name} already")
