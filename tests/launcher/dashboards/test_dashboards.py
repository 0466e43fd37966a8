"""`spreadlake dashboards`: which address it prints, what it starts, and what it leaves alone."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from launcher.commands.dashboards import home_url
from spreadlake.lake import Lake, atomic, open_ticks_writer, set_status, writer_lock
from spreadlake.status import BarSpan, bar_span
from tests.grafana.lake_fixture import LATE_BARS, build_lake
from tests.launcher.dashboards.test_observability import program
from tests.patience import PATIENCE
from tests.running import invoke, started, until

END = 1_700_000_000
GRAFANA = "http://127.0.0.1:3000"
HOME = f"{GRAFANA}/d/spreadlake-pair"


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return list(db.iterdump())


def variables(folder: Path, **more: str) -> dict[str, str]:
    """With a grafana that prints its settings of alerting, and a prometheus that does nothing."""
    told = "print('alerts', os.environ.get('GF_UNIFIED_ALERTING_EXECUTE_ALERTS'), flush=True)"
    program(folder / "bin", "grafana", f"{told}\nsignal.pause()")
    program(folder / "bin", "prometheus")
    usual = {"PATH": str(folder / "bin"), "GF_SERVER_HTTP_PORT": "3000"}
    return usual | {"SPREADLAKE_EXPORTER__PORT": "0"} | more


def shown(folder: Path, *until_said: str, **more: str) -> tuple[str, str]:
    """What the command says on its output and beside it, stopped once it has said all this."""
    settings = variables(folder, **more)
    with started("dashboards", "--data", "lake", cwd=folder, variables=settings) as process:
        out, err = folder / "out.txt", folder / "err.txt"
        until(lambda: all(word in err.read_text() for word in until_said), str(until_said))
        process.terminate()
        assert process.wait(PATIENCE) == 0, err.read_text()
        return out.read_text(), err.read_text()


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (None, HOME),
        (BarSpan(1, END - 9000, END), HOME),
        (BarSpan(1, END - 9000, END - 899), HOME),
        (BarSpan(1, END - 9000, END - 901), f"{HOME}?from={END - 4501}000&to={END - 901}000"),
        (BarSpan(1, END - 1000, END - 901), f"{HOME}?from={END - 1000}000&to={END - 901}000"),
        (BarSpan(60, 0, END - 6000), f"{HOME}?from={END - 222000}000&to={END - 6000}000"),
    ],
)
def test_the_address_has_a_time_range_where_the_usual_one_is_empty(
    span: BarSpan | None, expected: str
) -> None:
    assert home_url(GRAFANA, span, END) == expected


def test_the_span_is_that_of_the_shortest_bars(tmp_path: Path) -> None:
    lake = build_lake(tmp_path, END, seconds=400)
    assert bar_span(lake.lake) == BarSpan(1, END - 399, END + 1)
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db:
        db.execute("DELETE FROM first_bars WHERE timeframe = '1s' AND symbol <> '1000PEPEUSDT'")
        db.commit()
        assert bar_span(lake.lake) == BarSpan(1, END + 1 - LATE_BARS, END + 1)
        db.execute("DELETE FROM first_bars")
        db.commit()
    assert bar_span(lake.lake) is None
    assert bar_span(Lake(tmp_path / "none")) is None


def test_an_old_lake_is_shown_and_not_written(tmp_path: Path) -> None:
    lake = build_lake(tmp_path / "lake", END, seconds=400).lake
    open_ticks_writer(lake).close()
    before = dump(lake.analytics_db), dump(lake.ticks_db)
    out, err = shown(tmp_path, "alerts ", "metrics of lake")
    assert f"  grafana  {HOME}?from={END - 399}000&to={END + 1}000\n" in out
    assert "bars from 2023-11-14T22:06:41Z to 2023-11-14T22:13:21Z" in out
    assert "  alerts   off, because no service runs on this lake\n" in out
    assert "alerts false" in err
    assert "stopped after" in out
    assert (dump(lake.analytics_db), dump(lake.ticks_db)) == before
    assert not list(tmp_path.rglob("collector.lock"))
    assert not list(tmp_path.rglob("analytics-job.lock"))


def test_a_lake_that_is_fed_keeps_its_alerts(tmp_path: Path) -> None:
    lake = build_lake(tmp_path / "lake", int(time.time()), seconds=400).lake
    now_ms = int(time.time() * 1000)
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        set_status(db, now_ms, {"collector": {"pid": 1, "started_ms": now_ms, "state": "running"}})
    out, err = shown(tmp_path, "alerts ", "metrics of lake")
    assert f"  grafana  {HOME}\n" in out, "the usual time range shows it"
    assert "alerts   off" not in out
    assert "alerts None" in err


def test_an_exporter_that_runs_already_keeps_its_port(tmp_path: Path) -> None:
    build_lake(tmp_path / "lake", END, seconds=400)
    other = tmp_path / "other"
    other.mkdir()
    with started(
        "export-metrics", "--data", tmp_path / "lake", cwd=other,
        variables={"SPREADLAKE_EXPORTER__PORT": "0"},
    ):  # fmt: skip
        said = other / "err.txt"
        address = until(lambda: said.read_text().partition("on http://")[2], "its address")
        port = address.partition("/")[0].partition(":")[2]
        _, err = shown(tmp_path, "metrics of lake", SPREADLAKE_EXPORTER__PORT=port)
    assert "metrics of lake on http://127.0.0.1:" in err
    assert f":{port}/metrics" not in err


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    settings = variables(tmp_path)
    done = invoke("dashboards", "--data", "lake", cwd=tmp_path, variables=settings)
    assert done.returncode == 2
    assert done.stderr.startswith("spreadlake: error: no lake in lake: choose its folder")
    lake = build_lake(tmp_path / "lake", END, seconds=400).lake
    done = invoke("dashboards", "--data", "lake", cwd=tmp_path, variables=settings | {"PATH": ""})
    assert done.returncode == 2
    assert "the dashboards need grafana and prometheus on PATH" in done.stderr
    with writer_lock(lake, "grafana"):
        done = invoke("dashboards", "--data", "lake", cwd=tmp_path, variables=settings)
    assert done.returncode == 2
    assert "lake lake already has a grafana running" in done.stderr
