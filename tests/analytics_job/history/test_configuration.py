"""What is configured later has the same history as what was there from the start."""

import multiprocessing
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analytics_job.alerts.rows import AlertRows, RowReader
from analytics_job.job import AnalyticsJob
from spreadlake.config import ConfigWatch, Settings, load_settings
from tests.analytics_job import harness
from tests.analytics_job.markets import walk

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
TRADES = walk(SYMBOLS, 260, seed=5, per_second=1.0)
BEFORE, AFTER = TRADES[:400], TRADES[400:]

BASE: dict[str, Any] = {
    "symbols": SYMBOLS,
    "pairs": [["AUSDT", "BUSDT"]],
    "timeframes": ["1s", "5s"],
    "windows": [20],
    "lookbacks": [40],
    "max_stale_bars": 6,
    "job": {"tests_interval": 30},
    "alerts": [{"name": "old", "window": 20, "threshold": 1.0, "min_bars": 2, "quiet_seconds": 0}],
}
EDITS: dict[str, dict[str, Any]] = {
    "a pair": {"pairs": [["CUSDT", "BUSDT"], ["AUSDT", "BUSDT"]]},
    "a pair turned round": {"pairs": [["BUSDT", "AUSDT"]]},
    "a window": {"windows": [5, 20, 35]},
    "a lookback": {"lookbacks": [40, 25, 90]},
    "a timeframe": {"timeframes": ["1s", "5s", "7s", "1m"]},
    "staleness": {"max_stale_bars": 2},
    "kalman noise": {"kalman": {"delta": 0.01, "observation_variance": 0.1}},
    "logarithms": {"prices": "log"},
    "logarithms, a pair, a window": {"prices": "log", "pairs": "all", "windows": [20, 35]},
    "a rule": {
        "alerts": [
            *BASE["alerts"],
            {"name": "new", "window": 20, "threshold": 0.7, "close_below": 0.3},
            {"name": "gated", "window": 20, "threshold": 0.5, "min_correlation": 0.2},
        ]
    },
    "an edited rule": {"alerts": [{"name": "old", "window": 20, "threshold": 0.6}]},
    "a quieter rule, and lookbacks": {
        "lookbacks": [25, 40],
        "alerts": [{"name": "old", "window": 20, "threshold": 0.8, "quiet_seconds": 45}],
    },
    "fewer windows, other pairs": {
        "pairs": [["AUSDT", "CUSDT"]],
        "windows": [12],
        "alerts": [{"name": "old", "window": 12, "threshold": 0.9}],
    },
}


def _settings(edit: dict[str, Any]) -> Settings:
    return harness.settings(**(BASE | edit))


def _tables(lake: harness.TestLake, config: Settings) -> dict[str, Any]:
    """What belongs to the configuration: rows of a series that is gone may stay."""
    series = set(config.series)
    rules = {rule.name for rule in config.alerts}
    tables = lake.tables() | {"pair_tests": lake.table("pair_tests")}
    for name in ("bars", "first_bars"):
        tables[name] = [r for r in tables[name] if r["timeframe"] in ("1s", *config.timeframes)]
    tests = {(key[0], key[1], key[3]) for key in series}
    for name in ("pair_analytics", "pair_rollups"):
        tables[name] = [r for r in tables[name] if _key(r) in series]
    tables["pair_tests"] = [
        r for r in tables["pair_tests"] if (r["pair"], r["timeframe"], r["lookback_bars"]) in tests
    ]
    tables["alert_events"] = [
        r for r in tables["alert_events"] if _key(r) in series and r["rule"] in rules
    ]
    return tables


def _key(row: dict[str, Any]) -> tuple[str, str, int, int]:
    return row["pair"], row["timeframe"], row["window_bars"], row["lookback_bars"]


def _from_the_start(root: Path, config: Settings) -> dict[str, Any]:
    lake = harness.TestLake(root)
    job = AnalyticsJob(lake.lake, config)
    for batch in (BEFORE, AFTER):
        lake.store(batch)
        job.step()
    job.finish_tests()
    job.close()
    lake.close()
    return _tables(lake, config)


@pytest.mark.parametrize("restart", [False, True], ids=["live", "restarted"])
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_what_is_added_later_has_its_whole_history(
    tmp_path: Path, edit: dict[str, Any], restart: bool
) -> None:
    config = _settings(edit)
    lake = harness.TestLake(tmp_path / "later")
    job = AnalyticsJob(lake.lake, _settings({}))
    lake.store(BEFORE)
    job.step()
    if restart:
        job.close()
        job = AnalyticsJob(lake.lake, config)
    else:
        job.configure(config)
    lake.store(AFTER)
    job.step()
    job.finish_tests()
    job.close()
    want = _from_the_start(tmp_path / "start", config)
    got = _tables(lake, config)
    for name, rows in want.items():
        assert rows, name
        assert got[name] == rows, name
    lake.close()


