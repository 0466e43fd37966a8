"""`spreadlake status`: states, freshness, gaps, pairs, alerts, whatever of the lake is there."""

import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from launcher.commands.by_hand import when_taken
from launcher.commands.status_tables import as_tables
from spreadlake.errors import LakeError
from spreadlake.lake import (
    Lake,
    add_counters,
    atomic,
    open_analytics_writer,
    open_ticks_writer,
)
from spreadlake.lake.backup.run import back_up
from spreadlake.lake.databases.meta import write_meta
from spreadlake.status import LakeReport, report_on
from spreadlake.words import age, duration, number, signed, size
from tests.exporter.serving import serving
from tests.fixture_lake import (
    START,
    WATERMARK_MS,
    add_due_tests,
    heartbeat,
    make_analytics,
    make_lake,
    make_ticks,
    writing,
)
from tests.living import living
from tests.patience import PATIENCE
from tests.running import invoke, run, started, until

NOW = START + 130.0
NOWHERE = {"SPREADLAKE_EXPORTER__PORT": "1"}


def as_json(folder: Path, **variables: str) -> dict[str, Any]:
    ended = invoke("status", "--data", "lake", "--json", cwd=folder, variables=NOWHERE | variables)
    assert (ended.returncode, ended.stderr) == (0, "")
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


def test_a_look_at_one_series_reads_that_one_of_each_pair(tmp_path: Path) -> None:
    lake = make_lake(tmp_path, NOW)
    every = report_on(lake, NOW).pairs
    keys = list(dict.fromkeys((p.timeframe, p.window, p.lookback) for p in every))
    assert len(keys) > 2
    for looked in (keys[:1], keys[1:], keys):
        mine = [pair for pair in every if (pair.timeframe, pair.window, pair.lookback) in looked]
        assert report_on(lake, NOW, looked=looked).pairs == mine


def test_json_has_everything(tmp_path: Path) -> None:
    make_lake(tmp_path / "lake")
    with living(tmp_path / "lake"):
        report = as_json(tmp_path)
    assert list(report) == [
        "lake", "reported_at", "origin", "trade_kind", "services", "ticks", "ticks_unprocessed",
        "last_trade_at", "watermark_at", "lag_seconds", "symbols", "gaps", "pairs", "alerts",
        "slow_tests", "files", "not_trading", "missing", "connections", "klines",
        "universe", "warm_start", "followed", "prices",
    ]  # fmt: skip
    assert {s["name"]: s["state"] for s in report["services"]} == {
        "collector": "running",
        "analytics-job": "running",
        "exporter": "stopped",
    }
    assert (report["ticks"], report["ticks_unprocessed"]) == (890, 10)
    assert report["watermark_at"] == WATERMARK_MS / 1000
    assert [(g["symbol"], g["missing"], g["state"]) for g in report["gaps"]] == [
        ("ETHUSDT", 10, "open"),
        ("ETHUSDT", 1, "lost"),
    ]
    states = {(p["pair"], p["timeframe"], p["window"]): p["state"] for p in report["pairs"]}
    assert states["ETHUSDT/SOLUSDT", "1s", 60] == "warming"
    assert [(a["rule"], a["peak_zscore"]) for a in report["alerts"]] == [("zscore", 3.1)]
    assert {f["name"] for f in report["files"]} >= {"ticks.db", "analytics.db"}


def test_text_has_everything(tmp_path: Path) -> None:
    make_lake(tmp_path / "lake")
    ended = run("status", "--data", "lake", cwd=tmp_path, variables=NOWHERE)
    assert (ended.returncode, ended.stderr) == (0, "")
    for part in (
        "890 trades, the latest 2024-08-09T00:01:40Z",
        "10 trades are yet to be analysed",
        "warming up: 37 of 60 bars",
        "SOLUSDT has not traded for 45 bars",
        "stream: too old",
        "2024-08-09T00:00:50Z",
        "nothing answers on 127.0.0.1:1",
        "analytics.db",
    ):
        assert part in ended.stdout


