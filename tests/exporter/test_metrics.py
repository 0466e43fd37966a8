"""The contract's metrics, read from a real lake over HTTP."""

import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from exporter.job import job_families, read_job
from exporter.pairs import pair_families, pair_test_families, read_pair_tests, read_pairs
from exporter.scrape import LakeMetrics, parts_of
from spreadlake.config import load_settings
from spreadlake.lake import Lake, atomic, open_analytics_writer, open_reader, open_ticks_writer
from spreadlake.lake.databases.status import add_counters, set_status
from spreadlake.lake.ticks.universe import UniverseRow, save_universe
from spreadlake.latency import RECEIVE, counted
from spreadlake.status import LakeSnapshot
from tests.exporter.serving import get, labels, scrape, series, serving
from tests.fixture_lake import (
    BTC_ETH,
    FLAT,
    READY,
    READY_30,
    STALE,
    START,
    WARMING,
    WATERMARK_MS,
    add_due_tests,
    add_screen_alert,
    make_analytics,
    make_lake,
    make_ticks,
    writing,
    zscore,
)

CONTRACT = [
    "spreadlake_pair_zscore", "spreadlake_pair_correlation", "spreadlake_pair_beta",
    "spreadlake_pair_spread", "spreadlake_pair_alert_threshold", "spreadlake_pair_alert_active",
    "spreadlake_pair_alerts_total", "spreadlake_symbol_price", "spreadlake_ticks_total",
    "spreadlake_tick_gaps_total", "spreadlake_last_trade_timestamp_seconds",
    "spreadlake_watermark_timestamp_seconds", "spreadlake_job_duration_seconds",
    "spreadlake_ticks_dropped_total",
]  # fmt: skip


def test_every_metric_of_the_contract_is_there(tmp_path: Path) -> None:
    with serving(make_lake(tmp_path)) as address:
        samples = scrape(address)
    assert [name for name in CONTRACT if name not in samples] == []


