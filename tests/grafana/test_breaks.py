"""The dashboards' SQL reaches over no break and over no missing bar, as the analytics job does."""

import math
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from grafana.source.pair_sql import pair_sql
from spreadlake.lake import Lake
from spreadlake.lake.analytics.definition import SeriesDefinition
from spreadlake.lake.backtests import prepare_backtests
from spreadlake.research.pair_series import computed_rows
from spreadlake.series import SeriesKey
from tests.analytics_job.harness import TestLake, run_job, settings
from tests.grafana.rendering import Table, all_dashboards, dashboard, fill, lake_queries, query
from tests.grafana.test_pair_numbers import NUMBERS
from tests.paths import ROOT
from tests.trades import Trade

START = 1_900_000_020
SYMBOLS = {"AUSDT": (700.0, 2), "BUSDT": (30.0, 3), "LATEUSDT": (2.0, 4)}  # price, decimals
# Within a bar of 1m, from one bar of 1m to the next, over some; the last leaves too few bars.
BREAKS = [(605, 640), (1180, 1215), (2000, 2300), (4630, 4675)]
END = 4_720
CONFIG = settings(
    symbols=list(SYMBOLS), pairs="all", timeframes=["1s", "10s", "1m"], windows=[10, 30],
    lookbacks=[50], max_stale_bars=8, job={"break_minutes": 0.5},
)  # fmt: skip
ENDS = {"1s": 1, "10s": 10, "1m": 60}


