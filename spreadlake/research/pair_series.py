"""Rows of pair analytics for any pair, timeframe, window and lookback, computed from the bars.

The same functions as the analytics job's, called with the same definition, so that a row has the
numbers that the job would have stored, whether it did or not.
"""

from collections.abc import Iterator
from contextlib import closing

import polars as pl

from spreadlake.lake import Lake, open_reader
from spreadlake.lake.analytics.breaks import read_cuts
from spreadlake.lake.analytics.definition import SeriesDefinition
from spreadlake.lake.analytics.removal import refuse_removed_rows
from spreadlake.pairs import Pair
from spreadlake.quant.pair_rows import Noise, bars_needed, pair_rows
from spreadlake.research.bar_source import BarSource
from spreadlake.series import BARS, SeriesKey

_PIECE = 5_000  # rows computed at a time, to bound memory


def computed_rows(
    lake: Lake,
    key: SeriesKey,
    definition: SeriesDefinition,
    start: float | None = None,
    end: float | None = None,
    *,
    kalman: bool = True,
) -> Iterator[pl.DataFrame]:
    """Rows with start <= time <= end (Unix seconds; None: all), in pieces, in order of time.

    Columns: `time` (s, the bar's open), `price_a`, `price_b` and the numbers of
    `pair_analytics`; a number without meaning is null, and so is `prices` on raw closes, and
    `kalman_beta` where `kalman` is not asked for, which is half of the work. Raises
    InputError for a symbol without bars and for a timeframe that the stored bars do not divide,
    RemovedError for a time of bars that were removed to make room.
    """
    with closing(open_reader(lake.analytics_db)) as db:
        source = BarSource.of(db, lake, key.timeframe, key.legs)
        refuse_removed_rows(db, lake, BARS, source.stored, start, end)
    reach = bars_needed((key.window,), (key.lookback,), definition.max_stale_bars)
    low, high = _span(source, key.legs, start, end)
    step = max(_PIECE, reach)
    noise = Noise(definition.kalman_delta, definition.kalman_observation_variance)
    wanted = noise if kalman else None
    for at in range(low, high, step):
        yield _piece(lake, source, key, definition, wanted, at, min(at + step, high), reach)


def _piece(
    lake: Lake,
    source: BarSource,
    key: SeriesKey,
    definition: SeriesDefinition,
    noise: Noise | None,
    low: int,
    high: int,
    reach: int,
) -> pl.DataFrame:
    """The rows at the absolute bars [low, high)."""
    with closing(open_reader(lake.analytics_db)) as db:
        closes = source.matrix(db, tuple(key.legs), low - reach, high)
        closes = closes.above_zero() if definition.prices == "log" else closes
        cuts = read_cuts(db, source.length, low - reach, high)
    parts = [
        rows.frame()
        for closes_part, count in closes.stretches(high - low, cuts)
        for rows in pair_rows(
            closes_part,
            [key.legs],
            [key.window],
            [key.lookback],
            definition.max_stale_bars,
            noise,
            count,
            definition.prices,
        )
    ]
    return pl.concat(parts).drop("pair", "symbol_a", "symbol_b")


def _span(source: BarSource, pair: Pair, start: float | None, end: float | None) -> tuple[int, int]:
    """Absolute bars [low, high) that both legs have and whose opens lie in the time asked for."""
    low, high = max(source.first[symbol] for symbol in pair), source.end
    if start is not None:
        low = max(low, -(-int(-(-start // 1)) // source.length))
    if end is not None:
        high = min(high, int(end // source.length) + 1)
    return low, high
