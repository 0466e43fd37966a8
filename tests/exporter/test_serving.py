"""The HTTP side: formats, isolation of the parts, health, addresses."""

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric

from exporter.scrape import LakeMetrics
from exporter.server import MetricsServer, make_app
from exporter.services import Health
from spreadlake.errors import ConfigError
from spreadlake.lake import Lake, open_analytics_writer, open_ticks_writer
from spreadlake.ports import check_listen
from spreadlake.status import LakeSnapshot
from tests.exporter.serving import get, labels, scrape, serving
from tests.fixture_lake import heartbeat, make_lake, make_ticks, writing
from tests.living import living


def test_prometheus_text_is_the_format_unless_another_is_asked_for(tmp_path: Path) -> None:
    with serving(make_lake(tmp_path)) as address:
        plain = get(f"{address}/metrics")
        wanted = "application/openmetrics-text; version=1.0.0"
        openmetrics = get(f"{address}/metrics", Accept=wanted)
    assert plain[1]["Content-Type"].startswith("text/plain")
    assert openmetrics[1]["Content-Type"].startswith("application/openmetrics-text")
    lines = openmetrics[2].decode().splitlines()
    assert "# TYPE spreadlake_ticks counter" in lines
    assert lines[-1] == "# EOF"


def test_the_answer_is_compressed_for_who_takes_it(tmp_path: Path) -> None:
    with serving(make_lake(tmp_path)) as address:
        _, headers, body = get(f"{address}/metrics", Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert b"spreadlake_pair_zscore" in gzip.decompress(body)


def test_other_paths_are_not_found(tmp_path: Path) -> None:
    with serving(Lake(tmp_path)) as address:
        for path in ("/metrics/", "/favicon.ico", "/page/../server.py", "/page/nothing.js"):
            status, _, body = get(f"{address}{path}")
            assert status == 404
            assert b"/metrics and /healthz" in body


def broken(_: LakeSnapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily("half", "Of a part that fails in its middle.", value=1)
    raise OSError("the disk is gone")


def sound(_: LakeSnapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily("whole", "Of a part that works.", value=2)


def test_a_part_that_fails_costs_only_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(Lake(tmp_path), {"broken": broken, "sound": sound}) as address:
        samples = [scrape(address) for _ in range(3)][-1]
    assert samples["whole"] == {(): 2}
    assert "half" not in samples
    assert samples["spreadlake_exporter_collect_success"] == {
        labels(collector="broken"): 0,
        labels(collector="sound"): 1,
    }
    assert len(samples["spreadlake_exporter_collect_duration_seconds"]) == 2
    assert [r.message for r in caplog.records if "the disk is gone" in r.message] == [
        "no metrics of broken until it can be read again: the disk is gone"
    ]


def test_a_damaged_database_costs_only_its_parts(tmp_path: Path) -> None:
    make_ticks(tmp_path)
    (tmp_path / "analytics.db").write_bytes(b"this is no database " * 500)
    with serving(Lake(tmp_path)) as address:
        samples = scrape(address)
        status, _, body = get(f"{address}/healthz")
    success = samples["spreadlake_exporter_collect_success"]
    assert success[labels(collector="pairs")] == 0
    assert success[labels(collector="capture")] == 1
    assert samples["spreadlake_ticks_total"][labels(symbol="BTCUSDT")] == 500
    assert status == 503
    assert "analytics.db" in json.loads(body)["reasons"][0]


def test_healthy_while_both_writers_show_signs_of_life(tmp_path: Path) -> None:
    with serving(make_lake(tmp_path)) as address, living(tmp_path):
        status, headers, body = get(f"{address}/healthz")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    health = json.loads(body)
    assert health["status"] == "ok"
    assert health["lake"] == str(tmp_path.resolve())
    assert [s["state"] for s in health["services"]] == ["running", "running"]


def test_a_silent_market_is_healthy_and_a_silent_service_is_not(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)  # its trades are of 2024
    with serving(lake) as address:
        assert get(f"{address}/healthz")[0] == 200
    with writing(open_analytics_writer(lake)) as db:
        heartbeat(db, "job", time.time() - 60)
    with serving(lake) as address:
        status, _, body = get(f"{address}/healthz")
        assert scrape(address)["spreadlake_service_up"][labels(service="analytics-job")] == 0
    assert status == 503
    (reason,) = json.loads(body)["reasons"]
    assert reason.startswith("analytics-job: no sign of life since 20")


def test_a_stopped_service_and_one_that_never_ran_are_told_apart(tmp_path: Path) -> None:
    make_ticks(tmp_path)
    with writing(open_ticks_writer(Lake(tmp_path))) as db:
        heartbeat(db, "collector", None, state="stopped")
    with serving(Lake(tmp_path)) as address:
        status, _, body = get(f"{address}/healthz")
    assert status == 503
    collector, job = json.loads(body)["reasons"]
    assert collector.startswith("collector: stopped at ")
    assert job == "analytics-job: has not run on this lake"


def listen(host: str, port: int) -> None:
    MetricsServer(
        host, port, make_app(LakeMetrics(Lake(Path()), {}), lambda: Health("", []))
    ).server_close()


@pytest.mark.parametrize("ask", [listen, check_listen])
def test_a_port_in_use_is_told_with_its_remedy(ask: Callable[[str, int], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            ask("127.0.0.1", port)
    assert str(caught.value).startswith(f"port {port} on 127.0.0.1 is in use; ")
    assert "SPREADLAKE_EXPORTER__PORT" in str(caught.value)


@pytest.mark.parametrize("ask", [listen, check_listen])
@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a..b"])
def test_an_address_of_another_machine_is_refused(
    host: str, ask: Callable[[str, int], None]
) -> None:
    with pytest.raises(ConfigError, match=r"exporter\.host = .*cannot listen on it"):
        ask(host, 0)


def test_ipv6_where_there_is_some() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    app = make_app(LakeMetrics(Lake(Path()), {}), lambda: Health("", []))
    with MetricsServer("::1", 0, app) as server:
        assert server.url.startswith("http://[::1]:")