def test_back_and_forth_is_as_if_nothing_had_been(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path / "edited")
    job = AnalyticsJob(lake.lake, _settings({}))
    edits = [{}, *EDITS.values()]
    for at in range(0, len(TRADES), 60):
        lake.store(TRADES[at : at + 60])
        job.step()
        job.configure(_settings(edits[at // 60 % len(edits)]))
    job.configure(_settings({}))
    job.step()
    job.finish_tests()
    job.close()
    assert _tables(lake, _settings({})) == _from_the_start(tmp_path / "plain", _settings({}))
    lake.close()


def test_a_pair_that_comes_again_does_not_hold_up_the_job_with_its_old_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules run over them as they are computed again, in hops, and find what they had found."""
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, _settings({}))
    lake.store(TRADES)
    job.step()
    before = lake.table("alert_events")
    assert len(before) > 3
    read: list[int] = []
    real = RowReader.first_piece

    def counted(*arguments: Any) -> AlertRows:
        rows = real(*arguments)
        read.append(len(rows))
        return rows

    job.configure(_settings({"pairs": [["CUSDT", "BUSDT"]]}))
    monkeypatch.setattr(RowReader, "first_piece", counted)
    job.configure(_settings({}))
    assert sum(read) == 0
    job.step()
    assert sum(read) > 0
    assert lake.table("alert_events") == before
    job.close()
    lake.close()


def test_what_is_removed_leaves_no_status_line_and_no_open_event(tmp_path: Path) -> None:
    """Its past events stay: they happened."""
    wide = _settings(
        {
            "pairs": "all",
            "windows": [20, 30],
            "alerts": [
                {"name": "old", "window": 20, "threshold": 0.01, "close_below": 0.005},
                {"name": "gone", "window": 30, "threshold": 0.01, "close_below": 0.005},
            ],
        }
    )
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, wide)
    lake.store(TRADES)
    job.step()
    open_before = [e for e in lake.table("alert_events") if e["closed_at"] is None]
    closed = [e for e in lake.table("alert_events") if e["closed_at"] is not None]
    assert {event["rule"] for event in open_before} == {"old", "gone"}
    kept = _settings(
        {"alerts": [{"name": "old", "window": 20, "threshold": 0.01, "close_below": 0.005}]}
    )
    job.configure(kept)
    keys = {_key(line) for line in lake.table("pair_status")}
    assert keys == {("AUSDT/BUSDT", "1s", 20, 40), ("AUSDT/BUSDT", "5s", 20, 40)}
    events = lake.table("alert_events")
    still_open = [e for e in events if e["closed_at"] is None]
    assert {(e["rule"], _key(e)) for e in still_open} <= {("old", ("AUSDT/BUSDT", "1s", 20, 40))}
    assert [e for e in events if e["closed_at"] is not None] == closed
    rules = {(row["rule"], _key(row)) for row in lake.table("alert_rules")}
    assert rules == {("old", ("AUSDT/BUSDT", "1s", 20, 40))}
    job.close()
    lake.close()


def test_a_new_series_says_at_once_what_it_is_worth(tmp_path: Path) -> None:
    """Its next bar may be an hour away."""
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, _settings({}))
    lake.store(TRADES)
    job.step()
    job.configure(
        _settings({"pairs": "all", "timeframes": ["1s", "1m"], "windows": [3, 20], "alerts": []})
    )
    states = {_key(line): line["state"] for line in lake.table("pair_status")}
    assert states == {
        (pair, timeframe, window, 40): "warming" if (timeframe, window) == ("1m", 20) else "ready"
        for pair in ("AUSDT/BUSDT", "AUSDT/CUSDT", "BUSDT/CUSDT")
        for timeframe in ("1s", "1m")
        for window in (3, 20)
    }
    have = {line["bars_have"] for line in lake.table("pair_status") if line["timeframe"] == "1m"}
    assert have == {4}
    job.close()
    lake.close()


def test_no_pairs_and_no_rules_still_make_bars(tmp_path: Path) -> None:
    config = _settings({"pairs": [], "alerts": []})
    lake = harness.run_job(tmp_path, config, [TRADES])
    assert {row["timeframe"] for row in lake.table("bars")} == {"1s", "5s"}
    assert not lake.table("pair_analytics")
    assert not lake.table("pair_status")
    lake.close()


# --- through the running service


def _serve(root: Path, config: Path) -> None:
    from analytics_job.service import run
    from spreadlake.config import load_settings
    from spreadlake.lake import Lake
    from spreadlake.logs import configure_logs
    from spreadlake.service import ServiceContext

    with (root / "log.txt").open("w", buffering=1) as log:
        configure_logs("analytics-job", stream=log)
        run(ServiceContext(load_settings(config), Lake(root), config))


def _toml(threshold: float, extra: str = "") -> str:
    return f"""
symbols = ["AUSDT", "BUSDT"]
timeframes = ["1s"]
windows = [20]
lookbacks = [40]
{extra}
[job]
interval = 0.05
[[alerts]]
name = "live"
window = 20
threshold = {threshold}
min_bars = 1
quiet_seconds = 0
"""


def test_an_edited_file_is_live_within_seconds_and_a_wrong_edit_is_refused(
    tmp_path: Path,
) -> None:
    config = tmp_path / "spreadlake.toml"
    config.write_text(_toml(1.0))
    lake = harness.TestLake(tmp_path)
    lake.store(BEFORE)
    service = multiprocessing.get_context("spawn").Process(target=_serve, args=(tmp_path, config))
    service.start()
    try:
        harness.wait_until(lambda: _thresholds(lake) == {1.0})
        config.write_text(_toml(0.5))
        harness.wait_until(lambda: _thresholds(lake) == {0.5})
        for wrong in (
            _toml(-3.0),
            _toml(0.25, "window = 7"),
            _toml(0.25).replace("window = 20", "window = 21"),
            "symbols = [",
        ):
            refused = _log(tmp_path).count("refused")
            _replace(config, wrong)
            harness.wait_until(partial(_refused_more_than, tmp_path, refused))
        config.unlink()  # as an editor does between delete and rename
        lake.store(AFTER)
        last = AFTER[-1].time_ms // 1000 - 1
        harness.wait_until(lambda: max(row["time"] for row in lake.table("bars")) == last)
        assert _thresholds(lake) == {0.5}
        assert max(row["opened_at"] for row in lake.table("alert_events")) > last - 60
        _replace(config, _toml(0.25))
        harness.wait_until(lambda: _thresholds(lake) == {0.25})
    finally:
        os.kill(service.pid or 0, signal.SIGTERM)
        service.join(90)
    assert service.exitcode == 0
    assert "threshold" in _log(tmp_path)
    lake.close()


def test_an_edit_before_the_watch_began_is_seen(tmp_path: Path) -> None:
    config = tmp_path / "spreadlake.toml"
    config.write_text(_toml(1.0))
    settings = load_settings(config)
    config.write_text(_toml(0.5))
    watch = ConfigWatch(config, settings)
    edited = watch.edited()
    assert edited is not None
    assert edited.alerts[0].threshold == 0.5
    assert watch.edited() is None
    _replace(config, _toml(0.5))  # saved again as it was
    assert watch.edited() is None


def _replace(path: Path, text: str) -> None:
    """As many editors save: beside, then renamed over."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.rename(path)


def _log(root: Path) -> str:
    return (root / "log.txt").read_text()


def _thresholds(lake: harness.TestLake) -> set[float]:
    """Those of the rules in force."""
    if not lake.has_table("alert_rules"):
        return set()
    return {row["threshold"] for row in lake.table("alert_rules")}


def _refused_more_than(root: Path, times: int) -> bool:
    return _log(root).count("refused") > times


def page_url(lake: harness.TestLake) -> list[str]:
    return [row["value"] for row in lake.table("meta") if row["key"] == "page_url"]


def test_dashboards_are_told_where_the_page_is(tmp_path: Path) -> None:
    """Also where that is configured while the job runs."""
    lake = harness.run_job(tmp_path, harness.settings(**BASE), [BEFORE])
    assert page_url(lake) == ["http://127.0.0.1:9464"]
    job = AnalyticsJob(lake.lake, harness.settings(**BASE))
    job.configure(harness.settings(**BASE, exporter={"url": "https://charts.example.org/lake/"}))
    job.close()
    assert page_url(lake) == ["https://charts.example.org/lake"]
    job = AnalyticsJob(lake.lake, harness.settings(**BASE, exporter={"host": "::", "port": 80}))
    job.close()
    assert page_url(lake) == ["http://[::1]:80"]
