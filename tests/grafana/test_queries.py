"""Every SQL of every panel and variable runs on a lake, under the plugin's rules."""

import re
from contextlib import closing
from pathlib import Path

import pytest

from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.lake.backtests import prepare_backtests
from tests.fixture_lake import add_screen_alert
from tests.grafana.lake_fixture import LATE_BARS, LATE_SYMBOL, SYMBOLS, FixtureLake, build_lake
from tests.grafana.rendering import (
    LakeQuery,
    all_dashboards,
    dashboard,
    fill,
    judge,
    lake_queries,
    query,
)

QUERIES = {
    f"{board['title']}: {found.where}": found
    for board in all_dashboards()
    for found in lake_queries(board)
}
EVERY = pytest.mark.parametrize("name", QUERIES)
RUBBISH = {
    "window": "; DROP TABLE bars",
    "lookback": "-3",
    "threshold": "two",
    "prices": "'; DROP TABLE series; --",
    "timeframe": "x'y",
    "symbol_b": "O'HARA",
    "screen": "1m'; DROP TABLE screens; --",
    "qvalue": "all",
    "volume": "1e6'",
    "backtest": "x'; DROP TABLE backtests; --",
}


def panel_query(number: int, board: str = "spreadlake-pair") -> LakeQuery:
    content = dashboard(board)
    (panel,) = [one for one in content["panels"] if one["id"] == number]
    (found,) = lake_queries(content | {"panels": [panel], "annotations": {}, "templating": {}})
    return found


def of(title: str, board: str = "spreadlake-pair") -> LakeQuery:
    return next(found for found in lake_queries(dashboard(board)) if found.where.startswith(title))


@EVERY
@pytest.mark.parametrize("timeframe", ["1s", "1m"])
def test_it_gives_rows_as_the_plugin_needs_them(
    fixture_lake: FixtureLake, name: str, timeframe: str
) -> None:
    found = QUERIES[name]
    sql = fill(found.sql, fixture_lake.end - 900, fixture_lake.end + 1, 2, timeframe=timeframe)
    table = query(fixture_lake.lake.root, sql, database=found.database)
    judge(table, found.times, name)
    assert table.rows or timeframe == "1m", "40 minutes are too short for 60 bars of 1m"


@EVERY
def test_it_runs_on_a_lake_without_rows(tmp_path: Path, name: str) -> None:
    open_analytics_writer(Lake(tmp_path)).close()
    prepare_backtests(Lake(tmp_path))
    sql = fill(QUERIES[name].sql, 1e9, 1.1e9)
    table = query(tmp_path, sql, database=QUERIES[name].database)
    judge(table, QUERIES[name].times, name)


@EVERY
def test_it_takes_whatever_is_typed(fixture_lake: FixtureLake, name: str) -> None:
    sql = fill(QUERIES[name].sql, fixture_lake.end - 60, fixture_lake.end, 1, **RUBBISH)
    query(fixture_lake.lake.root, sql, database=QUERIES[name].database)


@EVERY
def test_it_never_reads_all_of_history(fixture_lake: FixtureLake, name: str) -> None:
    """Large tables are read by a range of times, or one row at a time."""
    sql = fill(QUERIES[name].sql, fixture_lake.end - 60, fixture_lake.end)
    explained = f"EXPLAIN QUERY PLAN {sql}"
    database = QUERIES[name].database
    plan = query(fixture_lake.lake.root, explained, database=database).column("detail")
    reads = [line for line in plan if re.search(r"\(symbol=|\(pair=.*lookback_bars=\?", line)]
    once = re.compile(r"SEARCH (bars|b|r|newest|pair_analytics|pair_tests|series|pair_status) ")
    for line in reads:
        assert "time>?" in line or "time=?" in line or once.match(line), line
    assert not [line for line in plan if re.match(r"SCAN (bars|pair_analytics)\b", line)]
    events = [line for line in plan if re.match(r"SCAN (e|alert_events)\b", line)]
    assert all("USING" in line and "alert_events_open" in line for line in events), events
    if database == "backtests.db":
        assert_of_one_result(plan)


def assert_of_one_result(plan: list[str]) -> None:
    """Of its trades no other's, of its bars those of the time range."""
    read = [line for line in plan if re.match(r"(SCAN|SEARCH) (points|t|backtest_\w+)\b", line)]
    for line in read:
        assert re.match(r"SEARCH (points|t) USING PRIMARY KEY \(backtest_id=\?", line), line
        assert "points" not in line or "bars=? AND time>?" in line, line


def test_an_alert_of_the_screen_has_no_z_of_another_series(tmp_path: Path) -> None:
    """Analytics of the same pair, bars and windows may be of other prices."""
    lake = build_lake(tmp_path, 1_800_000_000, seconds=400)
    of_pair = "z_now IS NOT NULL AS known, rule, z_opened, prices"
    with closing(open_analytics_writer(lake.lake)) as db, atomic(db):
        add_screen_alert(db, 90, "ETHUSDT/SOLUSDT", lake.end - 60, 2.75)
        db.execute("UPDATE alert_events SET timeframe = '1s', lookback_bars = 300")
    sql = fill(of("Open alerts", "spreadlake-overview").sql, lake.end - 60, lake.end)
    rows = query(tmp_path, f"SELECT {of_pair} FROM ({sql}) ORDER BY rule").rows
    assert rows == [(0, "screened", 2.75, "log"), (1, "zscore", 2.05, "raw")]


