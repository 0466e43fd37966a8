"""The dashboards' numbers on raw closes and on their logarithms, and what says which they are."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from spreadlake.quant.screen import ScreenOptions, screen_all_pairs
from tests.grafana.lake_fixture import SYMBOLS, FixtureLake, build_lake, oracle
from tests.grafana.rendering import dashboard, fill, lake_queries, query
from tests.grafana.test_pair_numbers import NUMBERS, computed
from tests.grafana.test_queries import of, state

END = 1_900_000_000


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FixtureLake]:
    """Two lakes of the same bars: one keeps pair analytics on closes, one on their logarithms."""
    return {
        "raw": build_lake(tmp_path_factory.mktemp("raw"), END, 900),
        "log": build_lake(tmp_path_factory.mktemp("log"), END, 900, "log"),
    }


def assert_on_logs(row: dict[str, float], wanted: dict[str, float]) -> None:
    """To 1e-9 of the number itself, or of the logarithms that a difference is taken of."""
    for name in NUMBERS:
        scale = max(1.0, abs(wanted[name]))
        assert abs(row[name] - wanted[name]) <= 1e-9 * scale, (name, row[name], wanted[name])


@pytest.mark.parametrize(
    ("a", "b", "window", "lookback"),
    [
        ("BTCUSDT", "ETHUSDT", 60, 300),
        ("SOLUSDT", "BTCUSDT", 47, 400),
        ("1000PEPEUSDT", "BTCUSDT", 20, 30),
        ("BTCUSDT", "1000PEPEUSDT", 20, 30),
    ],
)
def test_any_two_symbols_on_logarithms(
    lakes: dict[str, FixtureLake], a: str, b: str, window: int, lookback: int
) -> None:
    lake = lakes["raw"]
    pa, pb = lake.closes[a, "1s"], lake.closes[b, "1s"]
    size = min(len(pa), len(pb))
    pa, pb = pa[-size:], pb[-size:]
    chosen = {"symbol_a": a, "symbol_b": b, "window": str(window), "lookback": str(lookback)}
    found = computed(lake, lake.start, lake.end, prices="log", **chosen)
    assert len(found.rows) == size - window + 1
    for number in range(0, len(found.rows), 7):
        row, at = found.row(number), number + window - 1
        assert_on_logs(row, oracle(pa, pb, window, lookback, at, "log"))
        assert (row["price_a"], row["price_b"]) == (pa[at], pb[at])


@pytest.mark.parametrize("kept", ["raw", "log"])
def test_what_is_not_chosen_is_as_the_lake_keeps_it(
    lakes: dict[str, FixtureLake], kept: str
) -> None:
    lake, other = lakes[kept], {"raw": "log", "log": "raw"}[kept]
    usual = computed(lake, lake.start, lake.end)
    assert usual.rows == computed(lake, lake.start, lake.end, prices=kept).rows
    stored = query(
        lake.lake.root,
        "SELECT * FROM pair_analytics WHERE pair = 'BTCUSDT/ETHUSDT' AND window_bars = 60 "
        "AND timeframe = '1s' ORDER BY time",
    )
    assert usual.column("time") == stored.column("time")
    for number in range(0, len(stored.rows), 11):
        row, wanted = usual.row(number), stored.row(number)
        for name in NUMBERS:
            scale = max(1.0, abs(wanted[name]), row["price_a"] if kept == "raw" else 0)
            assert abs(row[name] - wanted[name]) <= 1e-9 * scale, name
    others = computed(lakes[other], lake.start, lake.end).rows
    assert computed(lake, lake.start, lake.end, prices=other).rows == others


@pytest.mark.parametrize("kept", ["raw", "log"])
def test_a_long_range_is_read_from_the_rows_of_that_kind(
    lakes: dict[str, FixtureLake], kept: str, tmp_path: Path
) -> None:
    """A row on others, which is yet to be computed again, is left out."""
    lake = build_lake(tmp_path, END, 900, "log" if kept == "log" else "raw")
    charts = of("z-score ·").sql
    whole = query(lake.lake.root, fill(charts, lake.start, lake.end))
    assert len(whole.rows) == 900 - 59
    changed = END - 400
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:
        kind = None if kept == "log" else "log"
        db.execute("UPDATE pair_analytics SET prices = ? WHERE time < ?", (kind, changed))
    left = query(lake.lake.root, fill(charts, lake.start, lake.end))
    assert left.column("time") == [time for time in whole.column("time") if time >= changed]
    other = {"raw": "log", "log": "raw"}[kept]
    again = query(lake.lake.root, fill(charts, lake.start, lake.end, prices=other))
    assert again.column("time") == whole.column("time"), "computed from the bars"


def test_numbers_that_are_stored_alone_are_of_the_kind_that_is_shown(
    lakes: dict[str, FixtureLake],
) -> None:
    for kept, other in (("raw", "log"), ("log", "raw")):
        lake = lakes[kept]
        assert state(lake, now=END + 1)["half_life"] == 41
        assert state(lake, now=END + 1, prices=kept)["half_life"] == 41
        found = state(lake, now=END + 1, prices=other)
        assert found["half_life"] is None
        assert found["zscore"] == state(lakes[other], now=END + 1)["zscore"]


def test_the_drop_down_opens_with_what_the_lake_keeps(lakes: dict[str, FixtureLake]) -> None:
    for kept, other in (("raw", "log"), ("log", "raw")):
        lake = lakes[kept].lake.root
        assert query(lake, fill(of("variable prices").sql, 0, 1)).column("kind") == [kept, other]
        hidden = of("variable kept_prices", "spreadlake-overview")
        assert query(lake, fill(hidden.sql, 0, 1)).column("kind") == [kept]


def test_exported_rows_say_what_they_are_on(lakes: dict[str, FixtureLake]) -> None:
    aligned = of("${symbol_a}_${symbol_b}_${timeframe}")
    for prices, kind in (("", "raw"), ("raw", "raw"), ("log", "log")):
        sql = fill(aligned.sql, END - 60, END, 1, prices=prices)
        assert set(query(lakes["raw"].lake.root, sql).column("prices")) == {kind}


def series_of(row: dict[str, object]) -> Iterator[tuple[str, str]]:
    """What the click on a row of the screen's ranking chooses on the pair's dashboard."""
    (panel,) = [p for p in dashboard("spreadlake-screen")["panels"] if p["id"] == 5]
    overrides = panel["fieldConfig"]["overrides"]
    pair = [one["properties"] for one in overrides if one["matcher"]["options"] == "pair"]
    (links,) = [p["value"] for properties in pair for p in properties if p["id"] == "links"]
    for part in links[0]["url"].partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if name.startswith("var-"):
            field = value.removeprefix("${__data.fields.").removesuffix("}")
            yield name.removeprefix("var-"), str(row.get(field, value))


def test_a_click_on_a_screen_shows_the_numbers_that_it_ranked_by(
    lakes: dict[str, FixtureLake],
) -> None:
    lake = lakes["raw"]
    symbols = SYMBOLS[:3]
    close = np.stack([lake.closes[symbol, "1s"][-240:] for symbol in symbols])
    options = ScreenOptions(lookback=240, window=60)
    rows = screen_all_pairs(symbols, close, np.ones(3), options)
    for row in rows.iter_rows(named=True):
        row |= {"timeframe": "1s", "window_bars": 60, "lookback_bars": 240}
        found = computed(lake, END - 9, END, "newest", **dict(series_of(row))).row()
        for name in ("alpha", "beta", "spread", "zscore", "return_correlation"):
            assert found[name] == pytest.approx(row[name], rel=1e-7, abs=1e-9), name


def test_each_chart_of_pair_analytics_says_which_prices() -> None:
    titles = {panel["id"]: panel["title"] for panel in dashboard("spreadlake-pair")["panels"]}
    for panel in (4, 10, 12, 13):
        assert "${prices} prices" in titles[panel]
    overview = {panel["id"]: panel["title"] for panel in dashboard("spreadlake-overview")["panels"]}
    assert overview[5].endswith("${kept_prices} prices")
    variables = dashboard("spreadlake-overview")["templating"]["list"]
    (kept,) = [one for one in variables if one["name"] == "kept_prices"]
    assert kept["skipUrlSync"], "a bookmark would keep what the lake was on then"


def test_a_lake_from_before_is_on_raw_prices(tmp_path: Path) -> None:
    """Its tables have no such column."""
    lake = build_lake(tmp_path, END, 900)
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:
        for table in ("pair_analytics", "pair_tests"):
            db.execute(f"ALTER TABLE {table} DROP COLUMN prices")
    charts = query(lake.lake.root, fill(of("z-score ·").sql, lake.start, END))
    assert len(charts.rows) == 900 - 59
    assert state(lake, now=END + 1)["half_life"] == 41
    assert state(lake, now=END + 1, prices="log")["half_life"] is None
    for board in ("spreadlake-pair", "spreadlake-overview"):
        for one in lake_queries(dashboard(board)):
            assert query(lake.lake.root, fill(one.sql, END - 300, END)).rows, one.where
