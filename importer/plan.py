"""In which order files are taken, and whether their days fit the lake's. Pure.

The job carries the last price of a symbol over every second in which others trade, up to the
newest trade of the lake. A few days of that are nothing; two years would be sixty million bars of
each symbol. Over days in which no symbol traded nothing is carried.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

from spreadlake.binance.dumps import DumpFile, DumpKind
from spreadlake.errors import InputError

MOST_DAYS = 7
"""Days without a trade of one symbol, between two that have some, on which others have trades."""


@dataclass(frozen=True)
class Coverage:
    """The days a lake has trades of, and those it has klines of, by symbol."""

    days: Mapping[str, Set[date]] = field(default_factory=dict)
    klines: Mapping[str, Set[date]] = field(default_factory=dict)

    @property
    def last(self) -> date | None:
        """The newest day of all symbols."""
        return max((max(days) for days in self.days.values() if days), default=None)


def in_order(files: Iterable[DumpFile], coverage: Coverage) -> list[DumpFile]:
    """Days before the lake's newest backwards, those after it forwards, each file once.

    So every file joins on to what is there already.
    """
    wanted = sorted({file.path.resolve(): file for file in files}.values(), key=_by_day)
    last = coverage.last
    if last is None:
        return wanted
    after = [file for file in wanted if file.first > last]
    return [file for file in reversed(wanted) if file.first <= last] + after


def check_days(files: Sequence[DumpFile], coverage: Coverage) -> None:
    """InputError where records would be far away in time from all others of the lake."""
    trades, klines = _days_by_symbol(files, "trades"), _days_by_symbol(files, "klines")
    newest = [*(max(days) for days in trades.values()), *filter(None, [coverage.last])]
    busy = set[date]().union(*trades.values(), *coverage.days.values())
    for symbol in dict.fromkeys((*trades, *klines)):
        held = _used(coverage.days.get(symbol, set()), coverage.klines.get(symbol, set()))
        days = _used(
            coverage.days.get(symbol, set()) | trades.get(symbol, set()),
            coverage.klines.get(symbol, set()) | klines.get(symbol, set()),
        )
        ends = {max(newest)} if symbol in trades else set()
        for earlier, later in _holes(days | ends, busy):
            # A hole that was there before is not made by this import.
            if not (held and min(held) <= earlier and later <= max(held)):
                raise InputError(_too_far(symbol, earlier, later))


def _days_by_symbol(files: Sequence[DumpFile], kind: DumpKind) -> dict[str, Set[date]]:
    found: dict[str, Set[date]] = {}
    for file in files:
        if file.kind == kind:
            found[file.symbol] = found.get(file.symbol, set()) | set(_days_of(file))
    return found


def _used(trades: Set[date], klines: Set[date]) -> Set[date]:
    """Days that have bars of their own: klines become bars only before the first trade."""
    return trades | {day for day in klines if not trades or day <= min(trades)}


def _by_day(file: DumpFile) -> tuple[date, str]:
    return file.first, file.symbol


def _days_of(file: DumpFile) -> Iterable[date]:
    return (file.first + timedelta(days=n) for n in range((file.last - file.first).days + 1))


def _holes(days: Set[date], busy: Set[date]) -> list[tuple[date, date]]:
    """Days before and after which a symbol has nothing while others have trades."""
    pairs = pairwise(sorted(days))
    return [(a, b) for a, b in pairs if sum(a < day < b for day in busy) > MOST_DAYS]


def _too_far(symbol: str, earlier: date, later: date) -> str:
    return (
        f"{symbol} would have nothing from {earlier + timedelta(days=1)} to "
        f"{later - timedelta(days=1)}, and bars carry its last price while others trade "
        f"(at most {MOST_DAYS} days); import the days between too, or choose another folder "
        "with --data"
    )