def test_what_each_connection_is_worth(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        counted = {("first", "1"): 30, ("first", "2"): 10, ("repeated", "2"): 30}
        add_counters(db, {**counted, ("single_gaps", "2"): 4})
    with serving(lake) as address:
        samples = scrape(address)
    one, two = labels(connection="1"), labels(connection="2")
    assert samples["spreadlake_trades_first_total"] == {one: 30, two: 10}
    assert samples["spreadlake_trades_repeated_total"] == {two: 30}
    assert samples["spreadlake_single_connection_gaps_total"] == {two: 4}


def test_latencies_are_histograms_that_begin_with_nothing(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    with serving(lake) as address:
        before = scrape(address)
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        add_counters(db, counted(RECEIVE, np.array([3, 5, 6, 70_000, -1])))
    with serving(lake) as address:
        samples = scrape(address)
    name = "spreadlake_trade_receive_latency_seconds"
    assert before[f"{name}_count"] == {labels(): 0}
    assert set(before[f"{name}_bucket"].values()) == {0}
    assert samples[f"{name}_count"] == {labels(): 5}
    assert samples[f"{name}_sum"] == {labels(): pytest.approx(70.014)}
    buckets = samples[f"{name}_bucket"]
    assert [buckets[labels(le=le)] for le in ("0.005", "0.01", "60.0", "+Inf")] == [3, 4, 4, 5]
    assert samples["spreadlake_trades_before_event_total"] == {labels(): 1}


def test_the_newest_screen_of_each_kind_is_told(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    with serving(lake) as address:
        assert scrape(address).get("spreadlake_screen_pairs", {}) == {}
    screens = [(time, "1m", 240, 60, 500, 124_750, time // 60, 2.5) for time in (60, 120)]
    screens.append((90, "1s", 300, 60, 3, 3, 0, 0.1))
    with writing(open_analytics_writer(lake)) as db:
        marks = ", ".join("?" * len(screens[0]))
        db.executemany(f"INSERT INTO screens VALUES ({marks})", screens)
    with serving(lake) as address:
        samples = scrape(address)
    keys = [labels(timeframe=t, lookback=k, window="60") for t, k in (("1m", "240"), ("1s", "300"))]
    found = samples["spreadlake_screen_cointegrated_pairs"]
    assert found == dict(zip(keys, (2.0, 0.0), strict=True))
    assert samples["spreadlake_screen_timestamp_seconds"][keys[0]] == 120
    assert samples["spreadlake_screen_pairs"][keys[0]] == 124_750


def test_only_a_ready_series_has_a_zscore(tmp_path: Path) -> None:
    with serving(make_lake(tmp_path)) as address:
        samples = scrape(address)
    assert samples["spreadlake_pair_zscore"] == {
        series(READY): zscore(READY, 99),
        series(READY_30): zscore(READY_30, 99),
    }
    ready = samples["spreadlake_pair_ready"]
    assert {key for key, value in ready.items() if value == 1} == {series(READY), series(READY_30)}
    assert len(ready) == 5


def test_what_is_null_in_the_lake_is_absent(tmp_path: Path) -> None:
    with serving(make_lake(tmp_path)) as address:
        samples = scrape(address)
    assert series(FLAT) not in samples["spreadlake_pair_correlation"]
    assert samples["spreadlake_pair_beta"][series(FLAT)] == 23.07
    for name in ("correlation", "beta", "spread"):
        assert series(STALE) not in samples[f"spreadlake_pair_{name}"]
        assert series(WARMING) not in samples[f"spreadlake_pair_{name}"]
    assert samples["spreadlake_pair_spread"][series(READY)] == 7.25 + 99


def test_alerts_start_at_zero_for_every_rule_and_series(tmp_path: Path) -> None:
    with serving(make_lake(tmp_path)) as address:
        samples = scrape(address)
    watches = {
        series(READY, rule="zscore"): (2.0, 1, 3),
        series(WARMING, rule="zscore"): (2.0, 0, 0),
        series(READY, rule="wide"): (3.5, 0, 0),
    }
    for index, name in enumerate(("alert_threshold", "alert_active", "alerts_total")):
        expected = {watch: values[index] for watch, values in watches.items()}
        assert samples[f"spreadlake_pair_{name}"] == expected


def test_a_closed_alert_is_active_no_more_and_still_counted(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    with serving(lake) as address:
        with writing(open_analytics_writer(lake)) as db:
            db.execute("UPDATE alert_events SET closed_at = ?, closed_zscore = 1.0", [START + 99])
        samples = scrape(address)
    assert samples["spreadlake_pair_alert_active"][series(READY, rule="zscore")] == 0
    assert samples["spreadlake_pair_alerts_total"][series(READY, rule="zscore")] == 3


def test_what_is_told_of_an_alert_is_of_the_bar_that_opened_it(tmp_path: Path) -> None:
    """While it is open, and a while longer where it opened of late."""
    lake = make_lake(tmp_path)
    watch = series(READY, rule="zscore")
    names = ("zscore", "opened_timestamp_seconds", "spread_bps", "half_life_bars", "log_prices")
    with writing(open_analytics_writer(lake)) as db:
        key = db.execute("SELECT pair, timeframe, window_bars, lookback_bars FROM alert_events")
        event = (*key.fetchone(), START + 50)
        db.execute("DELETE FROM alert_events")
        db.execute("INSERT OR REPLACE INTO progress VALUES ('watermark_ms', ?)", (START * 1000,))
        db.execute(
            "INSERT INTO alert_events VALUES (7, 'zscore', ?, ?, ?, ?, 2, ?, -2.5, -4, NULL, NULL)",
            event,
        )
        db.execute(
            "INSERT OR REPLACE INTO pair_analytics(pair, timeframe, window_bars, lookback_bars, "
            "time, symbol_a, symbol_b, price_a, price_b, spread, spread_mean) "
            "VALUES (?, ?, ?, ?, ?, 'A', 'B', 250, 1, 0.2, 0.5)",
            event,
        )

    def told(address: str) -> list[float | None]:
        samples = scrape(address)
        return [samples.get(f"spreadlake_pair_alert_{name}", {}).get(watch) for name in names]

    with serving(lake) as address:
        assert told(address)[:3] == [-2.5, START + 50, pytest.approx(-12.0)]
        assert told(address)[4] == 0
        for watermark, there in ((START + 229, True), (START + 231, False)):
            with writing(open_analytics_writer(lake)) as db:
                db.execute("UPDATE alert_events SET closed_at = ?", (START + 60,))
                db.execute("UPDATE progress SET value = ?", (watermark * 1000,))
            assert (told(address)[0] is not None) == there


def test_of_what_is_screened_only_open_alerts_are_there(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    with writing(open_analytics_writer(lake)) as db:
        db.execute("INSERT INTO screen_rules VALUES ('quiet', '1m', 240, 60, '{}', 0, 0)")
        add_screen_alert(db, 101, BTC_ETH, START, 2.5)
        db.execute("UPDATE alert_events SET closed_at = ? WHERE id = 101", (START + 60,))
        add_screen_alert(db, 102, BTC_ETH, START + 120, -2.75, half_life=None)
        add_screen_alert(db, 103, "SOLUSDT/ETHUSDT", START + 120, 2.5)
    with serving(lake) as address:
        samples = scrape(address)
    key = ("1m", 60, 240)
    again, other = (series((pair, *key), rule="screened") for pair in (BTC_ETH, "SOLUSDT/ETHUSDT"))
    for name, values in {
        "pair_alert_threshold": (2.25, 2.25),
        "pair_alert_active": (1, 1),
        "pair_alerts_total": (2, 1),
        "screen_alert_zscore": (-2.75, 2.5),
        "screen_alert_edge_bps": (12.34, 12.34),
        "screen_alert_half_life_bars": (None, 14.04),
    }.items():
        found = samples[f"spreadlake_{name}"]
        assert (found.get(again), found.get(other)) == values, name
    assert samples["spreadlake_pair_alert_active"][series(READY, rule="zscore")] == 1
    rules = [labels(rule="quiet"), labels(rule="screened")]
    assert samples["spreadlake_screen_alerts_total"] == dict(zip(rules, (0, 7), strict=True))
    assert samples["spreadlake_screen_alerts_left_out"] == dict(zip(rules, (0, 12), strict=True))


def test_a_lake_from_before_screens_had_alerts_has_those_of_pairs(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    with writing(open_analytics_writer(lake)) as db:
        db.execute("DROP TABLE screen_alerts")
        db.execute("DROP TABLE screen_rules")
    with serving(lake) as address:
        samples = scrape(address)
    assert samples["spreadlake_pair_alert_active"][series(READY, rule="zscore")] == 1
    assert not samples.get("spreadlake_screen_alerts_total")


def test_capture_by_symbol(tmp_path: Path) -> None:
    with serving(make_lake(tmp_path)) as address:
        samples = scrape(address)
    btc, eth, sol = (labels(symbol=f"{name}USDT") for name in ("BTC", "ETH", "SOL"))
    assert samples["spreadlake_symbol_price"] == {btc: 60_000.5, eth: 2_600.25}
    assert samples["spreadlake_last_trade_timestamp_seconds"] == {
        btc: WATERMARK_MS / 1000,
        eth: WATERMARK_MS / 1000 - 1,
    }
    assert samples["spreadlake_ticks_total"] == {btc: 500, eth: 390, sol: 0}
    assert samples["spreadlake_tick_gaps_total"] == {btc: 1, eth: 2, sol: 0}
    assert samples["spreadlake_tick_gaps_open"] == {btc: 0, eth: 1, sol: 0}
    assert samples["spreadlake_tick_gaps_lost"] == {btc: 0, eth: 1, sol: 0}


def test_a_symbol_that_is_captured_no_more_has_no_latest_trade(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    with writing(open_ticks_writer(lake)) as db:
        set_status(db, int(time.time() * 1000), {"captured": ["ETHUSDT", "NEWUSDT"]})
        add_counters(db, {("rolled_hours", ""): 3, ("rolled_partitions", ""): 7})
    with serving(lake) as address:
        samples = scrape(address)
    eth, btc, new = (labels(symbol=f"{name}USDT") for name in ("ETH", "BTC", "NEW"))
    assert set(samples["spreadlake_last_trade_timestamp_seconds"]) == {eth}
    assert set(samples["spreadlake_symbol_price"]) == {eth}
    # What was counted stays counted; who was added begins at 0.
    assert samples["spreadlake_ticks_total"] == {btc: 500, eth: 390, new: 0}
    assert samples["spreadlake_rolled_partitions_total"][()] == 7


def test_the_pipeline_as_a_whole(tmp_path: Path) -> None:
    with serving(make_lake(tmp_path)) as address:
        samples = scrape(address)
    expected = {
        "spreadlake_watermark_timestamp_seconds": WATERMARK_MS / 1000,
        "spreadlake_job_duration_seconds": 0.02,
        "spreadlake_job_backlog_ticks": 10,
        "spreadlake_job_steps_total": 40,
        "spreadlake_ticks_dropped_total": 5,
        "spreadlake_frames_total": 900,
        "spreadlake_frames_malformed_total": 2,
        "spreadlake_frames_ignored_total": 0,
        "spreadlake_connections": 2,
        "spreadlake_buffer_ticks": 17,
    }
    assert {name: samples[name][()] for name in expected} == expected
    collector = labels(service="collector")
    assert samples["spreadlake_service_up"][collector] == 1
    sizes = samples["spreadlake_database_bytes"]
    assert sizes[labels(database="ticks")] == (tmp_path / "ticks.db").stat().st_size


def test_slow_statistics_that_wait(tmp_path: Path) -> None:
    """Those of history are due, and none of them makes the newest late."""
    lake = make_lake(tmp_path)
    due, behind = "spreadlake_pair_tests_due", "spreadlake_pair_tests_behind_seconds"
    for times, wanted in (
        ([], (0, 0)),
        ([START - 86_400, START - 7_200], (2, 0)),
        ([START + 39, START + 99], (4, 60)),
    ):
        add_due_tests(tmp_path, *times)
        with LakeSnapshot(lake) as look:
            families = {family.name: family for family in job_families(read_job(look))}
        assert tuple(families[name].samples[0].value for name in (due, behind)) == wanted


def test_the_latest_slow_statistics(tmp_path: Path) -> None:
    with serving(make_lake(tmp_path)) as address:
        samples = scrape(address)
    key = labels(pair=BTC_ETH, timeframe="1s", lookback=300)
    assert samples["spreadlake_pair_half_life_bars"] == {key: 55.0}
    assert samples["spreadlake_pair_adf_pvalue"] == {key: 0.02}


def test_each_scrape_shows_what_was_committed_before_it(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    btc = labels(symbol="BTCUSDT")
    with serving(lake) as address:
        assert scrape(address)["spreadlake_ticks_total"][btc] == 500
        with writing(open_ticks_writer(lake)) as db:
            add_counters(db, {("ticks", "BTCUSDT"): 7})
        assert scrape(address)["spreadlake_ticks_total"][btc] == 507


def test_a_writer_in_the_middle_of_a_transaction_holds_nothing_up(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    writer = open_analytics_writer(lake)
    with serving(lake) as address, atomic(writer):
        writer.execute("DELETE FROM pair_status")
        assert len(scrape(address)["spreadlake_pair_zscore"]) == 2
    writer.close()


def test_a_scrape_opens_each_database_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that all of its numbers are of one moment of each."""
    opened: list[str] = []

    def opening(path: Path) -> sqlite3.Connection:
        opened.append(path.name)
        return open_reader(path)

    monkeypatch.setattr("spreadlake.status.snapshots.open_reader", opening)
    lake = make_lake(tmp_path)
    families = list(LakeMetrics(lake, parts_of(load_settings(None).symbols)).collect())
    assert any(family.samples for family in families)
    assert sorted(opened) == ["analytics.db", "ticks.db"]


@pytest.mark.parametrize("make", [None, make_ticks, make_analytics], ids=["none", "ticks", "pairs"])
def test_a_lake_that_is_not_there_yet_is_no_error(tmp_path: Path, make: object) -> None:
    if callable(make):
        make(tmp_path)
    with serving(Lake(tmp_path)) as address:
        samples = scrape(address)
    assert set(samples["spreadlake_exporter_collect_success"].values()) == {1}
    assert labels(symbol="BTCUSDT") in samples["spreadlake_ticks_total"]


def test_a_database_whose_tables_are_yet_to_come_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "ticks.db").touch()
    with serving(Lake(tmp_path)) as address:
        assert set(scrape(address)["spreadlake_exporter_collect_success"].values()) == {1}


@pytest.mark.parametrize("of", ["fixture", "nothing"])
def test_promtool_finds_nothing_to_complain_about(tmp_path: Path, of: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on PATH (Debian: prometheus)")
    lake = make_lake(tmp_path) if of == "fixture" else Lake(tmp_path)
    with serving(lake) as address:
        body = get(f"{address}/metrics")[2]
    check = subprocess.run(
        [promtool, "check", "metrics"], input=body, capture_output=True, check=False
    )
    assert (check.returncode, check.stdout + check.stderr) == (0, b"")


def test_the_cost_does_not_grow_with_history(tmp_path: Path) -> None:
    short, long = (statements(tmp_path / str(bars), bars) for bars in (50, 5_000))
    assert long <= short * 1.1


def statements(root: Path, bars: int) -> int:
    """Steps of SQLite's machine that the pair metrics take on a lake with `bars` bars."""

    root.mkdir()
    make_analytics(root, bars=bars)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with LakeSnapshot(Lake(root)) as look:
        with look.database(look.lake.analytics_db) as db:
            assert db is not None
            db.set_progress_handler(count, 1)
        families = [*pair_families(read_pairs(look)), *pair_test_families(read_pair_tests(look))]
    assert families
    assert steps > 0
    return steps


def test_every_part_can_be_asked_for_by_name(tmp_path: Path) -> None:
    assert list(parts_of(load_settings(None).symbols)) == [
        "services", "capture", "pairs", "pair_tests", "alerts", "job", "screens", "notifications",
        "uploads", "storage",
    ]  # fmt: skip
    with serving(make_lake(tmp_path)) as address:
        body = get(f"{address}/metrics?name[]=spreadlake_pair_beta")[2].decode()
    names = {line.split("{")[0] for line in body.splitlines() if not line.startswith("#")}
    assert names == {"spreadlake_pair_beta"}


def test_an_announced_delivery_is_a_sample_of_a_captured_symbol_only(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    rows = [
        UniverseRow("BTCUSDT", 0, "in", trading=1),
        UniverseRow("OLDUSDT", 1, "in", delivery_ms=1_800_000_000_000, trading=0),
        UniverseRow("GONEUSDT", None, "out", delivery_ms=1_700_000_000_000, trading=0),
        UniverseRow("ASKEDUSDT", 2, "of a collector that the exchange did not answer yet"),
    ]
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        save_universe(db, rows, "all of them", 1_790_000_000_500)
    with serving(lake) as address:
        samples = scrape(address)
    announced = {labels(symbol="OLDUSDT"): 1_800_000_000}
    assert samples["spreadlake_symbol_delivery_timestamp_seconds"] == announced
    assert samples["spreadlake_symbol_trading"] == {
        labels(symbol="BTCUSDT"): 1,
        labels(symbol="OLDUSDT"): 0,
    }
    assert samples["spreadlake_symbols_captured"] == {labels(): 3}
    assert samples["spreadlake_universe_look_timestamp_seconds"] == {labels(): 1_790_000_000.5}
    assert samples["spreadlake_universe_look_failing"] == {labels(): 0}
