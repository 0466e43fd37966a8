"""The command line itself: commands, options, what services are started with, mistakes."""

import errno
import os
import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from launcher.commands import services
from launcher.commands.app import app, explain_system_error
from launcher.commands.hints import hints
from spreadlake import __version__
from spreadlake.called import command_name
from spreadlake.config import load_settings
from spreadlake.errors import ServiceError
from spreadlake.lake import Lake, open_analytics_writer, open_ticks_writer
from spreadlake.service import ServiceContext
from tests.fixture_lake import make_ticks
from tests.patience import PATIENCE
from tests.running import invoke, run

CONTRACT = {
    "demo", "up", "replay", "status", "csv", "collect", "analyse", "export-metrics", "roll",
    "simulate", "import", "notify", "config",
}  # fmt: skip
COMMANDS = list(get_command(app).commands)  # type: ignore[attr-defined]


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ServiceContext]]:
    """What services would have been started with."""
    started: list[tuple[str, ServiceContext]] = []

    def load_service(name: str) -> Any:
        return lambda context: started.append((name, context))

    monkeypatch.setattr(services, "load_service", load_service)
    monkeypatch.setattr(services, "configure_logs", lambda _: None)
    return started


def test_the_version(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).stdout == f"spreadlake {__version__}\n"


def test_help_names_every_command(tmp_path: Path) -> None:
    listed = invoke("--help", cwd=tmp_path).stdout.partition("Commands:")[2]
    assert [line.split()[0] for line in listed.strip().splitlines()] == COMMANDS
    assert set(COMMANDS) >= CONTRACT
    assert "..." not in listed


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    ended = invoke(command, "--help", cwd=tmp_path)
    assert ended.returncode == 0
    usage, *rest = [line for line in ended.stdout.splitlines() if line.strip()]
    assert usage.startswith(f"Usage: spreadlake {command} ")
    assert len(rest[0]) > 20
    assert "  --help" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dmeo"], "No such command 'dmeo'"),
        (["pairs", "list"], "There are add and remove; spreadlake pairs alone lists what"),
        (["alerts", "list"], "There are set and remove; spreadlake alerts alone lists"),
        (["demo", "--seconds", "5"], "No such option: --seconds"),
        (["demo", "--duration", "-1"], "'-1' is not a number of seconds, such as 60"),
        (["up", "--duration", "nan"], "'nan' is not a number of seconds"),
        (["up", "--duration", "1e30"], "'1e30' is not a number of seconds"),
        (["demo", "--speed", "0"], "'0' is not a number above 0, such as 20"),
        (["demo", "--speed", "max"], "'max' is not a number above 0"),
        (["replay", "x", "--speed", "fast"], "'fast' is neither a number above 0, such as 20"),
        (["replay"], "Missing argument 'FILE'"),
        (["csv", "--window", "many"], "'many' is not a whole number"),
        (["simulate", "--port", "70000"], "70000 is not a port"),
        (["backup", "--to", "s3://bucket/backup"], "s3://bucket/backup is no folder of this mach"),
        (["backup", "--to", "me@host:/backup"], "me@host:/backup is no folder of this machine"),
        (["demo", "--data", "s3://bucket/demo"], "s3://bucket/demo is no folder"),
    ],
)
def test_usage_errors_end_with_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = invoke(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["collect", "--config", "none.toml"], "configuration none.toml cannot be read"),
        (["collect", "--origin", "moon"], "--origin 'moon' is neither exchange nor demo"),
        (["analyse", "--from", "2024-08-09"], "--from 2024-08-09 needs --rebuild"),
        (["analyse", "--rebuild", "--from", "soon"], "time 'soon' is not understood"),
        (["roll", "--before", "12:00"], "time '12:00' is not understood"),
        (["demo", "--config", "none.toml"], "configuration none.toml cannot be read"),
        (["replay", "none.jsonl.gz"], "none.jsonl.gz does not exist"),
        (["replay", "x", "--kind", "both"], "--kind 'both' is neither aggTrade nor trade"),
        (["status", "--data", "nowhere"], "no lake in nowhere"),
    ],
)
def test_mistakes_are_one_message_and_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = invoke(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("spreadlake: error: ")
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["demo", "up"])
def test_a_port_in_use_is_told_before_anything_starts(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        variables = {"SPREADLAKE_EXPORTER__PORT": str(port)}
        ended = invoke(command, "--data", "lake", cwd=tmp_path, variables=variables)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"spreadlake: error: port {port} on 127.0.0.1 is in use; ")
    assert ("a demo reads a file only where it is named with --config" in ended.stderr) is (
        command == "demo"
    )
    assert not (tmp_path / "lake").exists()


def test_a_wrong_spreadlake_toml_in_the_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "spreadlake.toml").write_text("symbols = 1")
    ended = invoke("up", cwd=tmp_path)
    assert ended.stderr == "spreadlake: error: spreadlake.toml: symbols = 1: must be a list\n"


