"""The exporter as its own process."""

import re
import signal
import socket
from pathlib import Path

import pytest

from spreadlake.lake.backtests import kept_backtests
from tests.exporter.serving import get, labels, scrape
from tests.fixture_lake import make_lake
from tests.patience import PATIENCE
from tests.running import run, started, until


def address_of(log: Path) -> str | None:
    match = re.search(r"(http://\S+)/metrics", log.read_text())
    return match[1] if match else None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    lake = make_lake(tmp_path / "lake")
    port = {"SPREADLAKE_EXPORTER__PORT": "0"}
    command = ["export-metrics", "--data", lake.root]
    with started(*command, cwd=tmp_path, variables=port) as process:
        address = until(lambda: address_of(tmp_path / "err.txt"), "the exporter's address")
        assert scrape(address)["spreadlake_ticks_total"][labels(symbol="BTCUSDT")] == 500
        assert get(f"{address}/healthz")[0] == 200
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0


def test_the_duration_ends_it(tmp_path: Path) -> None:
    variables = {"SPREADLAKE_EXPORTER__PORT": "0"}
    ended = run("export-metrics", "--duration", 0.2, cwd=tmp_path, variables=variables)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_grafana_finds_a_database_of_back_tests_also_where_none_is_kept(tmp_path: Path) -> None:
    lake, variables = make_lake(tmp_path / "data"), {"SPREADLAKE_EXPORTER__PORT": "0"}
    assert not lake.backtests_db.exists()
    run("export-metrics", "--duration", 0.2, cwd=tmp_path, variables=variables)
    assert lake.backtests_db.exists()
    assert kept_backtests(lake) == []


def test_no_lake_is_made_where_there_is_none(tmp_path: Path) -> None:
    variables = {"SPREADLAKE_EXPORTER__PORT": "0"}
    ended = run("export-metrics", "--duration", 0.2, cwd=tmp_path, variables=variables)
    assert ended.returncode == 0
    assert not (tmp_path / "data").exists()


def test_a_port_in_use_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        variables = {"SPREADLAKE_EXPORTER__PORT": port}
        ended = run("export-metrics", cwd=tmp_path, variables=variables)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"spreadlake: error: port {port} on 127.0.0.1 is in use; ")
    assert len(ended.stderr.splitlines()) == 1
