"""What one look at the lake says of a series of pair analytics, and what it is worth now."""

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from spreadlake.lake import Lake
from spreadlake.lake.analytics.breaks import read_breaks, read_stops
from spreadlake.lake.analytics.definition import definition_of
from spreadlake.lake.analytics.events import WatchingRule, watching_rules
from spreadlake.lake.analytics.past import past_version
from spreadlake.lake.analytics.removal import removed_before
from spreadlake.quant.pair_rows import bars_needed
from spreadlake.quant.pair_states import ended_status, series_status
from spreadlake.research.bar_source import BarSource
from spreadlake.series import BARS, PAIR_ANALYTICS, Prices, SeriesKey
from spreadlake.times import iso_utc, timeframe_seconds


class SeriesState(NamedTuple):
    """What a series is worth now, as `pair_status` says it, in a word and in a sentence."""

    state: str
    message: str


class SeriesFacts(NamedTuple):
    """What there is of a series, kept by the lake or not; times are seconds."""

    key: SeriesKey
    source: BarSource
    prices: Prices  # that are asked for
    other: Prices | None  # the same where the lake's own are on others
    max_stale_bars: int
    told: SeriesState | None  # in pair_status, of what the lake keeps
    kept_from: int
    begun: int  # the first bar of both since the last break
    stopped: dict[str, int]  # legs that have no bars any more: since when
    rules: list[WatchingRule]
    past: str

    @classmethod
    def of(
        cls, db: sqlite3.Connection, lake: Lake, key: SeriesKey, asked: Prices | None
    ) -> "SeriesFacts":
        """InputError for a symbol without bars, and a timeframe that the stored do not divide."""
        definition = definition_of(db)
        source = BarSource.of(db, lake, key.timeframe, key.legs)
        # Numbers on the prices that the lake's own are on may be stored, asked for or not.
        prices = asked or definition.prices
        other = None if prices == definition.prices else prices
        told = None if other else _told(db, key)
        if told:
            kept_from = removed_before(db, PAIR_ANALYTICS, key.timeframe)
        else:
            kept_from = removed_before(db, BARS, source.stored)
        broken = max((end for _, end in read_breaks(db)), default=0)
        begun = max(*source.first.values(), -(-broken // source.length))
        first = max(source.first.values()) * source.length
        return cls(
            key,
            source,
            prices,
            other,
            definition.max_stale_bars,
            told,
            kept_from,
            begun,
            {leg: at for leg, at, back in read_stops(db) if leg in key.legs and back is None},
            [] if other else watching_rules(db, key),
            past_version(db, key, first),
        )

    @property
    def first(self) -> int:
        """Of which second on there can be rows."""
        return max(max(self.source.first.values()) * self.source.length, self.kept_from)

    @property
    def newest(self) -> int:
        """The end of the lake's newest bar."""
        return self.source.end * self.source.length

    def read_for(self, bars: int) -> int:
        """How many stored bars of each leg are read for the rows of `bars` bars, at most."""
        if self.told is not None:
            return 0
        key, length = self.key, self.source.length
        reach = bars_needed((key.window,), (key.lookback,), self.max_stale_bars)
        there = self.source.end - max(self.source.first.values())
        return min(bars + reach, there) * (length // timeframe_seconds(self.source.stored))

    def state(self, latest: Mapping[str, object] | None, last: int | None) -> SeriesState:
        """As the job tells it of what it keeps; of others the same words, by their newest row.

        `latest` is the row of the newest bar that was asked for, None where it has none; `last`
        the time of the last row before it, None where there is none either.
        """
        if self.told is not None:
            return self.told
        key, have = self.key, self.source.end - self.begun
        if latest is None and self.stopped:
            status = ended_status(self.stopped, key.window)
        elif have >= key.window and latest is None:
            return SeriesState("none", self._without_row(last))
        else:
            hedge_bars = latest["hedge_bars"] if latest else None
            status = series_status(
                max(0, have),
                hedge_bars if isinstance(hedge_bars, int) else 0,
                key.window,
                key.lookback,
                self.max_stale_bars,
                stale=hedge_bars is None,
                flat=latest is None or latest["zscore"] is None,
            )
        return SeriesState(status.state, status.message)

    def _without_row(self, last: int | None) -> str:
        if last is not None:
            return f"no row of the newest bar: the last is of {iso_utc(last)}"
        return f"no row in that time: {self.what_there_is()}"

    def without_rows(self) -> SeriesState:
        """Of a time of which there is no row, whatever the series is worth now."""
        return SeriesState("none", self._without_row(None))

    def what_there_is(self) -> str:
        """From when to when the lake has bars of both legs, and how many a row needs."""
        first, newest, length = self.first, self.newest, self.source.length
        if newest <= first:
            return f"the lake has no finished {self.key.timeframe} bar of both yet"
        return (
            f"the lake has {(newest - first) // length:,} bars of both, from {iso_utc(first)} to "
            f"{iso_utc(newest - length)}, and a row needs {self.key.window} of them"
        )


def _told(db: sqlite3.Connection, key: SeriesKey) -> SeriesState | None:
    query = f"SELECT state, message FROM pair_status WHERE {PAIR_ANALYTICS.is_series}"
    row = db.execute(query, key).fetchone()
    return None if row is None else SeriesState(*row)