def test_what_each_connection_is_worth_is_told(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake")
    ended = invoke("status", "--data", "lake", cwd=tmp_path, variables=NOWHERE)
    assert "connections:" not in ended.stdout
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        counted = {("first", "1"): 3, ("first", "2"): 1, ("repeated", "2"): 3}
        add_counters(db, {**counted, ("single_gaps", "2"): 1})
    assert as_json(tmp_path)["connections"] == [
        {"number": 1, "first": 3, "repeated": 0, "gaps": 0},
        {"number": 2, "first": 1, "repeated": 3, "gaps": 1},
    ]
    ended = invoke("status", "--data", "lake", cwd=tmp_path, variables=NOWHERE)
    line = "connections: 1 first with 75%, alone 0 gaps; 2 first with 25%, alone 1 gap"
    assert line in ended.stdout


def test_slow_statistics_that_wait_are_told(tmp_path: Path) -> None:
    make_lake(tmp_path / "lake")
    assert as_json(tmp_path)["slow_tests"] == {
        "due": 0, "oldest_at": None, "behind_seconds": 0.0,
    }  # fmt: skip
    add_due_tests(tmp_path / "lake", START - 7_200)
    ended = invoke("status", "--data", "lake", cwd=tmp_path, variables=NOWHERE)
    line = "1 slow statistic due; the newest are computed, from 2024-08-08T22:00:00Z on"
    assert line in ended.stdout
    add_due_tests(tmp_path / "lake", START - 20, START + 99)
    ended = invoke("status", "--data", "lake", cwd=tmp_path, variables=NOWHERE)
    assert "3 slow statistics due; the newest are 1 min behind" in ended.stdout


@pytest.mark.parametrize("width", [40, 80, 200])
def test_text_fits_the_terminal(tmp_path: Path, width: int) -> None:
    make_lake(tmp_path)
    console = Console(width=width, record=True, file=(tmp_path / "out").open("w"))
    console.print(as_tables(report_on(Lake(tmp_path), NOW)))
    console.file.close()
    assert max(len(line.rstrip()) for line in console.export_text().splitlines()) <= width


def test_a_service_is_running_late_or_stopped(tmp_path: Path) -> None:
    make_lake(tmp_path, now=NOW)
    assert states(report_on(Lake(tmp_path), NOW + 10)) == ["running", "running"]
    late = report_on(Lake(tmp_path), NOW + 16)
    assert states(late) == ["late", "late"]
    assert late.services[0].message == (
        "no sign of life since 2024-08-09T00:02:10Z: it hangs, or it was killed"
    )
    with writing(open_ticks_writer(Lake(tmp_path))) as db:
        heartbeat(db, "collector", NOW + 20, state="stopped")
    later = report_on(Lake(tmp_path), NOW + 1000)
    assert states(later) == ["stopped", "late"]
    assert later.services[0].message == "stopped at 2024-08-09T00:02:30Z"


def test_symbols_that_do_not_trade_are_told_with_their_status(tmp_path: Path) -> None:
    make_lake(tmp_path / "lake")
    assert as_json(tmp_path)["not_trading"] == {}
    with writing(open_ticks_writer(Lake(tmp_path / "lake"))) as db:
        heartbeat(db, "collector", NOW, not_trading={"ETHUSDT": "TRADING_HALT"})
    assert as_json(tmp_path)["not_trading"] == {"ETHUSDT": "TRADING_HALT"}
    told = run("status", "--data", "lake", cwd=tmp_path, variables=NOWHERE).stdout
    assert "not trading now" in told
    assert "TRADING_HALT" in told


def states(report: LakeReport) -> list[str]:
    return [service.state for service in report.services]


def test_any_status_of_a_service_is_a_sign_of_life(tmp_path: Path) -> None:
    make_ticks(tmp_path, now=NOW)
    with writing(open_ticks_writer(Lake(tmp_path))) as db:
        db.execute("INSERT INTO service_status VALUES ('other', '1', ?)", [(NOW + 60) * 1000])
    assert states(report_on(Lake(tmp_path), NOW + 70))[0] == "running"


def test_a_step_that_fails_is_told(tmp_path: Path) -> None:
    make_analytics(tmp_path, now=NOW)
    with writing(open_analytics_writer(Lake(tmp_path))) as db:
        heartbeat(db, "job", NOW, error="disk I/O error")
    job = report_on(Lake(tmp_path), NOW).services[1]
    assert job.message == "running, but its last step failed: disk I/O error"


def test_only_ticks(tmp_path: Path) -> None:
    make_ticks(tmp_path / "lake")
    report = as_json(tmp_path)
    assert [s["state"] for s in report["services"]] == ["running", "never started", "stopped"]
    assert (report["pairs"], report["watermark_at"]) == ([], None)
    assert report["ticks_unprocessed"] == 890


def test_only_analytics(tmp_path: Path) -> None:
    make_analytics(tmp_path / "lake")
    report = as_json(tmp_path)
    assert (report["ticks"], report["ticks_unprocessed"]) == (0, None)
    assert len(report["pairs"]) == 5


def test_a_lake_whose_tables_are_yet_to_come(tmp_path: Path) -> None:
    (tmp_path / "ticks.db").touch()
    assert report_on(Lake(tmp_path), NOW).ticks == 0


def test_no_lake(tmp_path: Path) -> None:
    ended = invoke("status", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == (
        "spreadlake: error: no lake in data: choose its folder with --data, "
        "or start spreadlake on it\n"
    )


def test_no_lake_but_the_demo_s(tmp_path: Path) -> None:
    make_ticks(tmp_path / "data" / "demo", origin="demo")
    ended = invoke("status", cwd=tmp_path)
    assert ended.returncode == 2
    assert "(the demo's is there: --data data/demo)" in ended.stderr
    assert invoke("status", "--data", "data/demo", cwd=tmp_path, variables=NOWHERE).returncode == 0


def test_the_folder_can_be_in_the_environment(tmp_path: Path) -> None:
    make_ticks(tmp_path / "lake")
    variables = NOWHERE | {"SPREADLAKE_DATA": "lake"}
    assert invoke("status", cwd=tmp_path, variables=variables).returncode == 0


def test_an_exporter_of_this_lake_and_one_of_another(tmp_path: Path) -> None:
    lake = make_lake(tmp_path / "lake")
    with serving(lake) as address:
        port = address.rpartition(":")[2]
        here = as_json(tmp_path, SPREADLAKE_EXPORTER__PORT=port)["services"][2]
    assert (here["state"], here["message"]) == ("running", f"http://127.0.0.1:{port}/metrics")
    with serving(Lake(tmp_path / "other")) as address:
        port = address.rpartition(":")[2]
        there = as_json(tmp_path, SPREADLAKE_EXPORTER__PORT=port)["services"][2]
    assert there["state"] == "stopped"
    assert there["message"].endswith(f"serves {(tmp_path / 'other').resolve()}")


@pytest.mark.parametrize("written", ["[exporter]\nport = 1", "[exporter"])
def test_the_exporter_is_where_it_said_and_not_where_the_settings_say(
    tmp_path: Path, written: str
) -> None:
    """A demo takes no notice of the file here, and an edited port holds with the next start."""
    lake = make_lake(tmp_path / "lake")
    (tmp_path / "spreadlake.toml").write_text(written)
    command = ["export-metrics", "--data", "lake", "--config", os.devnull]
    free = {"SPREADLAKE_EXPORTER__PORT": "0"}
    with started(*command, cwd=tmp_path, variables=free) as exporter:
        until(lake.exporter_address.exists, "the address")
        note = lake.exporter_address.read_text()
        here = as_json(tmp_path)["services"][2]
        exporter.terminate()
        assert exporter.wait(PATIENCE) == 0
    assert (here["state"], here["message"]) == ("running", f"{note}metrics")
    assert not lake.exporter_address.parent.exists()
    lake.exporter_address.parent.mkdir()
    lake.exporter_address.write_text("http://127.0.0.1:2/")  # of one that was killed
    killed = as_json(tmp_path)["services"][2]
    assert (killed["state"], killed["message"]) == ("stopped", "nothing answers on 127.0.0.1:2")
    with serving(lake) as address:
        with writing(open_analytics_writer(lake)) as db:
            write_meta(db, "page_url", address)
        here = as_json(tmp_path)["services"][2]
    assert (here["state"], here["message"]) == ("running", f"{address}/metrics")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("symbols = 1", "spreadlake.toml: symbols = 1: must be a list"),
        ("[exporter", "spreadlake.toml is not valid TOML"),
    ],
)
def test_a_wrong_configuration_does_not_hide_the_lake(
    tmp_path: Path, written: str, said: str
) -> None:
    make_ticks(tmp_path / "lake")
    (tmp_path / "spreadlake.toml").write_text(written)
    report = as_json(tmp_path)
    exporter = report["services"][2]
    assert report["ticks"] == 890
    assert (exporter["name"], exporter["state"]) == ("exporter", "unknown")
    assert exporter["message"].startswith("its address is not known: ")
    assert said in exporter["message"]
    (shown,) = (
        line
        for line in invoke("status", "--data", "lake", cwd=tmp_path).stdout.splitlines()
        if "exporter" in line
    )
    assert said in shown


