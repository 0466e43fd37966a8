"""Brings stored history in line with the configuration: new pairs, windows and rules.

What the configuration asks for is compared with what `series` and `alert_rules` say was computed;
only what is new or defined otherwise is computed, from the stored bars and rows; bars and rows by
`analytics_job.history.backfill`, a hop at a time.
"""

import json
import logging
import sqlite3
from collections.abc import Collection, Sequence

from analytics_job.alerts.rules import rule_definition, watched_pairs
from analytics_job.alerts.screened import sync_screen_rules
from analytics_job.history.rules import RulesDue
from analytics_job.pairs.backlog import DueRows
from analytics_job.pairs.plan import series_definition
from analytics_job.pipeline import Pipeline
from spreadlake.config import Settings
from spreadlake.config.sections import ExporterSettings
from spreadlake.lake import atomic
from spreadlake.lake.analytics.definition import lake_prices, save_prices
from spreadlake.lake.analytics.followed import save_followed
from spreadlake.lake.databases.meta import write_meta
from spreadlake.pairs import parse_pair
from spreadlake.series import PAIR_ANALYTICS, SeriesKey

log = logging.getLogger(__name__)

_IS_SERIES = PAIR_ANALYTICS.is_series
RuleKey = tuple[str, str, str, int, int]  # a rule on a series


def sync_timeframes(db: sqlite3.Connection, pipeline: Pipeline) -> None:
    """Marks the bars of timeframes that were not kept up to now as due, and makes the newest."""
    row = db.execute("SELECT value FROM meta WHERE key = 'timeframes'").fetchone()
    kept, wanted = json.loads(row[0]) if row else [], sorted(pipeline.bars.lengths)
    if kept == wanted:
        return
    with atomic(db):
        # Longer bars of klines are made again.
        db.execute("DELETE FROM progress WHERE key IN ('klines_seq', 'klines_at')")
        for timeframe in set(kept) - set(wanted):
            pipeline.bars_due.forget(timeframe)
        for timeframe in set(wanted) - set(kept):
            pipeline.bars_due.add(timeframe, pipeline.position.final_or_start)
        db.execute("INSERT OR REPLACE INTO meta VALUES ('timeframes', ?)", (json.dumps(wanted),))
    for timeframe in sorted(set(wanted) - set(kept)):
        pipeline.build(timeframe)


def sync_page(db: sqlite3.Connection, exporter: ExporterSettings) -> None:
    """Where a browser finds the exporter's page, for the links of dashboards."""
    if (url := exporter.browser_url) is None:
        return  # whichever port is free: nobody knows yet
    with atomic(db):
        write_meta(db, "page_url", url)


def sync_breaks(db: sqlite3.Connection, pipeline: Pipeline) -> None:
    """Tells where what is stored was made with another `job.break_minutes`."""
    row = db.execute("SELECT value FROM meta WHERE key = 'break_seconds'").fetchone()
    limit = pipeline.spans.spans.limit
    if row is not None and int(row[0]) == limit:
        return
    with atomic(db):
        db.execute("INSERT OR REPLACE INTO meta VALUES ('break_seconds', ?)", (str(limit),))
    if row is not None and pipeline.position.final is not None:
        log.warning(
            "job.break_minutes is %g now, and was %g: this holds for what comes from now on; "
            "for history too after spreadlake analyse --rebuild",
            limit / 60,
            int(row[0]) / 60,
        )


def sync_series(
    db: sqlite3.Connection, pipeline: Pipeline, settings: Settings
) -> tuple[bool, frozenset[SeriesKey]]:
    """Marks the history of series that are new or defined otherwise as due.

    Whether there are any, and which are new, or followed again.
    """
    definition, before = series_definition(settings), lake_prices(db)
    if before not in (None, settings.prices):
        log.warning(
            "pair analytics are computed on %s closes now, and were on %s ones: their history is "
            "computed again; a row on others, as where its bars are gone, says so (column prices)",
            settings.prices,
            before,
        )
    stored = {row[:4]: row[4] for row in db.execute("SELECT * FROM series").fetchall()}
    wanted = dict.fromkeys(settings.series)
    gone = [SeriesKey(*key) for key in stored if key not in wanted]
    with atomic(db):
        save_followed(db, settings.followed, pipeline.position.final)
        db.executemany(f"DELETE FROM series WHERE {_IS_SERIES}", gone)
        _give_up(pipeline, gone, wanted)
    missing = [key for key in wanted if stored.get(key) != definition]
    with atomic(db):
        save_prices(db, settings.prices)
        for due in _due(missing, settings):
            for start, end in _history_of(pipeline, due):
                pipeline.rows_due.add(due, start, end)
        db.executemany(
            "INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?, ?)",
            [(*key, definition) for key in missing],
        )
    return bool(missing), frozenset(key for key in missing if key not in stored)


