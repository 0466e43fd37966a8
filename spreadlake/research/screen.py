"""A screen of every pair of a lake's symbols, as it was known at any time."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from spreadlake.arguments import bars_of, number_of, prices_of, threads_of
from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.analytics.breaks import read_cuts
from spreadlake.lake.analytics.removal import refuse_removed_rows
from spreadlake.lake.analytics.rows import last_time
from spreadlake.lake.analytics.screens import ScreenKey, passed_before
from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.screen import (
    ScreenOptions,
    screen_all_pairs,
    with_persistence,
)
from spreadlake.research.bar_source import BarSource
from spreadlake.series import BARS, BarKey
from spreadlake.tasks import Progress
from spreadlake.times import LEAST_SCREENED_BARS, iso_utc

_WHOLE_BPS = 10_000
_REASONS_TOLD = 5  # symbols named in a message


class NoScreenError(InputError):
    """There is nothing to screen at that time: no bars, or fewer than two symbols with enough."""


class NoNewerBarError(NoScreenError):
    """There is no bar that is newer than that of the screen before: it stands."""


class ScreenRequest(NamedTuple):
    """What to screen: bars of which length, which symbols (None: all), and who is left out.

    `min_volume` is the quote volume asked of each symbol over the lookback, `max_stale_bars` how
    many bars in a row without a trade are still let through.
    """

    timeframe: str = "1m"
    options: ScreenOptions = ScreenOptions()
    symbols: tuple[str, ...] | None = None
    min_volume: float = 0.0
    max_stale_bars: int = 30


@dataclass(frozen=True)
class Screen:
    """Rows of SCREEN_SCHEMA at the bar `time` (Unix seconds) of `length` seconds, by p-value.

    `symbols` were screened; `left_out` says of each other one why it was not. `at` is the time
    as of which it was asked for, None for now.
    """

    time: int
    length: int
    symbols: tuple[str, ...]
    left_out: dict[str, str]
    rows: pl.DataFrame
    at: float | None = None

    @property
    def close_time(self) -> int:
        """When the screen was known."""
        return self.time + self.length

    def frame(self) -> pl.DataFrame:
        """The rows, their `time` as UTC datetimes."""
        return self.rows.with_columns(pl.from_epoch("time").dt.replace_time_zone("UTC"))


def take_screen(
    lake: Lake,
    request: ScreenRequest,
    at: float | None = None,
    advance: Progress | None = None,
    after: int | None = None,
    threads: int = 1,
    since: float | None = None,
) -> Screen:
    """The screen as it was known at `at` (Unix seconds; None: now, at the newest bar).

    `advance` is told how many of how many pairs are done, which `threads` compute. InputError for
    symbols and timeframes that the lake does not have, and for options that no screen can have;
    NoScreenError where there is nothing to screen then, NoNewerBarError where no bar is newer than
    the one at `after`, or than what was known at `since`; RemovedError where bars of that time were
    removed to make room.
    """
    request, threads = _plain(request), threads_of(threads)
    options = request.options
    with closing(open_reader(lake.analytics_db)) as db:
        db.execute("BEGIN")  # all symbols as of one instant
        closes, begun, late = _read(db, lake, request, at)
        time = (closes.end - 1) * closes.length
        passed = _passed(db, request, time)
    if after is not None and time <= after:
        raise _no_newer(at, after + closes.length)
    volume = closes.quote_volume[:, -options.lookback :].sum(axis=1)
    have = np.maximum(closes.end - np.maximum(closes.first, begun), 0)
    left_out = late | _left_out(closes, have, volume, request)
    kept = np.flatnonzero([symbol not in left_out for symbol in closes.symbols])
    symbols = tuple(closes.symbols[at] for at in kept)
    if len(symbols) < 2:
        raise NoScreenError(_too_few(time + closes.length, symbols, left_out))
    if since is not None and closes.end <= since // closes.length:
        raise _no_newer(at, time + closes.length)
    close = _own_bars(closes.close, have)[kept]
    total = len(symbols) * (len(symbols) - 1) // 2
    told = _counted(advance, total)
    rows = screen_all_pairs(symbols, close, volume[kept], options, time, told, threads)
    return Screen(time, closes.length, symbols, left_out, with_persistence(rows, passed), at)


def _no_newer(at: float | None, end: int) -> NoNewerBarError:
    return NoNewerBarError(
        f"there is no newer bar at {_when(at)}: the last ended at {iso_utc(end)}"
    )


def _plain(request: ScreenRequest) -> ScreenRequest:
    """The same in Python's own numbers; InputError for what no screen can be of."""
    asked = request.options
    options = ScreenOptions(
        bars_of("lookback", asked.lookback),
        bars_of("window", asked.window),
        prices_of(asked.prices),
        number_of("fee_bps", asked.fee_bps, 0, _WHOLE_BPS),
        number_of("slippage_bps", asked.slippage_bps, 0, _WHOLE_BPS),
    )
    if options.lookback < LEAST_SCREENED_BARS:
        raise InputError(
            f"a lookback of {options.lookback} bars is too short to test for cointegration; "
            f"ask for {LEAST_SCREENED_BARS} or more"
        )
    least = number_of("min_volume", request.min_volume, 0)
    return request._replace(options=options, min_volume=least)


