"""The first thing that a stranger runs: the demo, its metrics, and Ctrl-C."""

import csv
import io
import signal
import socket
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

from spreadlake.lake import Lake, open_reader
from tests.end_to_end.processes import poll, spreadlake, start
from tests.patience import PATIENCE


def _free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _zscores(port: int) -> list[str]:
    """Of the window that is asked for later: recent history may take longer than 30 live bars."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
            lines = answer.read().decode().splitlines()
    except (urllib.error.URLError, OSError):
        return []
    return [
        line
        for line in lines
        if line.startswith("spreadlake_pair_zscore{") and 'timeframe="1s",window="60"' in line
    ]


def test_the_demo_shows_z_scores_and_stops_cleanly(tmp_path: Path) -> None:
    port = _free_port()
    demo = start("demo", "--data", "D", cwd=tmp_path, SPREADLAKE_EXPORTER__PORT=str(port))
    try:
        poll(lambda: _zscores(port))
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=PATIENCE)
    finally:
        demo.kill()
    assert demo.returncode == 0, output
    assert "Traceback" not in output
    with closing(open_reader(Lake(tmp_path / "D").ticks_db)) as db:
        assert db.execute("SELECT COUNT(*) FROM ticks").fetchone()[0] > 1000
        assert db.execute("SELECT value FROM meta WHERE key = 'origin'").fetchone() == ("demo",)
    _check_csv(tmp_path)
    refused = spreadlake("collect", "--data", "D", cwd=tmp_path)
    assert refused.returncode == 2
    assert "simulated market" in refused.stderr


def _check_csv(folder: Path) -> None:
    done = spreadlake(
        *("csv", "--data", "D", "--pair", "BTCUSDT/ETHUSDT", "--timeframe", "1s"),
        *("--window", 60, "-o", "-"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert rows[0][:5] == ["time", "price_a", "price_b", "spread", "zscore"]
    assert len(rows) > 1
