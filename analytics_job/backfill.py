"""Brings stored history in line with the configuration: new pairs, windows and rules.

What the configuration asks for is compared with what `series` and `alert_rules` say was computed;
only what is new or defined otherwise is computed, from the stored bars and rows.
"""

import json
import logging
import sqlite3
from collections.abc import Sequence

from analytics_job.alert_store import WatchedSeries
from analytics_job.pipeline import Pipeline
from analytics_job.plan import pair_plan, rule_definition, series_definition, watched_series
from spreadlake.config import Series, Settings
from spreadlake.lake import atomic

__all__ = ["sync_rules", "sync_series", "sync_timeframes"]

log = logging.getLogger(__name__)

_KEY = "pair = ? AND timeframe = ? AND window_bars = ? AND lookback_bars = ?"
Key = tuple[str, str, int, int]


def sync_timeframes(db: sqlite3.Connection, pipeline: Pipeline) -> None:
    """Builds the bars of timeframes that were not kept up to now from the stored 1s bars."""
    row = db.execute("SELECT value FROM meta WHERE key = 'timeframes'").fetchone()
    kept, wanted = json.loads(row[0]) if row else [], sorted(pipeline.bars.lengths)
    if kept == wanted:
        return
    with atomic(db):
        for timeframe in wanted:
            if timeframe not in kept:
                pipeline.bars.build(timeframe, pipeline.progress.final_or_start)
        db.execute("INSERT OR REPLACE INTO meta VALUES ('timeframes', ?)", (json.dumps(wanted),))


def sync_series(db: sqlite3.Connection, pipeline: Pipeline, settings: Settings) -> None:
    """Computes the history of series that are new or defined otherwise, pair by pair."""
    definition = series_definition(settings)
    stored = {row[:4]: row[4] for row in db.execute("SELECT * FROM series").fetchall()}
    wanted = {_key(series): series for series in settings.series}
    with atomic(db):
        db.executemany(
            f"DELETE FROM series WHERE {_KEY}", [key for key in stored if key not in wanted]
        )
    missing = [series for key, series in wanted.items() if stored.get(key) != definition]
    have_bars, rest = _by_history(pipeline, missing)
    with atomic(db):  # many, where all pairs of many symbols are new
        _write_down(db, rest, definition)
    for (pair, timeframe), group in _grouped(have_bars).items():
        with atomic(db):
            rows = _compute(pipeline, settings, group)
            _write_down(db, group, definition)
        if rows:
            log.info("computed %d rows of %s %s from the stored bars", rows, pair, timeframe)


def _by_history(pipeline: Pipeline, series: Sequence[Series]) -> tuple[list[Series], list[Series]]:
    """Series whose legs both have bars, and the others: of these there is nothing to compute."""
    firsts = {name: pipeline.bars.first_bars(name) for name in pipeline.bars.lengths}
    split: tuple[list[Series], list[Series]] = [], []
    for one in series:
        known = firsts[one.timeframe] if pipeline.progress.final is not None else {}
        split[not (one.pair.a in known and one.pair.b in known)].append(one)
    return split


def _write_down(db: sqlite3.Connection, group: Sequence[Series], definition: str) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?, ?)",
        [(*_key(series), definition) for series in group],
    )


def sync_rules(db: sqlite3.Connection, pipeline: Pipeline, settings: Settings) -> None:
    """Runs rules that are new or edited over the stored rows; drops what is no longer watched."""
    stored = {row[:5]: row[6] for row in db.execute("SELECT * FROM alert_rules").fetchall()}
    watched = {(series.rule, *series.key): series for series in watched_series(settings)}
    with atomic(db):
        for key in stored.keys() - watched.keys():
            _drop_rule(db, key)
        for key, series in watched.items():
            definition = rule_definition(series, settings)
            if stored.get(key) != definition:
                _add_rule(db, pipeline, series, definition)


def _compute(pipeline: Pipeline, settings: Settings, group: Sequence[Series]) -> int:
    """Rows of one pair and timeframe, both legs of which have bars, over all of them."""
    pair, timeframe = group[0].pair, group[0].timeframe
    firsts = pipeline.bars.first_bars(timeframe)
    final = pipeline.progress.final_or_start
    analyser = next(a for a in pipeline.analysers if a.timeframe == timeframe)
    low, end = (analyser.bar_number(t) for t in (max(firsts[pair.a], firsts[pair.b]), final))
    rows = 0
    for result in analyser.compute((pair,), low, end, pair_plan(settings)):
        rows += result.have.size
        if result.start + result.have.shape[1] == end:
            pipeline.status.update(timeframe, [result])
    pipeline.tests.fall_due_for(pair, timeframe, max(firsts[pair.a], firsts[pair.b]), final)
    return rows


def _add_rule(
    db: sqlite3.Connection, pipeline: Pipeline, series: WatchedSeries, definition: str
) -> None:
    key = (series.rule, *series.key)
    db.execute("INSERT OR IGNORE INTO alert_counts VALUES (?, ?, ?, ?, ?, 0)", key)
    db.execute(
        "INSERT OR REPLACE INTO alert_rules VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*key, series.levels.threshold, definition),
    )
    if pipeline.progress.final is not None:  # else there is no row of any series yet
        pipeline.alerts.evaluate_all(series)


def _drop_rule(db: sqlite3.Connection, key: tuple[str, str, str, int, int]) -> None:
    """A rule that watches no longer leaves its past events, but none that would never close."""
    for table in ("alert_rules", "alert_events"):
        still_open = " AND closed_at IS NULL" if table == "alert_events" else ""
        db.execute(f"DELETE FROM {table} WHERE rule = ? AND {_KEY}{still_open}", key)


def _grouped(series: list[Series]) -> dict[tuple[str, str], list[Series]]:
    groups: dict[tuple[str, str], list[Series]] = {}
    for one in series:
        groups.setdefault((one.pair.name, one.timeframe), []).append(one)
    return groups


def _key(series: Series) -> Key:
    return (series.pair.name, series.timeframe, series.window, series.lookback)
