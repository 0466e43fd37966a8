"""What the dashboard of back-tests draws, against the result that was kept."""

import re
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import spreadlake
from spreadlake.lake import Lake
from spreadlake.lake.backtests import prepare_backtests
from spreadlake.research.backtests.kept import keep_backtest
from spreadlake.research.backtests.pair import Backtest
from tests.grafana.lake_fixture import FixtureLake
from tests.grafana.rendering import Table, dashboard, fill, lake_queries, query
from tests.research.bar_lake import make_bar_lake, walks

QUERIES = list(lake_queries(dashboard("spreadlake-backtest")))
WIDTH = 1000  # points of a chart


def drawn(root: Path, title: str, since: float, until: float, **names: str) -> Table:
    found = next(one for one in QUERIES if one.where == title)
    step = max(1.0, (until - since) / WIDTH)
    sql = fill(found.sql, since, until, step, **names)
    return query(root, sql, database=found.database)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Backtest]:
    root = tmp_path_factory.mktemp("kept")
    make_bar_lake(root, walks(["AAAUSDT", "BBBUSDT"], 40_000))
    result = spreadlake.open(root).backtest(
        "AAAUSDT", "BBBUSDT", lookback=60, fee_bps=0.5, stop=3.0, max_bars=30
    )
    keep_backtest(Lake(root), "kept", result, 1.8e9)
    return root, result


def span(result: Backtest) -> tuple[float, float]:
    times = result.equity["time"].dt.epoch("s")
    return float(times[0]), float(times[-1]) + 60


TITLES = ["Equity after costs", "Trades on the z-score", "Gross, costs, net"]


@pytest.mark.parametrize("title", TITLES)
def test_a_chart_is_bounded_by_its_width_and_not_by_the_bars(
    kept: tuple[Path, Backtest], title: str
) -> None:
    root, result = kept
    table = drawn(root, title, *span(result))
    marks = 6 * WIDTH / 4 if title == TITLES[1] else 0
    assert WIDTH / 2 < len(table.rows) <= WIDTH + 10 + marks
    assert table.column("time") == sorted(table.column("time"))


def test_no_excursion_is_lost(kept: tuple[Path, Backtest]) -> None:
    root, result = kept
    equity = drawn(root, TITLES[0], *span(result))
    assert min(equity.column("equity_low")) == result.equity["equity"].min()
    assert max(equity.column("equity_high")) == result.equity["equity"].max()
    # The line is the last bar of each step, and lies in the shade.
    for row in map(equity.row, range(len(equity.rows))):
        assert row["equity_low"] <= row["equity"] <= row["equity_high"]
    assert equity.row(-1)["equity"] == result.equity["equity"][-1]
    assert min(equity.column("drawdown")) == -(result.summary["max_drawdown"])
    table = drawn(root, TITLES[1], *span(result))
    lows, highs = ([z for z in table.column(name) if z is not None] for name in ("low", "high"))
    assert (min(lows), max(highs)) == (
        result.equity["zscore"].min(),
        result.equity["zscore"].max(),
    )


def test_a_short_time_shows_every_bar(kept: tuple[Path, Backtest]) -> None:
    root, result = kept
    part = result.equity.with_columns(pl.col("time").dt.epoch("s"))[20_000:20_500]
    since, until = float(part["time"][0]), float(part["time"][-1])
    equity = drawn(root, TITLES[0], since, until)
    found = dict(zip(*map(equity.column, ("time", "equity")), strict=True))
    assert {t: found[t] for t in part["time"]} == dict(part.select("time", "equity").iter_rows())


def test_marks_are_the_trades(kept: tuple[Path, Backtest]) -> None:
    root, result = kept
    since, _ = span(result)
    seconds = result.trades.with_columns(pl.selectors.datetime().dt.epoch("s"))
    middle = since + 400 * 60
    marks = drawn(root, TITLES[1], since, middle)
    own = seconds.filter(pl.col("signal_time") <= middle)
    for side in ("long", "short"):
        of_side = own.filter(pl.col("side") == side)
        expected = dict(of_side.select("signal_time", "entry_zscore").iter_rows())
        found = {
            row["time"]: row[f"in_{side}"]
            for row in map(marks.row, range(len(marks.rows)))
            if row[f"in_{side}"] is not None
        }
        assert found == expected
    assert len(own) > 3


def test_costs_end_at_the_summary(kept: tuple[Path, Backtest]) -> None:
    root, result = kept
    since, until = span(result)
    whole = drawn(root, TITLES[2], since, until)
    last = whole.row(-1)
    for name, sign in (("gross", 1), ("fees", -1), ("funding", 1), ("net", 1)):
        assert last[name] == pytest.approx(sign * result.summary[name])
    part = drawn(root, TITLES[2], since + 600_000, until)
    first = part.row(0)
    ended = result.trades.filter(pl.col("exit_time").dt.epoch("s") < since + 600_000)
    assert first["time"] == since + 600_000
    assert first["net"] == pytest.approx(ended["net"].sum())
    assert part.row(-1)["net"] == pytest.approx(result.summary["net"])


