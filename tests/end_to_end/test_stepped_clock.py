"""The wall clock is set under the whole pipeline: bars keep coming, and health tells the truth."""

import json
import os
import signal
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.ports import free_port
from spreadlake.status import snapshot
from tests.end_to_end.processes import poll, spreadlake, start
from tests.patience import PATIENCE
from tests.stepped_clock import DAY, HOUR, SteppedClock

CONFIG = """
symbols = ["BTCUSDT", "ETHUSDT"]
timeframes = ["1s"]
windows = [5]
lookbacks = [10]
[collector]
warm_start_minutes = 0
[exporter]
port = {port}
"""


def _last_bar(lake: Lake) -> int:
    with snapshot(lake.analytics_db) as db:
        return 0 if db is None else db.execute("SELECT max(time) FROM bars").fetchone()[0] or 0


def _health(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE) as answer:
            return dict(json.loads(answer.read()))
    except urllib.error.HTTPError as refused:
        return dict(json.loads(refused.read()))
    except OSError:
        return {"status": "no answer"}


def _goes_on(lake: Lake, port: int) -> None:
    """Three more bars, and all is well."""
    bar = _last_bar(lake)
    poll(lambda: _last_bar(lake) >= bar + 3)
    poll(lambda: _health(port)["status"] == "ok")


def _collector_pid(lake: Lake) -> int:
    with closing(open_reader(lake.ticks_db)) as db:
        (text,) = db.execute("SELECT value FROM service_status WHERE key = 'collector'").fetchone()
    return int(json.loads(text)["pid"])


def test_bars_and_health_when_the_wall_clock_is_set_under_the_pipeline(tmp_path: Path) -> None:
    clock, port, lake = SteppedClock(tmp_path), free_port(), Lake(tmp_path / "lake")
    config = tmp_path / "spreadlake.toml"
    config.write_text(CONFIG.format(port=port))
    arguments = ("demo", "--data", lake.root, "--config", config)
    process = start(*arguments, cwd=tmp_path, **clock.variables)
    try:
        poll(lambda: _last_bar(lake) > 0)
        for step in (-HOUR, 7 * DAY, 30 * DAY, 0):
            clock.step(step)
            _goes_on(lake, port)
        # The supervisor starts again what dies while the clock is set.
        clock.step(-HOUR)
        died = _collector_pid(lake)
        os.kill(died, signal.SIGKILL)
        poll(lambda: _collector_pid(lake) != died)
        _goes_on(lake, port)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)


def test_a_service_that_died_before_the_clock_was_put_right_is_late(tmp_path: Path) -> None:
    clock, lake = SteppedClock(tmp_path), Lake(tmp_path / "lake")
    config = tmp_path / "spreadlake.toml"
    config.write_text(CONFIG.format(port=free_port()))
    clock.step(HOUR)
    process = start("analyse", "--data", lake.root, "--config", config, cwd=tmp_path,
                    **clock.variables)  # fmt: skip
    try:
        poll(lambda: _state(tmp_path, lake, config) == "running")
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)
    clock.step(0)
    poll(lambda: _state(tmp_path, lake, config) == "late")


def _state(folder: Path, lake: Lake, config: Path) -> str:
    """What `status` says of the job, with the true time."""
    try:
        said = spreadlake("status", "--json", "--data", lake.root, "--config", config, cwd=folder)
        services = json.loads(said.stdout)["services"]
    except (LakeError, ValueError):
        return "no lake"
    return str(next(s["state"] for s in services if s["name"] == "analytics-job"))