def _passed(db: sqlite3.Connection, request: ScreenRequest, time: int) -> list[list[str]]:
    """Which pairs passed the screens of the hour before that the job kept."""
    options = request.options
    if options.prices != "log":  # the job's are
        return []
    return passed_before(db, ScreenKey(request.timeframe, options.lookback, options.window), time)


def _read(
    db: sqlite3.Connection, lake: Lake, request: ScreenRequest, at: float | None
) -> tuple[CloseMatrix, int, dict[str, str]]:
    """The bars up to that of the screen, where windows begin anew among them, who has none yet."""
    source, late = BarSource.of_those_with_bars(db, lake, request.timeframe, request.symbols)
    symbols = tuple(sorted(source.first))
    end = source.end if at is None else min(source.end, int(at // source.length))
    bars = max(request.options.lookback, request.options.window)
    if at is not None:
        first = min(at, (end - bars) * source.length)
        refuse_removed_rows(db, lake, BARS, source.stored, first)
    closes = source.matrix(db, symbols, end - bars, end)
    if np.isnan(closes.close[:, -1]).all():  # a break, or before the first bars
        end = _newest(db, source, symbols, end, at)
        closes = source.matrix(db, symbols, end - bars, end)
    return closes, max([closes.start, *read_cuts(db, source.length, closes.start, end)]), late


def _newest(
    db: sqlite3.Connection,
    source: BarSource,
    symbols: tuple[str, ...],
    end: int,
    at: float | None,
) -> int:
    """The number after the newest bar of any symbol before the bar `end`."""
    times = [
        last_time(db, source.lake, BarKey(symbol, source.stored), end * source.length)
        for symbol in symbols
    ]
    first = min(source.first.values())
    newest = max([0, *(time // source.length + 1 for time in times if time is not None)])
    if newest > first:
        return newest
    if source.end <= first:
        raise NoScreenError("the lake has no finished bar of that length yet; wait for one")
    raise NoScreenError(
        f"nothing was known at {_when(at)}: the first bar of the lake "
        f"ends at {iso_utc((first + 1) * source.length)}"
    )


def _when(at: float | None) -> str:
    return "this time" if at is None else iso_utc(at)


def _left_out(
    closes: CloseMatrix, have: Ints, volume: Floats, request: ScreenRequest
) -> dict[str, str]:
    """Why a symbol is not screened, by symbol."""
    lookback, most = request.options.lookback, request.max_stale_bars
    close = closes.close[:, -lookback:]
    traded = closes.traded[:, -(most + 1) :].any(axis=1) | (closes.traded.shape[1] <= most)
    with np.errstate(invalid="ignore"):
        checks = {
            f"no trade for more than {most} bars": traded,
            "its close did not vary": close.max(axis=1) > close.min(axis=1),
            "a price that is not above 0": close.min(axis=1) > 0,
            f"less volume than {request.min_volume:,.15g}": volume >= request.min_volume,
        }
    reasons = {}
    for at, symbol in enumerate(closes.symbols):
        if have[at] < lookback:
            there = f"{have[at]} of {lookback} bars" if have[at] else "no bar then"
            reasons[symbol] = there
        elif failed := [why for why, passed in checks.items() if not passed[at]]:
            reasons[symbol] = failed[0]
    return reasons


def _own_bars(close: Floats, have: Ints) -> Floats:
    """The closes without those before each symbol's own bars in a row."""
    columns = np.arange(close.shape[1], 0, -1)
    return np.where(columns[None, :] <= have[:, None], close, np.nan)


def _too_few(known: int, symbols: tuple[str, ...], left_out: dict[str, str]) -> str:
    there = "1 symbol" if symbols else "no symbol"
    reasons = [f"{symbol}: {why}" for symbol, why in left_out.items()]
    more = len(reasons) - _REASONS_TOLD
    told = "; ".join(reasons[:_REASONS_TOLD]) + (f"; and {more:,} more" if more > 0 else "")
    return (
        f"there is no pair to screen at {iso_utc(known)}: {there} of "
        f"{len(symbols) + len(left_out):,} can be tested{f' ({told})' if told else ''}; "
        "choose another time, a shorter lookback or more symbols"
    )


def _counted(advance: Progress | None, total: int) -> Callable[[int], None] | None:
    if advance is None:
        return None
    done = 0

    def piece(pairs: int) -> None:
        nonlocal done
        done += pairs
        advance(done, total)

    advance(0, total)
    return piece