def test_tiles_and_tables_are_the_result(kept: tuple[Path, Backtest]) -> None:
    root, result = kept
    summary = drawn(root, "Summary", 0, 1).row()
    assert {name: number_of(text) for name, text in summary.items()} == pytest.approx(
        {name: result.summary[name] * (100 if name in SHARES else 1) for name in summary}, rel=5e-3
    )
    assert number_of(summary["net"]) == pytest.approx(result.summary["net"], rel=1e-5)
    table = drawn(root, TRADES, *span(result))
    newest = result.trades.tail(500).reverse()
    assert table.column("net") == pytest.approx(newest["net"].to_list(), rel=1e-5)
    assert table.row()["symbol_a"] == "AAAUSDT"
    assert table.row()["symbol_b"] == "BBBUSDT"
    (row,) = drawn(root, "Kept", 0, 1).rows
    assert row[1:5] == ("kept", "AAAUSDT/BBBUSDT", "1m", "60/60")


TRADES = "Trades of ${backtest}, the newest 500 of the time range"
SHARES = ("hit_rate", "time_in_market")


def number_of(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "").removesuffix(" %"))


def test_small_money_keeps_its_digits(kept: tuple[Path, Backtest], tmp_path: Path) -> None:
    root, result = kept
    small = spreadlake.open(root).backtest("AAAUSDT", "BBBUSDT", lookback=60, notional=1e-4)
    keep_backtest(Lake(tmp_path), "kept", small, 1.8e9)
    shown = drawn(tmp_path, "Summary", 0, 1).row()["net"]
    assert number_of(shown) == pytest.approx(small.summary["net"], rel=1e-5)
    trades = drawn(tmp_path, TRADES, *span(result))
    assert trades.row()["net"] == pytest.approx(small.trades[-1, "net"], rel=1e-5)


def test_links_carry_what_was_asked(kept: tuple[Path, Backtest]) -> None:
    root, _ = kept
    assert drawn(root, "variable pair_link", 0, 1).rows == [
        (
            "var-symbol_a=AAAUSDT&var-symbol_b=BBBUSDT&var-timeframe=1m&var-window=60"
            "&var-lookback=60&var-prices=raw",
        )
    ]
    assert drawn(root, "variable page_link", 0, 1).rows == [
        ("a=AAAUSDT&b=BBBUSDT&timeframe=1m&window=60&lookback=60&prices=raw",)
    ]


def test_one_pairs_back_tests_alone(kept: tuple[Path, Backtest]) -> None:
    root, result = kept
    assert drawn(root, "variable pair", 0, 1).rows == [("all",), ("AAAUSDT/BBBUSDT",)]
    for pair, names in (("all", ["kept"]), ("AAAUSDT/BBBUSDT", ["kept"]), ("A/B", [])):
        assert drawn(root, "variable backtest", 0, 1, pair=pair).column("name") == names
        assert drawn(root, "Kept", 0, 1, pair=pair).column("name") == names
    told = drawn(root, "State", *span(result), pair="A/B", backtest="").row()["state"]
    assert told == (
        "no back-test of A/B is kept: spreadlake backtest --pair A/B --keep NAME; others: choose "
        "all above"
    )


def state(root: Path, since: float, until: float, backtest: str = "kept") -> dict[str, Any]:
    table = drawn(root, "State", since, until, backtest=backtest)
    assert len(table.rows) == 1, "always one row, so that there is always a word"
    return table.row()


def test_words_for_what_is_not_there(kept: tuple[Path, Backtest], tmp_path: Path) -> None:
    root, result = kept
    since, until = span(result)
    told = state(root, since, until)
    assert told["state"] == (
        "AAAUSDT/BBBUSDT · 1m · window 60 · lookback 60 · prices raw · entry 2 · exit 0"
        " · stop 3 · max bars 30 · fee bps 0.5 · slippage bps 0"
        " · 2023-11-14 22:14:00 to 2023-12-12 16:54:00 UTC, kept 2027-01-15 08:00:00"
    )
    assert (told["span_from"], told["span_to"]) == (f"{since:.0f}000", f"{until:.0f}000")
    later = str(state(root, until + 100, until + 200)["state"])
    assert later.endswith(", not in this time range; click here for all of it")
    assert state(root, since, until, backtest="other")["state"] == (
        "no back-test of this name is kept: choose one above"
    )
    prepare_backtests(Lake(tmp_path))
    assert state(tmp_path, since, until)["state"] == (
        "no back-test is kept yet: spreadlake backtest --keep NAME"
    )


def test_lakes_and_kept_back_tests_are_not_mistaken_for_each_other() -> None:
    """A variable offers the data sources of its own kind, by their names."""
    variables = {v["name"]: v for v in dashboard("spreadlake-backtest")["templating"]["list"]}
    lakes, kept = (
        re.compile(variables[name]["regex"].strip("/")) for name in ("datasource", "kept")
    )
    assert lakes.match("Lake")
    assert lakes.match("My other lake")
    assert not lakes.match("Back-tests")
    assert kept.match("Back-tests of the other lake")
    assert not kept.match("Lake")


def test_the_fixture_has_one_of_just_now(fixture_lake: FixtureLake) -> None:
    assert fixture_lake.end <= time.time()
    told = state(fixture_lake.lake.root, fixture_lake.end - 900, fixture_lake.end)
    assert str(told["state"]).startswith("BTCUSDT/ETHUSDT · 1s · window 60")
