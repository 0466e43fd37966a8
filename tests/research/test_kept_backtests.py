"""Results that are kept in the lake: whole, replaced, forgotten; by the library and the command."""

import json
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import spreadlake
from launcher.commands.app import app
from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_backtests_writer, open_reader
from spreadlake.lake.backtests import (
    TRADE_COLUMNS,
    forget_backtest,
    kept_backtests,
    prepare_backtests,
)
from spreadlake.quant.backtest import SUMMARY_KEYS, TRADES_SCHEMA
from spreadlake.research.backtests import kept as keeping
from spreadlake.research.backtests.kept import keep_backtest
from spreadlake.research.backtests.pair import Backtest
from tests.research.bar_lake import make_bar_lake, walks

NOW = 1_800_000_000.7


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return make_bar_lake(tmp_path / "lake", walks(["AAAUSDT", "BBBUSDT"], 900))


def result_of(lake: Lake, **options: Any) -> Backtest:
    usual = {"lookback": 60, "fee_bps": 0.5}
    return spreadlake.open(lake.root).backtest("AAAUSDT", "BBBUSDT", **(usual | options))


def rows(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    with closing(open_reader(lake.backtests_db)) as db:
        return db.execute(sql).fetchall()


def test_what_is_kept_is_the_result(lake: Lake) -> None:
    result = result_of(lake, stop=3.0)
    keep_backtest(lake, "first", result, NOW)
    head = pl.DataFrame(
        rows(lake, f"SELECT {', '.join(SUMMARY_KEYS)} FROM backtests"), SUMMARY_KEYS, orient="row"
    ).row(0, named=True)
    assert head == pytest.approx(result.summary)
    ((settings, notes, length),) = rows(lake, "SELECT settings, notes, length FROM backtests")
    assert json.loads(settings) == result.settings
    assert json.loads(notes) == result.notes
    assert length == 60
    trades = pl.DataFrame(
        rows(lake, f"SELECT {', '.join(TRADE_COLUMNS)} FROM backtest_trades ORDER BY trade"),
        list(TRADE_COLUMNS),
        orient="row",
    )
    assert tuple(TRADES_SCHEMA) == TRADE_COLUMNS
    times = [name for name in TRADE_COLUMNS if name.endswith("time")]
    seconds = result.trades.with_columns(pl.col(name).dt.epoch("s") for name in times)
    assert trades.rows() == seconds.rows()
    equity = rows(
        lake,
        "SELECT time, zscore_low, equity_low, drawdown FROM backtest_equity WHERE bars = 1 "
        "AND zscore_low IS zscore_high AND equity_low = equity_high ORDER BY time",
    )
    told = result.equity.with_columns(pl.col("time").dt.epoch("s"))
    assert equity == told.select("time", "zscore", "equity", "drawdown").rows()


def test_longer_spans_have_the_extremes_of_their_bars(lake: Lake) -> None:
    result = result_of(lake)
    keep_backtest(lake, "first", result, NOW)
    bars = result.equity.with_columns(pl.col("time").dt.epoch("s"))
    for count in (16, 256, 4096):
        expected = (
            bars.group_by(pl.col("time") // (count * 60), maintain_order=True)
            .agg(
                pl.col("time").min().alias("first"),
                pl.col("zscore").min(),
                pl.col("zscore").max().alias("high"),
                pl.col("equity").min(),
                pl.col("equity").max().alias("most"),
                pl.col("drawdown").max(),
            )
            .drop("time")
        )
        found = rows(
            lake,
            "SELECT time, zscore_low, zscore_high, equity_low, equity_high, drawdown "
            f"FROM backtest_equity WHERE bars = {count} ORDER BY time",
        )
        assert found == expected.rows()


def test_the_same_name_replaces_and_forgetting_gives_the_room_back(lake: Lake) -> None:
    keep_backtest(lake, "one", result_of(lake), NOW)
    keep_backtest(lake, "other", result_of(lake, entry=1.5), NOW + 1)
    keep_backtest(lake, "one", result_of(lake, entry=2.5), NOW + 2)
    kept = kept_backtests(lake)
    assert [(one.name, one.kept_at) for one in kept] == [
        ("one", 1_800_000_002),
        ("other", 1_800_000_001),
    ]
    assert rows(lake, "SELECT DISTINCT backtest_id FROM backtest_equity") == rows(
        lake, "SELECT id FROM backtests ORDER BY id"
    )
    assert rows(lake, "SELECT entry FROM backtests WHERE name = 'one'") == [(2.5,)]
    size = lake.backtests_db.stat().st_size
    forget_backtest(lake, "one")
    forget_backtest(lake, "other")
    assert kept_backtests(lake) == []
    assert rows(lake, "SELECT count(*) FROM backtest_trades") == [(0,)]
    assert lake.backtests_db.stat().st_size < size / 2


def test_one_that_fails_amid_writing_leaves_what_was_kept(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_backtest(lake, "one", result_of(lake), NOW)
    before = rows(lake, "SELECT * FROM backtest_equity")

    def cut(_: Backtest) -> Any:
        yield (1, 1.0, 1.0, 1.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(keeping, "_equity", cut)
    with pytest.raises(KeyboardInterrupt):
        keep_backtest(lake, "one", result_of(lake, entry=1.0), NOW)
    assert rows(lake, "SELECT * FROM backtest_equity") == before
    assert rows(lake, "SELECT entry FROM backtests") == [(2.0,)]


@pytest.mark.parametrize("spilled", [False, True], ids=["before the commit", "amid it"])
def test_one_that_is_killed_leaves_what_was_kept(lake: Lake, spilled: bool) -> None:
    keep_backtest(lake, "one", result_of(lake), NOW)
    before = rows(lake, "SELECT * FROM backtest_equity")
    # A cache of few pages writes to the file before the commit, as the commit itself does.
    cache = "PRAGMA cache_size=2; PRAGMA cache_spill=1" if spilled else ""
    code = f"""if True:
        import os
        from pathlib import Path
        from spreadlake.lake import Lake, open_backtests_writer
        db = open_backtests_writer(Lake(Path({str(lake.root)!r})))
        db.executescript({cache!r})
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE backtest_equity SET drawdown = 7, equity_low = 5")
        db.execute("DELETE FROM backtests")
        os._exit(9)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert lake.backtests_db.with_name("backtests.db-journal").exists()
    prepare_backtests(lake)
    assert [one.name for one in kept_backtests(lake)] == ["one"]
    uri = f"file:{lake.backtests_db}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        assert db.execute("SELECT * FROM backtest_equity").fetchall() == before


def test_who_reads_meanwhile_waits_for_the_commit_alone(lake: Lake) -> None:
    keep_backtest(lake, "one", result_of(lake), NOW)
    with closing(open_backtests_writer(lake)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM backtest_equity")
        assert rows(lake, "SELECT count(*) FROM backtest_equity WHERE bars = 1") == [(900,)]
        db.execute("ROLLBACK")


def test_it_can_be_read_where_nothing_can_be_written(lake: Lake) -> None:
    """As Grafana does in docker-compose: no log has to be made or kept."""
    keep_backtest(lake, "one", result_of(lake), NOW)
    assert not list(lake.root.glob("backtests.db-*"))
    uri = f"file:{lake.backtests_db}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_many_may_be_the_first_to_open_it(tmp_path: Path) -> None:
    """The exporter, and commands that keep something, at one moment."""
    for number in range(20):
        lake = Lake(tmp_path / str(number))
        lake.root.mkdir()
        gate = Barrier(8)

        def opened(lake: Lake, gate: Barrier) -> str:
            gate.wait()
            open_backtests_writer(lake).close()
            return "opened"

        with ThreadPoolExecutor(8) as pool:
            done = [pool.submit(opened, lake, gate) for _ in range(8)]
        assert [one.result() for one in done] == ["opened"] * 8


def test_a_lake_that_may_not_be_written_stays_without(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    prepare_backtests(lake)
    assert not lake.root.exists()
    lake.root.mkdir()
    lake.backtests_db.mkdir()  # cannot be opened, whoever we are
    (lake.backtests_db / "x").touch()
    prepare_backtests(lake)


def test_one_without_a_trade_and_one_of_a_walk_forward(lake: Lake) -> None:
    keep_backtest(lake, "none", result_of(lake, entry=40.0), NOW)
    walked = result_of(lake, grid={"window": [30, 60]}, train="3h", test="2h")
    keep_backtest(lake, "walked", walked, NOW)
    kept = {one.name: one for one in kept_backtests(lake)}
    assert (kept["none"].trades, kept["none"].sharpe) == (0, None)
    assert (kept["walked"].window_bars, kept["walked"].lookback_bars) == (None, 60)


@pytest.mark.parametrize("name", ["", " x", "a/b", "-a", "x" * 65, "a\nb", "é", ".."])
def test_a_name_is_checked_before_anything_is_done(lake: Lake, name: str) -> None:
    with pytest.raises(InputError, match="a name begins with a letter or a digit"):
        keep_backtest(lake, name, result_of(lake), NOW)
    assert not lake.backtests_db.exists()


def test_the_command_keeps_lists_and_forgets(lake: Lake) -> None:
    def run(*arguments: str) -> str:
        options = [*arguments, "--data", str(lake.root)]
        return CliRunner().invoke(app, options, catch_exceptions=False).output

    assert "no back-test is kept; spreadlake backtest --keep NAME" in run("backtests")
    assert "kept wide" in run("backtest", "--pair", "AAAUSDT/BBBUSDT", "--keep", "wide")
    assert run("backtests").startswith("wide: AAAUSDT/BBBUSDT 1m 60/300, ")
    (told,) = json.loads(run("backtests", "--json"))["backtests"]
    assert (told["name"], told["timeframe"]) == ("wide", "1m")
    with pytest.raises(InputError, match="no back-test is kept as 'wild'; there are wide"):
        run("backtests", "--forget", "wild")
    assert run("backtests", "--forget", "wide") == "forgot wide\n"
    with pytest.raises(InputError, match="no back-test is kept as 'wide'; none is kept"):
        run("backtests", "--forget", "wide")
    with pytest.raises(InputError, match="cannot be kept as 'a b'"):
        run("backtest", "--pair", "AAAUSDT/BBBUSDT", "--keep", "a b")