def test_a_damaged_database_is_one_message(tmp_path: Path) -> None:
    make_ticks(tmp_path / "lake")
    (tmp_path / "lake" / "analytics.db").write_bytes(b"nonsense" * 1000)
    ended = invoke("status", "--data", "lake", cwd=tmp_path)
    assert ended.returncode == 2
    assert "analytics.db cannot be read as a lake's database" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_newer_lake_is_refused(tmp_path: Path) -> None:
    make_ticks(tmp_path)
    with closing(open_ticks_writer(Lake(tmp_path))) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(LakeError, match="schema version 99"):
        report_on(Lake(tmp_path), time.time())


def test_many_gaps_are_counted_and_the_newest_shown(tmp_path: Path) -> None:
    make_ticks(tmp_path)
    with writing(open_ticks_writer(Lake(tmp_path))) as db:
        db.executemany(
            "INSERT INTO gaps(symbol, first_id, last_id, found_ms, cause, state) "
            "VALUES ('BTCUSDT', ?, ?, 0, 'stream', 'lost')",
            [(i, i) for i in range(1000, 1500)],
        )
    report = report_on(Lake(tmp_path), NOW)
    assert report.symbols[0].gaps_lost == 500
    assert len(report.gaps) == 100
    assert [gap.first_id for gap in report.gaps[:3]] == [11, 1499, 1498]


