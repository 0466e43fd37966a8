"""A wrong edit stops nothing, whatever dies afterwards, and is told until it is mended."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.end_to_end.processes import poll, spreadlake, start
from tests.patience import PATIENCE

RIGHT = 'symbols = ["BTCUSDT", "ETHUSDT"]\nwindows = [20]\n'
WRONG = RIGHT.replace("20", "1")
NO_PORT = {"SPREADLAKE_EXPORTER__PORT": "0"}


def services(folder: Path) -> dict[str, Any]:
    done = spreadlake("status", "--data", "D", "--config", "my.toml", "--json", cwd=folder)
    if done.returncode:
        return {}
    return {service["name"]: service for service in json.loads(done.stdout)["services"]}


def refused(folder: Path) -> dict[str, Any] | None:
    found = services(folder)
    both = [found.get(name, {}).get("message", "") for name in ("collector", "analytics-job")]
    return (
        found if all("configuration is refused: my.toml: windows[0]" in m for m in both) else None
    )


def restarted(folder: Path, before: dict[str, Any]) -> dict[str, Any] | None:
    found = refused(folder)
    names = ("collector", "analytics-job")
    return found if found and all(found[n]["pid"] != before[n]["pid"] for n in names) else None


def test_a_refused_edit_stops_nothing_later(tmp_path: Path) -> None:
    config = tmp_path / "my.toml"
    config.write_text(RIGHT)
    demo = start("demo", "--data", "D", "--config", "my.toml", cwd=tmp_path, **NO_PORT)
    try:
        running = poll(lambda: (s := services(tmp_path)) and s["analytics-job"]["pid"] and s)
        assert "refused" not in running["collector"]["message"]
        config.write_text(WRONG)
        before = poll(lambda: refused(tmp_path))
        os.kill(before["analytics-job"]["pid"], signal.SIGKILL)
        os.kill(before["collector"]["pid"], signal.SIGTERM)  # ends well, and not by our wish
        again = poll(lambda: restarted(tmp_path, before))
        assert {again[n]["state"] for n in ("collector", "analytics-job")} == {"running"}
        assert demo.poll() is None
        config.write_text(RIGHT)
        poll(lambda: "refused" not in json.dumps(services(tmp_path)))
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=PATIENCE)
    finally:
        demo.kill()
    assert demo.returncode == 0, output
    assert "the edited configuration is refused, the old one goes on" in output
    # Whoever starts anew with a wrong file is told so, and nothing starts.
    config.write_text(WRONG)
    for command in ("demo", "collect", "analyse"):
        done = spreadlake(command, "--data", "D", "--config", "my.toml", cwd=tmp_path)
        assert done.returncode == 2
        assert "windows[0] = 1" in done.stderr
