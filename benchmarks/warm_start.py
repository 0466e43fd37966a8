"""The warm start of a market: how long until the last of 500 symbols has its minutes.

`python -m benchmarks.warm_start --symbols 100` takes a smaller market.
"""

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from collector.history.warm_start import kline_minutes
from spreadlake.binance import klines_weight
from spreadlake.config import load_settings

SYMBOLS = 500
RATE = 0.5  # trades a second of each symbol
LONGEST = 600.0

_SIMULATE = """
import sys
from simulator import SyntheticMarket, run_simulator
from spreadlake.service import StopSignal
symbols = [f"S{n:03}USDT" for n in range(int(sys.argv[1]))]
run_simulator(SyntheticMarket(seed=1, symbols=symbols, rate=float(sys.argv[2])), StopSignal(),
              on_ready=lambda ws, rest: print(ws, rest, flush=True))
"""


def main(symbols: int = SYMBOLS) -> None:
    """Prints one line a figure."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with _exchange(symbols) as (ws_url, rest_url):
            config = _configuration(root, symbols, ws_url, rest_url)
            began = time.monotonic()
            with _service("collect", root, config), _service("analyse", root, config):
                klines = _wait(lambda: _kline_symbols(root) == symbols, began)
                bars = _wait(lambda: _bar_symbols(root) == symbols, began)
                status = _collector(root).get("history", "")
    weight = symbols * klines_weight(kline_minutes(load_settings(None)) + 1)
    print(
        f"warm start: 1m klines of {symbols} symbols after {klines:.0f} s (target 120; they weigh "
        f"{weight:,}, and 1,200 a minute are used), their bars after {bars:.0f} s; then: {status}"
    )


def _configuration(root: Path, symbols: int, ws_url: str, rest_url: str) -> Path:
    names = ", ".join(f'"S{n:03}USDT"' for n in range(symbols))
    path = root / "spreadlake.toml"
    path.write_text(
        f"symbols = [{names}]\npairs = []\n"
        f'[exchange]\nws_url = "{ws_url}"\nrest_url = "{rest_url}"\n'
    )
    return path


@contextmanager
def _exchange(symbols: int) -> Iterator[tuple[str, str]]:
    command = [sys.executable, "-c", _SIMULATE, str(symbols), str(RATE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ws_url, rest_url = process.stdout.readline().split()
            yield ws_url, rest_url
        finally:
            process.kill()


@contextmanager
def _service(name: str, root: Path, config: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "spreadlake", name, "--data", str(root / "data")]
    with (
        (root / f"{name}.log").open("wb") as log,
        subprocess.Popen([*command, "--config", str(config)], stdout=log, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)


def _wait(condition: Callable[[], bool], began: float) -> float:
    """Seconds from the start until it is so."""
    while not condition():
        assert time.monotonic() - began < LONGEST, "it did not happen"
        time.sleep(0.5)
    return time.monotonic() - began


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as db:
        try:
            return db.execute(query).fetchall()
        except sqlite3.OperationalError:  # no tables yet
            return []


def _first(rows: list[tuple[Any, ...]]) -> int:
    return int(rows[0][0]) if rows else 0


def _kline_symbols(root: Path) -> int:
    query = "SELECT count(DISTINCT symbol) FROM kline_changes"
    return _first(_rows(root / "data" / "ticks.db", query))


def _bar_symbols(root: Path) -> int:
    query = (
        "SELECT count(*) FROM (SELECT 1 FROM bars WHERE timeframe = '1m' "
        "GROUP BY symbol HAVING count(*) >= 299)"
    )
    return _first(_rows(root / "data" / "analytics.db", query))


def _collector(root: Path) -> dict[str, Any]:
    query = "SELECT value FROM service_status WHERE key = 'collector'"
    found: dict[str, Any] = json.loads(_rows(root / "data" / "ticks.db", query)[0][0])
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=SYMBOLS)
    main(parser.parse_args().symbols)
