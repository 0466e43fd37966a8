"""Keeps `alert_events`: runs the alert state machine over new rows, and again over changed ones."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from analytics_job.alerts.events import INTO_EVENTS, event_row
from analytics_job.alerts.rows import AlertRows, RowReader, rows_of
from analytics_job.alerts.rules import WatchedSeries
from spreadlake.lake import Lake
from spreadlake.quant.alerts import AlertEvent, AlertState, scan
from spreadlake.quant.pair_rows import PairRows
from spreadlake.series import PAIR_ANALYTICS, SeriesKey, StationarityKey
from spreadlake.times import timeframe_seconds

_IS_SERIES = PAIR_ANALYTICS.is_series
# A rule of the same name may have been on the live screen, and its events are not found again.
_IS_EVENT = f"{_IS_SERIES} AND id NOT IN (SELECT event_id FROM screen_alerts)"


class AlertStore:
    """Events of all rules; runs inside the caller's transaction."""

    def __init__(
        self, db: sqlite3.Connection, lake: Lake, watched: Sequence[WatchedSeries]
    ) -> None:
        self._db = db
        self._rows = RowReader(db, lake)
        self._by_key: dict[SeriesKey, list[WatchedSeries]] = {}
        self._gated: dict[StationarityKey, set[SeriesKey]] = {}
        for series in watched:
            self._by_key.setdefault(series.key, []).append(series)
            if series.gates.max_adf_pvalue is not None:
                self._gated.setdefault(series.key.stationarity, set()).add(series.key)
        self._states: dict[WatchedSeries, AlertState] = {}

    @property
    def gating(self) -> Collection[StationarityKey]:
        """(pair, timeframe, lookback) of the ADF tests that decide whether an event opens."""
        return self._gated.keys()

    def append(self, timeframe: str, results: Iterable[PairRows]) -> None:
        """Takes in rows that follow those seen so far."""
        for result in results:
            kept = result.have >= result.window
            times = (result.start + np.arange(result.have.shape[1])) * result.length
            for index, pair in enumerate(result.pairs):
                watched = self._by_key.get(
                    SeriesKey(pair.name, timeframe, result.window, result.lookback)
                )
                if watched and kept[index].any():
                    rows = rows_of(result, index, times, kept[index])
                    for series in watched:
                        self._append_rows(series, rows)

    def repair(self, key: SeriesKey, low: int, high: int) -> None:
        """Runs again over the rows of a series from time `low`, rows in [low, high) being new."""
        for series in self._by_key.get(key, ()):
            self._states.pop(series, None)
            self._rerun(series, low, high)

    def evaluate_all(self, series: WatchedSeries) -> None:
        """Runs a new or edited rule over the whole stored history of a series."""
        self._states.pop(series, None)
        self._rerun(series, 0, 2**62)

    def test_changed(self, key: StationarityKey, time: int) -> None:
        """Runs again over the rows from `time` on whose latest ADF p-value is another now."""
        gated = self._gated.get(key)
        if gated:
            end = self._rows.next_test(key, time)
            for series in gated:
                self.repair(series, time, 2**62 if end is None else end)

    def _append_rows(self, series: WatchedSeries, rows: AlertRows) -> None:
        known = self._states.get(series)
        state = known or self._state_before(series, int(rows.times[0]))
        allowed = self._allowed(series, rows)
        after, events = scan(state, rows.times, rows.zscores, allowed, series.levels)
        self._states[series] = after
        written = known.event if known else None
        self._write(series, [event for event in events if event != written])

    def _rerun(self, series: WatchedSeries, low: int, high: int) -> None:
        """From `low` on, to where the machine is idle again as it was before the change."""
        state, at = self._state_before(series, low), low
        start = state.event.opened_at if state.event else low
        known = self._opened_between(series, start, 2**62)
        # An event that is open stays, also where no row follows, as after a break.
        kept = {state.event.opened_at: state.event} if state.event else {}
        end = 2**62
        while True:
            rows = self._rows.first_piece(series.key, at)
            if len(rows) == 0:
                break
            allowed = self._allowed(series, rows)
            state, events = scan(state, rows.times, rows.zscores, allowed, series.levels)
            kept.update((event.opened_at, event) for event in events)
            at = int(rows.times[-1]) + 1
            if at > high and state == AlertState() and not self._open_at(series, at - 1):
                end = at
                break
        self._replace(series, start, end, known, kept)

    def _replace(
        self,
        series: WatchedSeries,
        start: int,
        end: int,
        known: set[int],
        events: dict[int, AlertEvent],
    ) -> None:
        self._db.execute(
            f"DELETE FROM alert_events WHERE rule = ? AND {_IS_EVENT} "
            "AND opened_at >= ? AND opened_at < ?",
            (series.rule, *series.key, start, end),
        )
        self._write(series, list(events.values()), known)

    def _state_before(self, series: WatchedSeries, time: int) -> AlertState:
        """The machine's state before the row at `time`.

        An event that is open then is run again from its opening, to find its peak.
        """
        row = self._db.execute(
            f"SELECT opened_at, opened_zscore FROM alert_events WHERE rule = ? AND {_IS_EVENT} "
            "AND opened_at < ? AND (closed_at IS NULL OR closed_at >= ?) "
            "ORDER BY opened_at DESC LIMIT 1",
            (series.rule, *series.key, time, time),
        ).fetchone()
        if row is None:
            return AlertState(self._streak_before(series, time))
        event = AlertEvent(row[0], row[1], row[1])
        rows = self._rows.first_piece(series.key, row[0] + 1, time)
        while len(rows):
            nothing = np.zeros(len(rows), dtype=np.bool_)
            state, _ = scan(AlertState(0, event), rows.times, rows.zscores, nothing, series.levels)
            if state.event is None:
                break
            event = state.event
            rows = self._rows.first_piece(series.key, int(rows.times[-1]) + 1, time)
        return AlertState(0, event)

    def _streak_before(self, series: WatchedSeries, time: int) -> int:
        """Rows one after another before `time` that count; as many as matter.

        Looks back as far as it takes: rows need not follow one another without a break.
        """
        wanted = series.levels.min_bars - 1
        begin = self._rows.begin(series.key)
        streak, high, span = 0, time, wanted * timeframe_seconds(series.key.timeframe)
        while streak < wanted and high > begin:
            low = max(begin, high - span)
            found, unbroken = self._streak_in(series, low, high)
            streak += found
            if not unbroken:
                break
            high, span = low, 2 * span
        return min(streak, wanted)

    def _streak_in(self, series: WatchedSeries, low: int, high: int) -> tuple[int, bool]:
        """Rows that count at the end of [low, high), and whether all in it do."""
        streak, unbroken = 0, True
        while len(rows := self._rows.first_piece(series.key, low, high)):
            counts = (np.abs(rows.zscores) > series.levels.threshold) & self._allowed(series, rows)
            misses = np.flatnonzero(~counts)
            if len(misses):
                streak, unbroken = len(counts) - 1 - int(misses[-1]), False
            else:
                streak += len(counts)
            low = int(rows.times[-1]) + 1
        return streak, unbroken

    def _allowed(self, series: WatchedSeries, rows: AlertRows) -> NDArray[np.bool_]:
        gates = series.gates
        allowed = np.ones(len(rows), dtype=np.bool_)
        with np.errstate(invalid="ignore"):
            if gates.min_hedge_bars:
                allowed &= rows.hedge_bars >= gates.min_hedge_bars
            if gates.min_correlation is not None:
                allowed &= rows.correlations >= gates.min_correlation
            if gates.min_volume is not None:
                allowed &= rows.volumes >= gates.min_volume
        if gates.max_adf_pvalue is not None:
            allowed &= self._rows.adf_pvalues(series.key, rows.times) <= gates.max_adf_pvalue
        return allowed

    def _open_at(self, series: WatchedSeries, time: int) -> bool:
        """Whether a stored event is open after the row at `time`."""
        row = self._db.execute(
            f"SELECT 1 FROM alert_events WHERE rule = ? AND {_IS_EVENT} AND opened_at <= ? "
            "AND (closed_at IS NULL OR closed_at > ?) LIMIT 1",
            (series.rule, *series.key, time, time),
        ).fetchone()
        return row is not None

    def _opened_between(self, series: WatchedSeries, start: int, end: int) -> set[int]:
        rows = self._db.execute(
            f"SELECT opened_at FROM alert_events WHERE rule = ? AND {_IS_EVENT} "
            "AND opened_at >= ? AND opened_at < ?",
            (series.rule, *series.key, start, end),
        )
        return {row[0] for row in rows}

    def _write(
        self, series: WatchedSeries, events: list[AlertEvent], known: set[int] | None = None
    ) -> None:
        if not events:
            return
        if known is None:
            known = self._opened_between(series, events[0].opened_at, events[-1].opened_at + 1)
        self._db.executemany(
            f"INSERT OR REPLACE {INTO_EVENTS}",
            [event_row(series.rule, series.key, series.levels.threshold, one) for one in events],
        )
        # Only ever added to: an event that a late trade took away was still raised once.
        self._db.execute(
            f"UPDATE alert_counts SET opened = opened + ? WHERE rule = ? AND {_IS_SERIES}",
            (sum(e.opened_at not in known for e in events), series.rule, *series.key),
        )