def trades() -> list[Trade]:
    """Walks with breaks; one symbol is silent for a time and comes long after the last but one."""
    rng = np.random.default_rng(5)
    found = []
    for symbol, (price, digits) in SYMBOLS.items():
        closes = np.round(price * np.exp(np.cumsum(rng.normal(0, 3e-4, END))), digits)
        quiet = rng.random(END) < 0.4
        quiet[1500:1520] |= symbol == "BUSDT"
        quiet[2300:2340] |= symbol == "LATEUSDT"
        quiet[2310:2345] |= symbol == "AUSDT"
        for low, high in BREAKS:
            quiet[low:high] = True
            quiet[[low - 1, high]] = symbol == "LATEUSDT" and high == 2300
        for second in np.flatnonzero(~quiet).tolist():
            time_ms = (START + second) * 1000
            found.append(Trade(symbol, second, time_ms, float(closes[second]), 1.0, False))
    return sorted(found, key=lambda trade: trade.time_ms)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> TestLake:
    batches = [[t for t in trades() if t.trade_id // 1000 == n] for n in range(5)]
    return run_job(tmp_path_factory.mktemp("breaks"), CONFIG, batches)


def computed(lake: TestLake, since: int, until: int, **kw: str) -> Table:
    sql = pair_sql("all", "SELECT * FROM numbers ORDER BY time")
    return query(lake.lake.root, fill(sql, since, until, 1, **kw))


def variables(row: dict[str, Any]) -> dict[str, str]:
    a, b = row["pair"].split("/")
    return {
        "symbol_a": a, "symbol_b": b, "timeframe": row["timeframe"],
        "window": str(row["window_bars"]), "lookback": str(row["lookback_bars"]),
    }  # fmt: skip


def assert_same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name in NUMBERS:
        where = (name, found["time"], found[name], wanted[name])
        assert (found[name] is None) == (wanted[name] is None), where
        if wanted[name] is not None:
            price = found["price_a"] if name in ("alpha", "spread", "spread_mean") else 0
            assert math.isclose(
                found[name], wanted[name], rel_tol=1e-9, abs_tol=1e-9 * price + 1e-9
            ), where


def rows_of(table: Table) -> dict[int, dict[str, Any]]:
    return {row["time"]: row for row in (table.row(n) for n in range(len(table.rows)))}


def series(lake: TestLake) -> list[dict[str, Any]]:
    return lake.table("series")


def stored_rows(lake: TestLake, key: dict[str, Any], since: int) -> dict[int, dict[str, Any]]:
    return rows_of(
        query(
            lake.lake.root,
            f"SELECT * FROM pair_analytics WHERE pair = '{key['pair']}' AND time >= {since} "
            f"AND timeframe = '{key['timeframe']}' AND window_bars = {key['window_bars']}",
        )
    )


def test_the_lake_has_the_breaks_that_are_meant(lake: TestLake) -> None:
    wanted = [{"start": START + low, "end": START + high} for low, high in BREAKS]
    assert lake.table("breaks") == wanted
    assert {row["symbol"] for row in lake.table("joins") if row["time"] > START + 2300} > {
        "LATEUSDT"
    }
    assert any(row["beta"] is None for row in lake.table("pair_analytics")), "some are stale"


@pytest.mark.parametrize("since", [0, 612, 645, 1190, 2302, 2360, 4680])
def test_every_row_is_that_of_the_job(lake: TestLake, since: int) -> None:
    """Also where the range begins within a break, or with the first bars after it."""
    for key in series(lake):
        wanted = stored_rows(lake, key, START + since)
        found = rows_of(computed(lake, START + since, START + END, **variables(key)))
        assert list(found) == list(wanted), key
        for time, row in wanted.items():
            assert_same(found[time], row)


def test_a_leg_that_was_silent_before_the_other_came_is_stale(lake: TestLake) -> None:
    """Also where the window is shorter than what makes a leg stale."""
    wanted = SeriesKey("AUSDT/LATEUSDT", "1s", 3, 50)
    definition = SeriesDefinition.from_json(series(lake)[0]["definition"])
    low, high = START + 2300, START + 2400
    core = pl.concat(computed_rows(lake.lake, wanted, definition, low, high))
    chosen = {"symbol_a": "AUSDT", "symbol_b": "LATEUSDT", "window": "3", "lookback": "50"}
    found = rows_of(computed(lake, low, high, **chosen))
    assert list(found) == core["time"].to_list()
    stale = [row["beta"] is None for row in found.values()]
    assert stale == core["beta"].is_null().to_list()
    assert stale[0]
    assert not stale[-1]


@pytest.mark.parametrize("timeframe", ENDS)
@pytest.mark.parametrize("window", ["10", "6"], ids=["kept", "computed"])
def test_a_line_ends_where_there_are_no_numbers(
    lake: TestLake, timeframe: str, window: str
) -> None:
    """Between two rows that do not follow one another there is one without numbers."""
    chosen = {"symbol_a": "AUSDT", "symbol_b": "BUSDT", "lookback": "50"}
    chosen |= {"timeframe": timeframe, "window": window}
    length, since = ENDS[timeframe], START + END - 1_000 if timeframe == "1s" else START
    real = computed(lake, since, START + END, **chosen).column("time")
    wanted = [before + length for before, after in pairwise(real) if after - before > length]
    assert len(wanted) == (1 if timeframe == "1s" else 3)
    for title, column in (("z-score", "zscore"), ("Hedge ratio", "hedge_bars")):
        sql = fill(panel(title), since, START + END, 1, **chosen)
        drawn = rows_of(query(lake.lake.root, sql))
        assert list(drawn) == sorted(real + wanted)
        assert all(drawn[time][column] is None for time in wanted)


def panel(title: str) -> str:
    queries = lake_queries(dashboard("spreadlake-pair"))
    return next(found.sql for found in queries if found.where.startswith(title))


def test_prices_end_at_a_break(lake: TestLake) -> None:
    sql = fill(panel("Prices"), START, START + END, 1, symbol_a="AUSDT", symbol_b="BUSDT")
    prices = query(lake.lake.root, sql)
    empty = [
        t for t, p in zip(prices.column("time"), prices.column("price_a"), strict=True) if p is None
    ]
    # They are drawn on 10s bars, which fill the width as well.
    assert empty == [START + -(-low // 10) * 10 for low, _ in BREAKS]


def state(lake: TestLake, until: int, **chosen: str) -> str:
    found = query(lake.lake.root, fill(panel("z ·"), START, until, 1, **chosen), until + 1)
    return str(found.row()["state"])


def test_the_state_is_the_jobs(lake: TestLake) -> None:
    told = set()
    for row in lake.table("pair_status"):
        assert state(lake, START + END, **variables(row)) == row["message"]
        told.add(row["state"])
    assert {"warming", "ready"} <= told


def test_the_state_counts_from_the_break(lake: TestLake) -> None:
    chosen = {"symbol_a": "AUSDT", "symbol_b": "BUSDT", "window": "30", "lookback": "50"}
    for low, end in BREAKS:
        assert state(lake, START + end + 3, **chosen) == "warming up: 4 of 30 bars"
        wanted = "ready: hedge ratio over 31 bars, growing to 50"
        if end != 2300:  # a leg is silent after it
            assert state(lake, START + end + 30, **chosen) == wanted
        assert state(lake, START + low - 1, **chosen) == "ready: hedge ratio over 50 bars"
    # The break ended within this bar: it is the first.
    at = START + 640
    minute = chosen | {"timeframe": "1m", "window": "10"}
    assert state(lake, at // 60 * 60 + 59, **minute) == "warming up: 1 of 10 bars"


def test_the_slow_statistics_are_none_from_before_a_break(lake: TestLake, tmp_path: Path) -> None:
    copy = copied(lake, tmp_path)
    row = "('AUSDT/BUSDT', '1s', 50, ?, 1.0, 41.0, -3.0, 0.01, 0.02, 50, NULL)"
    with closing(sqlite3.connect(copy.analytics_db)) as db, db:
        db.execute("DELETE FROM pair_tests")
        db.execute(f"INSERT INTO pair_tests VALUES {row}", (START + 2290 - 300,))
    chosen = {"symbol_a": "AUSDT", "symbol_b": "BUSDT", "window": "5", "lookback": "50"}
    sql = panel("z ·")
    for until, wanted in ((1999, 41.0), (2305, None)):
        found = query(copy.root, fill(sql, START, START + until, 1, **chosen))
        assert found.row()["half_life"] == wanted


def test_the_matrix_begins_anew_after_a_break(lake: TestLake) -> None:
    sql = next(
        found.sql for found in lake_queries(dashboard("spreadlake-overview"))
        if "correlation FROM pairs" in found.sql
    )  # fmt: skip
    found = query(lake.lake.root, fill(sql, START, START + END, 1, lookback="300"))
    rows = [row for row in lake.table("bars") if row["timeframe"] == "1s"]
    closes = {
        name: [r["close"] for r in rows if r["symbol"] == name and r["time"] >= START + 4675]
        for name in ("AUSDT", "BUSDT")
    }
    returns = [np.diff(np.log(prices)) for prices in closes.values()]
    value = {(a, b): c for _, a, b, c in found.rows}["AUSDT", "BUSDT"]
    assert value == pytest.approx(float(np.corrcoef(returns[0], returns[1])[0, 1]), abs=1e-9)


def test_the_overview_shows_no_numbers_from_before_a_break(lake: TestLake) -> None:
    queries = lake_queries(dashboard("spreadlake-overview"))
    sql = next(found.sql for found in queries if "AS size" in found.sql)
    for window in ("10", "30"):
        chosen = {"timeframe": "10s", "window": window, "lookback": "50"}
        filled = fill(sql, START, START + END, 1, **chosen)
        found = query(lake.lake.root, filled, now=START + END)
        assert len(found.rows) == 3
        assert all("warming up" in value for value in found.column("state"))
        assert set(found.column("correlation")) == {None}


VERSIONS = sorted((ROOT / "tests" / "lake" / "versions").glob("analytics_*.sql"))


@pytest.mark.parametrize("schema", VERSIONS, ids=lambda path: path.stem)
def test_a_lake_of_any_version_is_shown_as_its_bars_are(
    lake: TestLake, tmp_path: Path, schema: Path
) -> None:
    """A lake that its job has not opened since has no table of breaks, and no such column.

    One from before screens has none to show, nor the tables: that dashboard is not for it.
    """
    old = Lake(tmp_path)
    with closing(sqlite3.connect(old.analytics_db)) as db, db:
        db.executescript(schema.read_text("utf-8"))
        db.execute(f"ATTACH '{lake.lake.analytics_db}' AS made")
        for table in ("bars", "first_bars", "series", "pair_analytics", "pair_status"):
            names = [row[1] for row in db.execute(f"PRAGMA main.table_info({table})")]
            columns = ", ".join(names)
            db.execute(f"INSERT INTO {table}({columns}) SELECT {columns} FROM made.{table}")
        has_column = "hedge_bars" in names
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    has_screens = "screens" in tables
    prepare_backtests(old)  # as the exporter does
    (rollups,) = query(old.root, fill(panel("variable rollups"), 0, 1)).column("name")
    assert (rollups == "pair_rollups") == ("pair_rollups" in tables)
    for board in all_dashboards():
        if board["uid"] == "spreadlake-screen" and not has_screens:
            continue
        for found in lake_queries(board):
            sql = fill(found.sql, START, START + END, 1, window="10", lookback="50",
                       rollups=rollups)  # fmt: skip
            query(old.root, sql, database=found.database)
    pair = {"symbol_a": "AUSDT", "symbol_b": "BUSDT", "window": "10", "lookback": "50"}
    chosen = fill(pair_sql("all", "SELECT * FROM numbers"), START, START + END, 1, **pair)
    assert query(old.root, chosen).rows == query(lake.lake.root, chosen).rows
    charts = fill(panel("z-score"), START + END - 900, START + END, 1, rollups=rollups, **pair)
    kept, wanted = query(old.root, charts), query(lake.lake.root, charts)
    assert kept.column("zscore") == wanted.column("zscore")
    charts = fill(panel("Hedge ratio"), START + END - 900, START + END, 1, rollups=rollups, **pair)
    kept, wanted = query(old.root, charts), query(lake.lake.root, charts)
    bars = wanted.column("hedge_bars") if has_column else [None] * len(wanted.rows)
    assert kept.column("hedge_bars") == bars


def copied(lake: TestLake, folder: Path) -> Lake:
    copy = Lake(folder)
    with (
        closing(sqlite3.connect(lake.lake.analytics_db)) as old,
        closing(sqlite3.connect(copy.analytics_db)) as new,
    ):
        old.backup(new)
    return copy
