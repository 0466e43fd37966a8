"""How long what is kept, and what goes first where room is short. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from spreadlake.lake.sizes import COLD, Sizes

GIB = 2**30
_DAY = 86_400
_LAST_DAYS = 7


class Growth(NamedTuple):
    """Bytes a day of each kind, over the newest `days` finished days; 0 days: not known yet."""

    by_kind: dict[str, float]
    days: int

    @property
    def total(self) -> float:
        """Bytes a day of all kinds."""
        return sum(self.by_kind.values())


def growth(days: Mapping[tuple[str, str], int], today: str) -> Growth:
    """How much each kind grew a day, over the newest days (`YYYY-MM-DD`) before `today`.

    `today` is the day of the newest trade, which is not over. Days between the first and the last
    of them count even where they hold nothing.
    """
    finished = sorted({day for _, day in days if day < today})
    if not finished:
        return Growth({}, 0)
    last = date.fromisoformat(finished[-1])
    first = max(date.fromisoformat(finished[0]), last - timedelta(days=_LAST_DAYS - 1))
    number = (last - first).days + 1
    kinds = sorted({kind for kind, _ in days})
    return Growth(
        {
            kind: sum(
                size
                for (of, day), size in days.items()
                if of == kind and first.isoformat() <= day <= last.isoformat()
            )
            / number
            for kind in kinds
        },
        number,
    )


def age_cutoff(now: int, keep_days: float | None) -> int:
    """Days that end at or before this midnight (s) are older than `keep_days`; 0: none ever is.

    `now` is the time of the newest trade (s).
    """
    if keep_days is None:
        return 0
    return max(0, int(now - keep_days * _DAY) // _DAY * _DAY)


def size_cutoff(
    days: Mapping[tuple[str, str], int], total: int, most: float | None, end: int
) -> int:
    """The midnight (s) before which days go so that what is left of `total` bytes fits in `most`.

    Oldest first, whatever kind; never days that end after `end` (s): 0 where nothing has to go.
    It is the same again while those days are only partly gone.
    """
    if most is None or total <= most:
        return 0
    cutoff, left = 0, float(total)
    for day in _in_order(day for _, day in days):
        after = midnight(day) + _DAY
        if left <= most or after > end:
            break
        left -= sum(size for (_, of), size in days.items() if of == day)
        cutoff = after
    return cutoff


def removable_before(sizes: Sizes, max_gib: float | None, now: int) -> int:
    """The midnight (s) before which cold data goes so that the lake fits in `max_gib`; 0 for none.

    The day of the newest trade (`now`, s) and the one before it always stay.
    """
    most = None if max_gib is None else max_gib * GIB
    cold = {of: size for of, size in sizes.days.items() if of[0] in COLD}
    return size_cutoff(cold, sizes.total, most, midnight(day_name(now)) - _DAY)


def before(days: Mapping[tuple[str, str], int], kind: str, cutoff: int) -> int:
    """The bytes of a kind in days that end at or before `cutoff` (s)."""
    return sum(size for (of, day), size in days.items() if of == kind and midnight(day) < cutoff)


def midnight(day: str) -> int:
    """The start (s) of a UTC day `YYYY-MM-DD`."""
    return int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())


def day_name(second: int) -> str:
    """The UTC day that holds `second`, as `YYYY-MM-DD`."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d}"


def _in_order(days: Iterable[str]) -> list[str]:
    return sorted(set(days))
