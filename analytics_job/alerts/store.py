"""Keeps `alert_events`: runs the alert state machine over new rows, and again over changed ones."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from analytics_job.alerts.events import INTO_EVENTS, event_row
from analytics_job.alerts.evidence import EvidenceReader
from analytics_job.alerts.rows import AlertRows, rows_of
from analytics_job.alerts.rules import WatchedPair
from spreadlake.lake import Lake
from spreadlake.quant.alerts import AlertEvent, AlertState, scan
from spreadlake.quant.pair_rows import PairRows
from spreadlake.series import PAIR_ANALYTICS, SeriesKey, StationarityKey

_IS_SERIES = PAIR_ANALYTICS.is_series
# A rule of the same name may have been on the live screen, and its events are not found again.
_IS_EVENT = f"{_IS_SERIES} AND id NOT IN (SELECT event_id FROM screen_alerts)"

Opening = tuple[int, int]
"""What names an event among those of a rule and a pair: its bar, and which series it is of."""


class AlertStore:
    """Events of all rules; runs inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, lake: Lake, watched: Sequence[WatchedPair]) -> None:
        self._db = db
        self._evidence = EvidenceReader(db, lake)
        self._by_key: dict[SeriesKey, list[WatchedPair]] = {}
        self._gated: dict[StationarityKey, set[SeriesKey]] = {}
        for one in watched:
            for key in one.keys:
                self._by_key.setdefault(key, []).append(one)
                if one.gates.max_adf_pvalue is not None:
                    self._gated.setdefault(key.stationarity, set()).add(key)
        self.watched = watched
        self._states: dict[WatchedPair, AlertState] = {}
        self._parts: dict[WatchedPair, dict[int, AlertRows]] = {}

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
                    for one in watched:
                        self._append_part(one, result.lookback, rows)

    def repair(self, key: SeriesKey, low: int, high: int) -> None:
        """Runs again over the rows of a series from time `low`, rows in [low, high) being new."""
        for watched in self._by_key.get(key, ()):
            self.evaluate(watched, low, high)

    def begin(self, watched: WatchedPair, start: int) -> int | None:
        """Time of the first row of a pair that is stored from a time on.

        Events of before the first one of all stay: nothing could find them again.
        """
        return self._evidence.begin(watched, start)

    def evaluate(self, watched: WatchedPair, low: int, high: int) -> None:
        """Runs a new or edited rule over the rows of a pair in [low, high), and on from there."""
        self._states.pop(watched, None)
        self._rerun(watched, low, high)

    def test_changed(self, key: StationarityKey, time: int) -> None:
        """Runs again over the rows from `time` on whose latest ADF p-value is another now."""
        for series in self._gated.get(key, ()):
            end = self._evidence.next_test(series, time)
            self.repair(series, time, 2**62 if end is None else end)

    def _append_part(self, watched: WatchedPair, lookback: int, rows: AlertRows) -> None:
        """Waits for the rows of all series: they have them at the same bars, one after another."""
        parts = self._parts.setdefault(watched, {})
        parts[lookback] = rows
        if len(parts) < len(watched.lookbacks):
            return
        del self._parts[watched]
        new = self._evidence.of(watched, parts)
        known = self._states.get(watched)
        state = known or self._state_before(watched, int(new.times[0]))
        after, events = scan(state, new.times, new.zscores, new.allowed, watched.levels)
        self._states[watched] = after
        written = known.event if known else None
        self._write(watched, [event for event in events if event != written])

    def _rerun(self, watched: WatchedPair, low: int, high: int) -> None:
        """From `low` on, to where the machine stands as it did before the change."""
        state, at = self._state_before(watched, low), low
        start = state.event.opened_at if state.event else low
        # An event that is open stays, also where no row follows, as after a break.
        kept = {_opening(state.event): state.event} if state.event else {}
        end = 2**62
        while True:
            rows = self._evidence.first_piece(watched, at)
            if len(rows) == 0:
                break
            state, events = scan(state, rows.times, rows.zscores, rows.allowed, watched.levels)
            kept.update((_opening(event), event) for event in events)
            at = int(rows.times[-1]) + 1
            if at > high and self._as_before(watched, state, at):
                end = at
                break
        self._replace(watched, start, end, kept)

    def _as_before(self, watched: WatchedPair, state: AlertState, time: int) -> bool:
        """Whether nothing is open, counted or quiet at `time`, now and as it is stored.

        Of rows that did not change counts are as they were.
        """
        if state.event or state.counts or state.quiet_until > time:
            return False
        stored = self._last_before(watched, time)
        return stored is None or (
            stored.closed_at is not None
            and stored.closed_at < time
            and stored.closed_at + watched.levels.quiet_seconds <= time
        )

    def _replace(
        self,
        watched: WatchedPair,
        start: int,
        end: int,
        events: dict[Opening, AlertEvent],
    ) -> None:
        known = self._opened_between(watched, start, end)
        self._db.executemany(
            f"DELETE FROM alert_events WHERE rule = ? AND {_IS_EVENT} "
            "AND opened_at >= ? AND opened_at < ?",
            [(watched.rule, *key, start, end) for key in watched.keys],
        )
        self._write(watched, list(events.values()), known)

    def _state_before(self, watched: WatchedPair, time: int) -> AlertState:
        """The machine's state before the row at `time`."""
        streaks = self._evidence.streaks_before(watched, time)
        event = self._last_before(watched, time)
        if event is None:
            return AlertState(streaks)
        if event.closed_at is not None and event.closed_at < time:
            return AlertState(streaks, None, event.closed_at + watched.levels.quiet_seconds)
        return AlertState(streaks, self._with_peak(watched, event, time))

    def _with_peak(self, watched: WatchedPair, event: AlertEvent, time: int) -> AlertEvent:
        """An event that is open before `time`, run again from its opening to find its peak."""
        peak = event.opened_zscore
        rows = self._evidence.first_piece(watched, event.opened_at + 1, time)
        while len(rows):
            own = rows.zscores[event.series]
            farthest = own[np.nanargmax(np.abs(own))] if not np.isnan(own).all() else peak
            peak = float(farthest) if abs(farthest) > abs(peak) else peak
            rows = self._evidence.first_piece(watched, int(rows.times[-1]) + 1, time)
        return AlertEvent(event.opened_at, event.opened_zscore, peak, series=event.series)

    def _last_before(self, watched: WatchedPair, time: int) -> AlertEvent | None:
        """The last stored event that opened before `time`; its peak is not looked at."""
        found = []
        for series, key in enumerate(watched.keys):
            row = self._db.execute(
                "SELECT opened_at, opened_zscore, closed_at, closed_zscore "
                f"FROM alert_events WHERE rule = ? AND {_IS_EVENT} AND opened_at < ? "
                "ORDER BY opened_at DESC LIMIT 1",
                (watched.rule, *key, time),
            ).fetchone()
            if row is not None:
                at, zscore, *end = row
                found.append(AlertEvent(at, zscore, zscore, end[0], end[1], series))
        return max(found, key=lambda event: event.opened_at, default=None)

    def _opened_between(self, watched: WatchedPair, start: int, end: int) -> set[Opening]:
        return {
            (row[0], series)
            for series, key in enumerate(watched.keys)
            for row in self._db.execute(
                f"SELECT opened_at FROM alert_events WHERE rule = ? AND {_IS_EVENT} "
                "AND opened_at >= ? AND opened_at < ?",
                (watched.rule, *key, start, end),
            )
        }

    def _write(
        self, watched: WatchedPair, events: list[AlertEvent], known: set[Opening] | None = None
    ) -> None:
        if not events:
            return
        if known is None:
            known = self._opened_between(watched, events[0].opened_at, events[-1].opened_at + 1)
        for series, key in enumerate(watched.keys):
            own = [event for event in events if event.series == series]
            self._db.executemany(
                f"INSERT OR REPLACE {INTO_EVENTS}",
                [event_row(watched.rule, key, watched.levels.threshold, event) for event in own],
            )
            # Only ever added to: an event that a late trade took away was still raised once.
            self._db.execute(
                f"UPDATE alert_counts SET opened = opened + ? WHERE rule = ? AND {_IS_SERIES}",
                (sum(_opening(event) not in known for event in own), watched.rule, *key),
            )


def _opening(event: AlertEvent) -> Opening:
    return event.opened_at, event.series