def test_collect(tmp_path: Path, contexts: list[tuple[str, ServiceContext]]) -> None:
    (tmp_path / "spreadlake.toml").write_text('symbols = ["AUSDT"]')
    command = ["collect", "--record", "r.jsonl.gz", "--duration", "5", "--origin", "demo"]
    assert invoke(*command, "--data", "lake", cwd=tmp_path).returncode == 0
    ((name, context),) = contexts
    assert name == "collector"
    assert context.lake == Lake(Path("lake"))
    assert context.settings.symbols == ["AUSDT"]
    assert (context.config, context.duration) == (Path("spreadlake.toml"), 5.0)
    assert context.options == {"record": Path("r.jsonl.gz"), "origin": "demo"}


def test_analyse(tmp_path: Path, contexts: list[tuple[str, ServiceContext]]) -> None:
    make_ticks(tmp_path / "data")
    command = ["analyse", "--once", "--rebuild", "--from", "2024-08-09", "--lateness", "0"]
    assert invoke(*command, "--config", os.devnull, cwd=tmp_path).returncode == 0
    assert invoke("analyse", cwd=tmp_path).returncode == 0
    (_, rebuild), (name, plain) = contexts
    assert name == "analytics-job"
    options = dict(rebuild.options)
    assert callable(options.pop("tell")), "how far it is"
    assert options == {"once": True, "rebuild": True, "from": 1723161600.0}
    assert rebuild.settings.job.lateness == 0
    assert plain.options == {"once": False, "rebuild": False, "from": None}
    assert (plain.settings.job.lateness, plain.config, plain.duration) == (0.25, None, None)


def test_to_analyse_once_what_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    ended = invoke("analyse", "--once", "--data", "nowhere", cwd=tmp_path)
    assert ended.returncode == 2
    assert "no lake in nowhere: choose its folder with --data" in ended.stderr
    assert not (tmp_path / "nowhere").exists()


def test_roll_and_export(tmp_path: Path, contexts: list[tuple[str, ServiceContext]]) -> None:
    assert invoke("roll", "--before", "2024-08-09T00:00:00.5Z", cwd=tmp_path).returncode == 0
    assert invoke("roll", cwd=tmp_path).returncode == 0
    assert invoke("export-metrics", cwd=tmp_path).returncode == 0
    assert [(name, dict(context.options)) for name, context in contexts] == [
        ("collector-roll", {"before": 1723161600500}),
        ("collector-roll", {"before": None}),
        ("exporter", {}),
    ]


@pytest.mark.parametrize("name", ["collector", "collector-roll", "analytics-job", "exporter"])
def test_every_service_is_installed(name: str) -> None:
    assert callable(services.load_service(name))


def test_a_service_that_is_not_installed_says_so() -> None:
    with pytest.raises(ServiceError, match="no service 'x' is installed"):
        services.load_service("x")


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    import subprocess

    code = (
        "import sys, launcher.commands.app; "
        "print([m for m in ('polars', 'pyarrow', 'statsmodels', 'numpy', 'pandas', 'websockets') "
        "if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert ended.stdout == "[]\n"


def test_what_the_system_refuses_is_told_with_a_remedy() -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    read_only = sqlite3.OperationalError("attempt to write a readonly database")
    read_only.sqlite_errorcode = sqlite3.SQLITE_READONLY_ROLLBACK
    told: dict[OSError | sqlite3.Error, str] = {
        OSError(errno.ENOSPC, "x", "data/ticks.db"): "data/ticks.db: the disk is full; free some",
        full: "the lake's database cannot be written: database or disk is full; the disk is full",
        read_only: "may not be written",
    }
    for error, message in told.items():
        assert message in (explain_system_error(error) or "")
    assert explain_system_error(sqlite3.OperationalError("no such column: x")) is None
    assert explain_system_error(OSError("something of our own")) is None


def test_hints_can_be_typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / ".venv/bin/spreadlake"), "demo"])
    assert command_name() == ".venv/bin/spreadlake"
    monkeypatch.setattr(sys, "argv", ["/x/spreadlake/__main__.py", "demo"])
    assert command_name() == "python -m spreadlake"
    text = hints("demo", Lake(Path("my data")), load_settings(None), "http://h:1/metrics")
    assert "python -m spreadlake status --data 'my data'" in text
    assert "csv --data 'my data' --pair BTCUSDT/ETHUSDT --timeframe 1s --window 30" in text
    assert "http://h:1/metrics" in text


@pytest.mark.parametrize("table", ["pair_status", "meta"])
def test_a_database_that_is_not_as_it_was_left_ends_the_job_for_good(
    tmp_path: Path, table: str
) -> None:
    """Nothing is gained by starting it again, which is what the supervisor would do after a 1."""
    open_ticks_writer(Lake(tmp_path)).close()
    with closing(open_analytics_writer(Lake(tmp_path))) as db:
        db.execute(f"DROP TABLE {table}")
    result = run("analyse", "--data", tmp_path, "--duration", 30, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert f"no such table: {table}" in result.stderr
    assert "restore it, or move it away" in result.stderr
    assert "Traceback" not in result.stderr