def test_legs_are_any_two_symbols(fixture_lake: FixtureLake) -> None:
    root = fixture_lake.lake.root
    legs_a = query(root, fill(of("variable symbol_a").sql, 0, 1)).column("symbol")
    assert sorted(legs_a) == sorted(SYMBOLS)
    assert legs_a[0] == "BTCUSDT", "leg A of a configured pair comes first"
    for leg_a in legs_a:
        sql = fill(of("variable symbol_b").sql, 0, 1, symbol_a=leg_a)
        legs_b = query(root, sql).column("symbol")
        assert sorted([leg_a, *legs_b]) == sorted(SYMBOLS)
    assert query(root, fill(of("variable symbol_b").sql, 0, 1, symbol_a="ETHUSDT")).rows[0] == (
        "SOLUSDT",
    )


def test_bars_to_choose_from_are_configured_and_usual_ones_in_order(
    fixture_lake: FixtureLake,
) -> None:
    found = query(fixture_lake.lake.root, fill(of("variable window").sql, 0, 1))
    assert [row[0] for row in found.rows] == ["30", "60", "120", "240", "600"]
    overview = of("variable window", "spreadlake-overview")
    found = query(fixture_lake.lake.root, fill(overview.sql, 0, 1))
    assert [row[0] for row in found.rows] == ["30", "60", "120"]


NUMBERS = of("z · ${symbol_a}/${symbol_b}")


def state(
    lake: FixtureLake, until: float | None = None, now: float | None = None, **variables: str
) -> dict[str, object]:
    """What the numbers' query says at the time `now`, by default when the last bar has ended."""
    end = lake.end + 1 if until is None else until
    sql = fill(NUMBERS.sql, end - 900, end, 1, **variables)
    table = query(lake.lake.root, sql, lake.end + 1 if now is None else now)
    assert len(table.rows) == 1, "always one row, so that there is always a word"
    return table.row()


def test_state_while_warming_up(fixture_lake: FixtureLake) -> None:
    found = state(fixture_lake, symbol_b=LATE_SYMBOL)
    assert found["state"] == f"warming up: {LATE_BARS} of 60 bars"
    assert found["z"] is None
    assert found["zscore"] is None


def test_state_when_ready(fixture_lake: FixtureLake) -> None:
    found = state(fixture_lake)
    assert found["state"] == "ready: hedge ratio over 300 bars"
    assert str(found["age_text"]).endswith(" s")
    assert found["half_life"] == 41
    assert state(fixture_lake, symbol_b=LATE_SYMBOL, window="20")["state"] == (
        f"ready: hedge ratio over {LATE_BARS} bars, growing to 300"
    )


def test_state_without_bars(fixture_lake: FixtureLake, tmp_path: Path) -> None:
    before = fixture_lake.start - 100
    assert state(fixture_lake, until=before)["state"] == (
        "no bars before this time range; click here for the newest"
    )
    later = str(state(fixture_lake, until=fixture_lake.end + 5000)["state"])
    assert later.startswith("no bars in this time range: the newest is of ")
    nothing = state(fixture_lake, symbol_a="NONE")
    assert nothing["state"] == "no bars yet of NONE and ETHUSDT"
    assert (nothing["newest_from"], nothing["newest_to"]) == ("now-15m", "now")


def test_the_range_of_the_newest_bars(fixture_lake: FixtureLake, tmp_path: Path) -> None:
    now = state(fixture_lake, until=fixture_lake.start - 100)
    assert (now["newest_from"], now["newest_to"]) == ("now-15m", "now")
    old = build_lake(tmp_path, 1_700_000_000, seconds=4000)
    later = old.end + 10_000_000
    found = state(old, until=later, now=later)
    assert found["newest_to"] == str((old.end + 1) * 1000)
    assert found["newest_from"] == str((old.end + 1 - 3600) * 1000)
    short = state(old, until=later, now=later, symbol_b=LATE_SYMBOL)
    assert short["newest_from"] == str((old.end + 1 - LATE_BARS) * 1000)
    assert str(state(old, until=old.end + 1, now=later)["state"]).startswith("ready")


def test_state_when_late_or_stale_or_flat(tmp_path: Path) -> None:
    end = 1_900_000_000
    with closing(open_analytics_writer(Lake(tmp_path))) as db:
        for symbol, jumps, trades in (("BTCUSDT", 7, 3), ("ETHUSDT", 11, 3), ("DULL", 1, 3)):
            rows = [
                (symbol, end - 399 + i, 100.0 + i % jumps, trades if i < 300 else 0)
                for i in range(400)
            ]
            db.executemany(
                "INSERT INTO bars VALUES (?1, '1s', ?2, ?3, ?3, ?3, ?3, 1, 1, 1, ?4)", rows
            )
            db.execute("INSERT INTO first_bars VALUES (?, '1s', ?)", (symbol, end - 399))
    lake = FixtureLake(Lake(tmp_path), end - 399, end)
    stale = "stale: a leg has had no trade for more than 30 bars"
    ready = "ready: hedge ratio over 300 bars"
    assert state(lake)["state"] == stale
    assert state(lake, until=end - 69)["state"] == stale
    assert state(lake, until=end - 71)["state"] == ready
    flat = "flat: no z-score, prices do not vary over 60 bars"
    assert state(lake, until=end - 200, symbol_a="DULL", symbol_b="DULL")["state"] == flat


def test_late_is_told_where_the_range_ends_now(fixture_lake: FixtureLake) -> None:
    now = fixture_lake.end + 190
    late = str(state(fixture_lake, until=now, now=now)["state"])
    assert late == "late: no newer bar for 3 min"
    history = state(fixture_lake, until=fixture_lake.end - 100, now=now)
    assert str(history["state"]).startswith("ready")