def _give_up(pipeline: Pipeline, gone: Sequence[SeriesKey], wanted: Collection[SeriesKey]) -> None:
    """What was still to be computed of series that are gone is not any more."""
    if gone:
        pipeline.stationarity.give_up(
            {k.stationarity for k in gone} - {k.stationarity for k in wanted}
        )
        pipeline.rows_due.give_up({key.pair for key in gone} - {key.pair for key in wanted})


def _due(missing: Sequence[SeriesKey], settings: Settings) -> set[DueRows]:
    """Whose history is missing, in as few words as possible."""
    whole = len(settings.windows) * len(settings.lookbacks)
    pairs: dict[tuple[str, str], list[SeriesKey]] = {}
    for key in missing:
        pairs.setdefault((key.timeframe, key.pair), []).append(key)
    due: set[DueRows] = set()
    for (timeframe, name), series in pairs.items():
        parts = {(0, 0)} if len(series) == whole else {(s.window, s.lookback) for s in series}
        due |= {DueRows(timeframe, name, *part) for part in parts}
    of_all: dict[DueRows, int] = {}
    for found in due:
        named = found._replace(name="")
        of_all[named] = of_all.get(named, 0) + 1
    every = {found for found, count in of_all.items() if count == len(settings.pair_list) > 1}
    return every | {found for found in due if found._replace(name="") not in every}


def _history_of(pipeline: Pipeline, due: DueRows) -> list[tuple[int, int]]:
    """Times [start, end) of the bars from which a series has rows."""
    length, final = pipeline.bars.lengths[due.timeframe], pipeline.position.final_or_start
    firsts = pipeline.bars.first_bars(due.timeframe)
    legs = parse_pair(due.name) if due.name else ()
    if not firsts or any(leg not in firsts for leg in legs):
        return []
    first = max((firsts[leg] for leg in legs), default=min(firsts.values()))
    end = (pipeline.bars.last_bar(length, final) + 1) * length
    if length % 60 == 0:  # klines may fill breaks
        return [(first, end)]
    ranges = pipeline.bars.bar_ranges(length, first, final)
    return [(low * length, min(high * length, end)) for low, high in ranges]


def sync_rules(
    db: sqlite3.Connection, pipeline: Pipeline, settings: Settings, new: frozenset[SeriesKey]
) -> None:
    """Runs rules that are new or edited over the newest rows; drops what is no longer watched.

    Older rows are due (`RulesDue`): there may be months of them. Not those of `new` series: all of
    these are due themselves, and run over as they are computed. Rules on the live screen begin
    with the next one.
    """
    rules_due = RulesDue(db, pipeline.alerts, settings.storage.alert_days)
    stored = {row[:5]: row[6] for row in db.execute("SELECT * FROM alert_rules").fetchall()}
    every = watched_pairs(settings)
    with atomic(db):
        sync_screen_rules(db, settings)
        for gone in stored.keys() - {(one.rule, *key) for one in every for key in one.keys}:
            _drop_rule(db, gone)
        for watched in every:
            wanted = {
                (watched.rule, *key): rule_definition(watched, key.lookback, settings)
                for key in watched.keys
            }
            edited = {key: text for key, text in wanted.items() if stored.get(key) != text}
            for key, text in edited.items():
                _add_rule(db, key, watched.levels.threshold, text)
            # Before the first bar there is no row of any.
            has_rows = pipeline.position.final is not None and not new.issuperset(watched.keys)
            if edited and has_rows:
                rules_due.add(watched)


def _add_rule(db: sqlite3.Connection, key: RuleKey, threshold: float, definition: str) -> None:
    db.execute("INSERT OR IGNORE INTO alert_counts VALUES (?, ?, ?, ?, ?, 0)", key)
    db.execute(
        "INSERT OR REPLACE INTO alert_rules VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*key, threshold, definition),
    )


def _drop_rule(db: sqlite3.Connection, key: RuleKey) -> None:
    """A rule that watches no longer leaves its past events, but none that would never close."""
    for table in ("alert_rules", "alert_events"):
        still_open = " AND closed_at IS NULL" if table == "alert_events" else ""
        db.execute(f"DELETE FROM {table} WHERE rule = ? AND {_IS_SERIES}{still_open}", key)
