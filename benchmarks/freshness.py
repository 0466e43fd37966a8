"""From the end of a bar to its z-score on `/metrics`, through a whole demo.

A bar is final when a trade comes that is later than its end by the allowed lateness. The simulated
market has seconds in which nobody trades, as no real one with ten symbols has: bars that had to
wait for such a second to pass are counted apart.

Then the same pairs in a market of 500 symbols, without and with a screen of all its 124,750 pairs
every ten seconds, six times as often as by default.

`python -m benchmarks.freshness --bars 300` looks at more bars.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np

from spreadlake.lake import Lake, open_reader, read_status, read_trades
from spreadlake.ports import free_port

SYMBOLS = [
    f"{coin}USDT"
    for coin in "BTC ETH SOL BNB XRP DOGE ADA LINK LTC 1000PEPE".split()  # noqa: SIM905
]
PAIRS = len(SYMBOLS) * (len(SYMBOLS) - 1) // 2
POLL_SECONDS = 0.01
FULL_SCRAPES = 20
READY_SECONDS = 180.0
SETTLE_SECONDS = 10.0
HISTORY_MINUTES = 6  # fetched at the start: the lookback of 300 bars is full
MARKET = 500
# Of seconds: a market's minutes would have to be fetched first. Its screens cost as much.
_SCREEN = """
[screen]
enabled = true
timeframe = "1s"
lookback = 60
window = 30
interval = 10
"""
LATENESS_SECONDS = 0.25  # that a bar waits, by default, for late trades
SILENCE_SECONDS = 0.1  # longer without any trade, and the market is not one of ten symbols
_SERIES = r'\{lookback="300",pair="([^"]+)",timeframe="1s",window="60"\} (\S+)'
# The families that are looked at, so that looking often slows nothing that is measured.
_FAMILIES = {
    "name[]": ["spreadlake_pair_zscore", "spreadlake_pair_last_bar_timestamp_seconds"],
}
_LAST_BAR = re.compile(r"^spreadlake_pair_last_bar_timestamp_seconds" + _SERIES, re.MULTILINE)
_ZSCORE = re.compile(r"^spreadlake_pair_zscore" + _SERIES, re.MULTILINE)


class Freshness(NamedTuple):
    """Delays (s) of bars a trade made final at once, and of those that waited for one.

    With the seconds that a scrape takes, of what is looked at and of all metrics, and how many
    screens there were.
    """

    delays: list[float]
    waited: list[float]
    scrape: float
    full: float
    screens: int


class Scrape(NamedTuple):
    """When the answer had been received, how long that took, and the bar that all pairs show."""

    at: float
    seconds: float
    bar: int | None


def main(bars: int = 60) -> None:
    """Prints three lines."""
    _print(f"{len(SYMBOLS)} symbols", _measured(bars))
    _print(f"of a market of {MARKET}, without screens", _measured(bars, market=True))
    found = _measured(bars, market=True, screen=True)
    _print(f"of a market of {MARKET}, beside {found.screens} screens of it", found)


def _print(what: str, found: Freshness) -> None:
    p50, p99, most = np.percentile(found.delays, [50, 99, 100])
    print(
        f"freshness: end of a bar to its z on /metrics, {what}, {PAIRS} pairs, "
        f"{len(found.delays)} bars: p50 {p50:.2f} s (target 0.45), p99 {p99:.2f} s (target 0.75), "
        f"most {most:.2f} s; of which the scrape {found.scrape * 1e3:.0f} ms (of all metrics "
        f"{found.full * 1e3:.0f} ms); {len(found.waited)} more bars had to wait for a trade, at "
        f"most {max(found.waited, default=0.0):.2f} s; load {os.getloadavg()[0]:.1f}"
    )


def _measured(bars: int, *, market: bool = False, screen: bool = False) -> Freshness:
    with _demo(market=market, screen=screen) as (url, lake), httpx.Client(timeout=10) as client:
        _wait_until_ready(client, url, lake, market=market, screen=screen)
        before = _screens(lake)
        scrapes = _watch(client, url, bars)
        screens = _screens(lake) - before
        full = statistics.median(_full_scrape(client, url) for _ in range(FULL_SCRAPES))
        delays, waited = _apart(_delays(scrapes), lake)
    scrape = statistics.median(s.seconds for s in scrapes)
    return Freshness(delays, waited, scrape, full, screens)


def _screens(lake: Lake) -> int:
    with contextlib.closing(open_reader(lake.analytics_db)) as db:
        return int(db.execute("SELECT count(*) FROM screens").fetchone()[0])


@contextlib.contextmanager
def _demo(*, market: bool, screen: bool) -> Iterator[tuple[str, Lake]]:
    """A demo in a folder of its own: the address of its metrics, and its lake."""
    port = free_port()
    pairs = [list(pair) for pair in combinations(SYMBOLS, 2)]
    minutes = 0 if market else HISTORY_MINUTES
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "spreadlake.toml")
        symbols = json.dumps("all" if market else SYMBOLS)
        config.write_text(
            f"symbols = {symbols}\npairs = {json.dumps(pairs)}\n[exporter]\nport = {port}\n"
            f"[collector]\nwarm_start_minutes = {minutes}\n" + (_SCREEN if screen else "")
        )
        command = [sys.executable, "-P", "-m", "spreadlake", "demo"]
        command += ["--symbols", str(MARKET)] if market else []
        with Path(folder, "log.txt").open("w") as log:
            demo = subprocess.Popen(
                [*command, "--data", str(Path(folder, "lake")), "--config", str(config)],
                env={k: v for k, v in os.environ.items() if not k.startswith("SPREADLAKE_")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            try:
                yield f"http://127.0.0.1:{port}/metrics", Lake(Path(folder, "lake"))
            finally:
                demo.send_signal(signal.SIGINT)
                demo.wait()


def _wait_until_ready(
    client: httpx.Client, url: str, lake: Lake, *, market: bool, screen: bool
) -> None:
    """Until every pair has a z and the history is there, which comes late and is analysed anew.

    A market is started without one. And the first screen, if one is to come.
    """
    deadline = time.monotonic() + READY_SECONDS
    while not (
        (market or _has_history(lake))
        and _shows_all(client, url)
        and (not screen or _screens(lake))
    ):
        if time.monotonic() > deadline:
            sys.exit(f"benchmarks: the demo is not ready after {READY_SECONDS:g} s")
        time.sleep(0.5)
    time.sleep(SETTLE_SECONDS)


def _has_history(lake: Lake) -> bool:
    """Whether the collector has fetched all that it had to at its start."""
    if not lake.ticks_db.exists():
        return False
    with contextlib.closing(open_reader(lake.ticks_db)) as db, contextlib.suppress(sqlite3.Error):
        missing, _ = read_status(db).get("warm_start", ({"klines": "unknown"}, 0))
        return not any(missing.values())
    return False


def _shows_all(client: httpx.Client, url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return _scrape(client, url).bar is not None
    return False


def _watch(client: httpx.Client, url: str, bars: int) -> list[Scrape]:
    """Scrapes until `bars` more bars have been seen; none before the next bar can be final."""
    scrapes = [_scrape(client, url)]
    while (scrapes[-1].bar or 0) - (scrapes[0].bar or 0) < bars:
        end = (scrapes[-1].bar or 0) + 2
        time.sleep(max(POLL_SECONDS, end + LATENESS_SECONDS - time.time()))
        scrapes.append(_scrape(client, url))
    return scrapes


def _scrape(client: httpx.Client, url: str) -> Scrape:
    """The bar is None until every pair has a z."""
    begin = time.time()
    page = client.get(url, params=_FAMILIES).text
    end = time.time()
    times = [int(float(value)) for _, value in _LAST_BAR.findall(page)]
    complete = len(times) == PAIRS == len(_ZSCORE.findall(page))
    return Scrape(end, end - begin, min(times) if complete else None)


def _full_scrape(client: httpx.Client, url: str) -> float:
    """Seconds that all metrics take."""
    begin = time.perf_counter()
    client.get(url)
    return time.perf_counter() - begin


def _delays(scrapes: list[Scrape]) -> dict[int, float]:
    """Seconds from the end of each bar, which the simulated exchange dates by this machine's
    clock, to the first page that shows it or a later one for every pair.
    """
    delays: dict[int, float] = {}
    seen = scrapes[0].bar or 0
    for scrape in scrapes[1:]:
        if scrape.bar is not None:
            delays |= {bar: scrape.at - (bar + 1) for bar in range(seen + 1, scrape.bar + 1)}
            seen = scrape.bar
    return delays


def _apart(delays: dict[int, float], lake: Lake) -> tuple[list[float], list[float]]:
    """The delays of bars that a trade made final at once, and of those that waited for one."""
    final = (np.array(list(delays)) + 1 + LATENESS_SECONDS) * 1000
    trades = read_trades(lake, int(final[0]), int(final[-1]) + 60_000)["time_ms"].sort().to_numpy()
    waited = trades[np.searchsorted(trades, final)] - final > SILENCE_SECONDS * 1000
    every = np.array(list(delays.values()))
    return every[~waited].tolist(), every[waited].tolist()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=60)
    main(parser.parse_args().bars)
