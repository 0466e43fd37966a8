"""What the supervisor's children are started with."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from launcher.commands import pipeline, replay
from launcher.supervisor.child import ChildSpec
from launcher.supervisor.pipeline import PipelineRun
from launcher.supervisor.specs import Launcher, exchange_variables
from spreadlake.config import load_settings
from spreadlake.errors import InputError
from spreadlake.lake import Lake, Origin, claim, open_ticks_writer, writer_lock
from tests.fixture_lake import START, WATERMARK_MS, make_ticks, writing
from tests.running import invoke

ROUTE = ["SPREADLAKE_EXCHANGE__WS_URL", "SPREADLAKE_EXCHANGE__REST_URL"]


@pytest.fixture
def pipelines(monkeypatch: pytest.MonkeyPatch) -> list[PipelineRun]:
    """What would have run."""
    ran: list[PipelineRun] = []

    def run_pipeline(pipeline: PipelineRun, duration: float | None) -> str:
        ran.append(pipeline)
        return f"ran for {duration}"

    monkeypatch.setattr("launcher.supervisor.pipeline.run_pipeline", run_pipeline)
    monkeypatch.setattr(pipeline, "check_listen", lambda *_: None)
    return ran


def arguments(spec: ChildSpec) -> list[str]:
    line = list(spec.command())
    assert line[:4] == [sys.executable, "-P", "-m", "spreadlake"]
    return line[4:]


def options(spec: ChildSpec) -> dict[str, str]:
    line = arguments(spec)
    return {name: line[i + 1] for i, name in enumerate(line) if name.startswith("--")}


def test_up(tmp_path: Path, pipelines: list[PipelineRun]) -> None:
    (tmp_path / "spreadlake.toml").write_text("[exporter]\nport = 9999")
    ended = invoke("up", "--duration", "3", cwd=tmp_path)
    assert ended.stdout.endswith("ran for 3.0\n")
    _, first, *_, last = ended.stdout.splitlines()
    assert (first, last) == ("  charts   http://127.0.0.1:9999/", "ran for 3.0")
    assert "http://127.0.0.1:9999/metrics" in ended.stdout
    (ran,) = pipelines
    assert [spec.name for spec in ran.specs] == ["collector", "analytics-job", "exporter"]
    assert [arguments(spec)[0] for spec in ran.specs] == ["collect", "analyse", "export-metrics"]
    for spec in ran.specs:
        assert options(spec)["--data"] == "data"
        assert options(spec)["--config"] == "spreadlake.toml"
        assert not set(ROUTE) & set(spec.environment)
    assert options(ran.specs[0])["--origin"] == "exchange"
    assert ran.specs[2].environment["SPREADLAKE_EXPORTER__COMMAND"] == "spreadlake"


def test_up_calls_spreadlake_as_the_configuration_does(
    tmp_path: Path, pipelines: list[PipelineRun]
) -> None:
    (tmp_path / "spreadlake.toml").write_text("[exporter]\ncommand = 'ssh x spreadlake'")
    assert invoke("up", cwd=tmp_path).returncode == 0
    exporter = pipelines[0].specs[2]
    assert exporter.environment["SPREADLAKE_EXPORTER__COMMAND"] == "ssh x spreadlake"


def test_up_tells_people_where_somebody_is_named(
    tmp_path: Path, pipelines: list[PipelineRun]
) -> None:
    (tmp_path / "spreadlake.toml").write_text('[notify]\nurls = ["json://127.0.0.1:1"]')
    assert invoke("up", cwd=tmp_path).returncode == 0
    (ran,) = pipelines
    *_, notifier = ran.specs
    assert notifier.name == "notifier"
    assert arguments(notifier)[0] == "notify"


@pytest.mark.parametrize(
    ("host", "printed"),
    [("::1", "[::1]"), ("::", "[::1]"), ("0.0.0.0", "127.0.0.1"), ("localhost", "localhost")],
)
def test_the_address_of_the_metrics_can_be_opened(
    tmp_path: Path, pipelines: list[PipelineRun], host: str, printed: str
) -> None:
    variables = {"SPREADLAKE_EXPORTER__HOST": host, "SPREADLAKE_EXPORTER__PORT": "9998"}
    ended = invoke("up", cwd=tmp_path, variables=variables)
    assert f"http://{printed}:9998/metrics" in ended.stdout
    (ran,) = pipelines
    assert ran.facts[0] == f"charts http://{printed}:9998/"
    assert ran.facts[1].endswith(f"http://{printed}:9998/metrics")


def test_demo(tmp_path: Path, pipelines: list[PipelineRun]) -> None:
    (tmp_path / "spreadlake.toml").write_text("symbols = 5  # not read by the demo")
    ended = invoke("demo", "--speed", "3", "--seed", "9", cwd=tmp_path)
    assert ended.returncode == 0
    assert "the demo takes no notice of spreadlake.toml" in ended.stderr
    (ran,) = pipelines
    collector, job, exporter, simulator = ran.specs
    assert simulator.name == "simulator"
    for spec in (collector, job, exporter):
        assert options(spec)["--data"] == "data/demo"
        assert options(spec)["--config"] == os.devnull
        assert spec.environment["SPREADLAKE_EXCHANGE__TRADES"] == "aggTrade"
    assert options(collector)["--origin"] == "demo"
    market = options(simulator)
    assert (market["--speed"], market["--seed"]) == ("3.0", "9")
    port = market["--port"]
    assert [collector.environment[name] for name in ROUTE] == [
        f"ws://127.0.0.1:{port}",
        f"http://127.0.0.1:{port}",
    ]


def test_the_demo_s_clock_never_goes_back(
    tmp_path: Path, pipelines: list[PipelineRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    invoke("demo", cwd=tmp_path)
    simulator = pipelines[0].specs[-1]
    assert "--start-ms" not in options(simulator)
    make_ticks(tmp_path / "data" / "demo", origin="demo")  # its trades are of 2024
    assert "--start-ms" not in options(simulator)
    later = int(time.time() * 1000) + 86_400_000
    with writing(open_ticks_writer(pipelines[0].lake)) as db:
        db.execute("UPDATE symbols SET last_time_ms = ? WHERE symbol = 'ETHUSDT'", [later])
    assert int(options(simulator)["--start-ms"]) == later


def test_the_demo_has_a_lake_of_its_own_beside_the_user_s(
    tmp_path: Path, pipelines: list[PipelineRun]
) -> None:
    invoke("demo", cwd=tmp_path, variables={"SPREADLAKE_DATA": "/my/lake"})
    invoke("demo", "--data", "here", cwd=tmp_path, variables={"SPREADLAKE_DATA": "/my/lake"})
    assert [str(ran.lake.root) for ran in pipelines] == ["/my/lake/demo", "here"]


def test_a_free_port_is_found_for_port_0(tmp_path: Path, pipelines: list[PipelineRun]) -> None:
    ended = invoke("up", cwd=tmp_path, variables={"SPREADLAKE_EXPORTER__PORT": "0"})
    port = pipelines[0].specs[2].environment["SPREADLAKE_EXPORTER__PORT"]
    assert int(port) > 0
    assert f"http://127.0.0.1:{port}/metrics" in ended.stdout


class Recorded:
    """A recording as replay sees it."""

    kind = "trade"
    symbols = ("BBBUSDT", "AAAUSDT")
    first_ms = START * 1000
    last_ms = START * 1000 + 60_000


RECORDING: Any = Recorded()


def test_a_replay_takes_the_symbols_and_the_kind_of_the_recording() -> None:
    variables = replay._variables(RECORDING, None, 4711)
    assert variables == exchange_variables(4711, "trade") | {
        "SPREADLAKE_COLLECTOR__WARM_START_MINUTES": "0",
        "SPREADLAKE_SYMBOLS": json.dumps(["BBBUSDT", "AAAUSDT"]),
        "SPREADLAKE_PAIRS": "all",
    }


def test_those_variables_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in replay._variables(RECORDING, None, 4711).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(Path(os.devnull))
    assert [pair.name for pair in settings.pair_list] == ["BBBUSDT/AAAUSDT"]
    assert settings.exchange.ws_url == "ws://127.0.0.1:4711"


def test_a_replay_with_a_configuration_keeps_its_symbols(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text('symbols = ["AAAUSDT", "XUSDT"]')
    assert "SPREADLAKE_SYMBOLS" not in replay._variables(RECORDING, config, 1)
    assert replay._replayed(load_settings(config), RECORDING, config) == ["AAAUSDT"]
    config.write_text('symbols = ["XUSDT"]')
    with pytest.raises(InputError) as caught:
        replay._replayed(load_settings(config), RECORDING, config)
    assert str(caught.value) == (
        f"{config} captures XUSDT, and the recording has none of them; it has BBBUSDT, AAAUSDT"
    )


@pytest.mark.parametrize("days", [-2, 2])
def test_a_lake_of_another_time_is_refused(tmp_path: Path, days: int) -> None:
    make_ticks(tmp_path)
    far: Any = Recorded()
    far.first_ms = far.last_ms = WATERMARK_MS + days * 86_400_000
    with pytest.raises(InputError) as caught:
        replay._check_times(Lake(tmp_path), far)
    message = str(caught.value)
    assert "2024-08-09T00:01:40Z" in message
    assert f"2024-08-{9 + days:02}T00:01:40Z" in message
    assert "choose another folder with --data" in message


def test_a_lake_of_the_same_day_and_an_empty_one_are_taken(tmp_path: Path) -> None:
    replay._check_times(Lake(tmp_path), RECORDING)
    make_ticks(tmp_path)
    replay._check_times(Lake(tmp_path), RECORDING)


def test_children_share_the_overrides(tmp_path: Path) -> None:
    launcher = Launcher(Lake(tmp_path), None, {"A": "1"})
    specs = [launcher.collector(), launcher.job("--once"), launcher.exporter()]
    assert all(spec.environment == {"A": "1"} for spec in specs)
    told = launcher.exporter("http://g:3", ".venv/bin/spreadlake").environment
    assert told == {
        "A": "1",
        "SPREADLAKE_EXPORTER__DASHBOARDS": "http://g:3",
        "SPREADLAKE_EXPORTER__COMMAND": ".venv/bin/spreadlake",
    }
    assert arguments(specs[1]) == [
        "analyse", "--data", str(tmp_path), "--config", os.devnull, "--once",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "origin", "command"),
    [("aggTrade", "exchange", "demo"), ("aggTrade", "demo", "up"), ("trade", "exchange", "up")],
)
def test_a_lake_of_another_exchange_is_refused_before_anything_starts(
    tmp_path: Path, pipelines: list[PipelineRun], kind: str, origin: Origin, command: str
) -> None:
    lake = Lake(tmp_path / "lake")
    db = open_ticks_writer(lake)
    claim(db, lake, kind, origin)
    db.close()
    ended = invoke(command, "--data", str(lake.root), cwd=tmp_path)
    assert ended.returncode == 2
    assert f"lake {lake.root} " in ended.stderr
    assert "choose another folder with --data" in ended.stderr
    assert pipelines == []


def test_a_lake_whose_tables_are_yet_to_be_made_is_taken(
    tmp_path: Path, pipelines: list[PipelineRun]
) -> None:
    (tmp_path / "ticks.db").touch()
    assert invoke("demo", "--data", str(tmp_path), cwd=tmp_path).returncode == 0
    assert len(pipelines) == 1


@pytest.mark.parametrize("service", ["pipeline", "collector", "analytics-job"])
@pytest.mark.parametrize("command", ["demo", "up"])
def test_a_second_pipeline_on_a_lake_is_refused_before_anything_starts(
    tmp_path: Path, pipelines: list[PipelineRun], command: str, service: str
) -> None:
    """Else its screen would show the services of the first one as its own."""
    lake = Lake(tmp_path / "lake")
    with writer_lock(lake, service):
        ended = invoke(command, "--data", "lake", cwd=tmp_path)
        assert ended.returncode == 2
        assert f"lake lake already has a{'n' * (service[0] == 'a')} {service} run" in ended.stderr
        assert "choose another folder with --data" in ended.stderr
        assert pipelines == []
    assert invoke(command, "--data", "lake", cwd=tmp_path).returncode == 0


def test_what_was_said_before_the_screen_is_in_its_foot(
    tmp_path: Path, pipelines: list[PipelineRun]
) -> None:
    (tmp_path / "spreadlake.toml").write_text("windows = [5]")
    ended = invoke("demo", "--data", "my lake", cwd=tmp_path)
    (ran,) = pipelines
    note, status, csv = ran.foot
    assert note == (
        "the demo takes no notice of spreadlake.toml, unless told: --config spreadlake.toml (with "
        "make: make demo ARGS='--config spreadlake.toml')"
    )
    assert note in ended.stderr
    assert status.endswith("status --data 'my lake'")
    assert csv.endswith("csv --data 'my lake' --pair BTCUSDT/ETHUSDT --timeframe 1s --window 30")
    assert status in ended.stdout
    assert csv in ended.stdout


def test_a_market_starts_at_the_time_that_it_is_told(tmp_path: Path) -> None:
    """As the one of a fast demo does, which goes on after its last trade."""
    later = str(time.time_ns() // 1_000_000 + 3_600_000)
    options = ("--port", "0", "--duration", "0.2", "--start-ms")
    ended = invoke("simulate", *options, later, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    refused = invoke("simulate", *options, "9" * 18, cwd=tmp_path)
    assert refused.returncode == 2
    assert "is not a time in Unix ms" in " ".join(refused.stderr.replace("│", " ").split())