def test_words() -> None:
    assert [number(v) for v in (110_928.7, 3923.26, 1.5, 0.000_001_234, None)] == [
        "110,928.70", "3,923.26", "1.50000", "0.00000123400", "–",
    ]  # fmt: skip
    assert [number(v, 5) for v in (2.98123456e-6, -2.98123456e-4, 2.98123456e-9, 1e-13)] == [
        "0.0000029812", "-0.00029812", "2.9812e-09", "1.0000e-13",
    ], "small numbers keep their digits"  # fmt: skip
    assert [duration(s) for s in (0.04, 9.94, 59, 61, 3600, 7325, 90_000, 40_000_000)] == [
        "0.0 s", "9.9 s", "59 s", "1 min", "1 h", "2 h 2 min", "1 d 1 h", "1 y 97 d",
    ]  # fmt: skip
    assert [signed(v) for v in (1.0, -0.001, None)] == ["+1.00", "-0.00", "–"]
    assert [age(10, 5), age(5, 10), age(5, None)] == ["5.0 s ago", "5.0 s ahead", "never"]
    assert [size(n) for n in (0, 999, 1000, 3_400_000, 10**15)] == [
        "0 B", "999 B", "1.0 kB", "3.4 MB", "1000.0 TB",
    ]  # fmt: skip


def test_nothing_runs_on_a_back_up_until_it_is_started_there(tmp_path: Path) -> None:
    lake, copy = make_lake(tmp_path / "lake"), Lake(tmp_path / "copy")
    assert {one.state for one in report_on(lake, time.time()).services} == {"running"}
    back_up(lake, copy)
    told = report_on(copy, time.time()).services
    assert {(one.name, one.state) for one in told} == {
        ("collector", "stopped"),
        ("analytics-job", "stopped"),
    }
    assert all(
        f"does not run here: it ran on {lake.root}, backed up" in one.message for one in told
    )
    assert when_taken(copy) == "when the analytics job runs next; it does not now"
    with writing(open_ticks_writer(copy)) as db:
        heartbeat(db, "collector", time.time() + 2.0)
    now = {one.name: one.state for one in report_on(copy, time.time()).services}
    assert now == {"collector": "running", "analytics-job": "stopped"}
