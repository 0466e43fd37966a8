"""A rule that is run again over changed rows finds what one run over all rows finds."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from analytics_job.alerts import rows
from analytics_job.alerts.rules import Gates, WatchedPair, rule_definition, watched_pairs
from analytics_job.alerts.store import AlertStore
from analytics_job.archive.retention import Retention
from analytics_job.pairs.plan import series_definition
from spreadlake.config import load_settings
from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.quant.alerts import AlertLevels
from spreadlake.quant.arrays import Floats
from spreadlake.series import SeriesKey

PAIR = "AUSDT/BUSDT"
LOOKBACKS = (50, 80)
KEYS = [SeriesKey(PAIR, "1s", 20, lookback) for lookback in LOOKBACKS]
ROWS = 60
START = 1_700_000_000


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def db(lake: Lake) -> Iterator[sqlite3.Connection]:
    with closing(open_analytics_writer(lake)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        yield connection


def put_rows(db: sqlite3.Connection, key: SeriesKey, zscores: Floats, first: int = 0) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO pair_analytics(pair, timeframe, window_bars, lookback_bars, time, "
        "symbol_a, symbol_b, price_a, price_b, zscore) "
        "VALUES (?, ?, ?, ?, ?, 'AUSDT', 'BUSDT', 1, 1, ?)",
        [(*key, START + n, float(z)) for n, z in enumerate(zscores) if n >= first],
    )


def stored(db: sqlite3.Connection, rule: str) -> list[tuple[object, ...]]:
    return db.execute(
        "SELECT opened_at, lookback_bars, opened_zscore, peak_zscore, closed_at, closed_zscore "
        "FROM alert_events WHERE rule = ? ORDER BY opened_at",
        (rule,),
    ).fetchall()


def openings(db: sqlite3.Connection, rule: str) -> set[tuple[object, ...]]:
    return {event[:2] for event in stored(db, rule)}


@pytest.mark.parametrize("quiet", [0, 9])
@pytest.mark.parametrize("min_bars", [1, 3])
@pytest.mark.parametrize("lookbacks", [LOOKBACKS[:1], LOOKBACKS])
def test_it_goes_on_to_where_both_are_idle(
    lake: Lake,
    db: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
    min_bars: int,
    quiet: int,
    lookbacks: tuple[int, ...],
) -> None:
    """Whatever was open or quiet before the change, in it, or after it."""
    monkeypatch.setattr(rows, "_PIECE", 4)
    levels = AlertLevels(2.0, 0.7, min_bars, quiet)
    changed, whole = (
        WatchedPair(name, PAIR, "1s", 20, lookbacks, levels, Gates())
        for name in ("changed", "whole")
    )
    found = 0
    for seed in range(60):
        chance = np.random.default_rng(seed)
        zscores = {key: np.cumsum(chance.normal(0, 0.8, ROWS)) for key in changed.keys}
        # The longest lookback may be computed later than the others.
        first = dict(zip(changed.keys, (0, int(chance.integers(0, 30))), strict=False))
        low, size = int(chance.integers(0, ROWS - 8)), int(chance.integers(1, 8))
        with atomic(db):
            db.execute("DELETE FROM alert_events")
            for key in changed.keys:
                put_rows(db, key, zscores[key], first[key])
                db.execute(
                    "INSERT OR REPLACE INTO alert_counts VALUES ('changed', ?, ?, ?, ?, 0)", key
                )
            store = AlertStore(db, lake, [changed, whole])
            store.evaluate(changed, START, 2**62)
            there = openings(db, "changed")
            opened = len(there)
            for key in changed.keys:
                zscores[key][low : low + size] = chance.normal(0, 3, size)
                put_rows(db, key, zscores[key], first[key])
                store.repair(key, START + low, START + low + size)
                before, there = there, openings(db, "changed")
                opened += len(there - before)
            store.evaluate(whole, START, 2**62)
        assert stored(db, "changed") == stored(db, "whole"), seed
        # Each was opened once whenever it came, also one that is there no more.
        assert db.execute("SELECT sum(opened) FROM alert_counts").fetchone() == (opened,), seed
        found += len(stored(db, "whole"))
    assert found > 50


def test_events_of_before_the_first_row_stay_when_a_rule_is_edited(
    lake: Lake, db: sqlite3.Connection
) -> None:
    """Their rows were removed to make room: nothing could find them again; an open one ends."""
    watched = WatchedPair("z", PAIR, "1s", 20, (50,), AlertLevels(2.0, 1.0), Gates())
    old = (START - 900, START - 800, 0.5), (START - 9, None, None)
    with atomic(db):
        db.executemany(
            "INSERT INTO alert_events VALUES (?, 'z', ?, '1s', 20, 50, 2, ?, 3, 3, ?, ?)",
            [(number, PAIR, *event) for number, event in enumerate(old)],
        )
        put_rows(db, KEYS[0], np.array([2.5, 3.5, 0.5, 2.5]))
        store = AlertStore(db, lake, [watched])
        assert store.begin(watched, 0) == START
        store.evaluate(watched, START, 2**62)
    assert [event[0] for event in stored(db, "z")] == [START - 900, START - 9, START + 3]
    assert stored(db, "z")[1] == (START - 9, 50, 3, 3.5, START + 2, 0.5)


def test_a_rule_that_asks_no_more_is_the_one_that_it_was() -> None:
    """Word for word: it is not run over history again, and events that are open go on."""
    rule = {"name": "z", "min_bars": 2, "close_below": 1.5, "quiet_seconds": 0}
    settings = load_settings(None, symbols=["A", "B"], alerts=[rule])
    (watched,) = watched_pairs(settings)
    told = json.loads(rule_definition(watched, 300, settings))
    series = told.pop("series")
    assert series == series_definition(settings)
    assert list(told.items()) == [
        ("threshold", 2.0),
        ("close_below", 1.5),
        ("min_bars", 2),
        ("gates", [None, None, None]),
        ("hedge_bars", 300.0),
    ]
    more = load_settings(None, symbols=["A", "B"], lookbacks=[60, 300], alerts=[{"name": "z"}])
    (watched,) = watched_pairs(more)
    told = json.loads(rule_definition(watched, 60, more))
    assert (told["hedge_bars"], told["quiet_seconds"], told["lookbacks"]) == (60, 600, [60, 300])


@pytest.mark.parametrize(("ahead", "left"), [(-1, 3), (0, 0), (1, 0)])
def test_a_piece_rolls_when_all_of_it_is_old_enough(
    lake: Lake, db: sqlite3.Connection, ahead: int, left: int
) -> None:
    hour = START // 3600 * 3600
    with atomic(db):
        db.executemany(
            "INSERT INTO bars VALUES ('AUSDT', '1s', ?, 1, 1, 1, 1, 0, 0, 0, 0)",
            [(hour,), (hour + 1,), (hour + 3599,)],
        )
        db.execute("INSERT INTO first_bars VALUES ('AUSDT', '1s', ?)", (hour,))
    retention = Retention(db, lake, {"1s": 2})
    while retention.roll_piece((hour + 3600 + 2 * 3600 + ahead) * 1000):
        pass
    assert db.execute("SELECT count(*) FROM bars").fetchone() == (left,)
