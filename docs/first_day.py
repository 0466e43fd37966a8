"""Makes what docs/first-day.md works on: dumps of two days, and two configurations.

python docs/first_day.py [FOLDER]     (./day unless named)

The dump files are as Binance publishes them, always the same; nothing in them is a real trade.
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from docs.sample import write_dump
from simulator.source import TradeColumns

Floats = NDArray[np.float64]

PRICES = {
    "BTCUSDT": 61_250.0,
    "ETHUSDT": 2_680.0,
    "SOLUSDT": 158.0,
    "BNBUSDT": 515.0,
    "XRPUSDT": 0.61,
    "DOGEUSDT": 0.105,
    "ADAUSDT": 0.345,
    "LINKUSDT": 10.4,
    "LTCUSDT": 62.5,
    "AVAXUSDT": 22.3,
}
LATER = "DOTUSDT"  # the exchange has it, the researcher does not capture it at first
MIDNIGHT_MS = 1_723_075_200_000  # 2024-08-08T00:00:00Z
SECONDS = 2 * 86_400
TRADING_HOURS = ((18, 24), (24, 30))  # since that midnight; a file a day
TRADES = 2_000  # of each symbol and file
FIRST_ID = 1_000_000
VOLATILITY = 1e-4  # per root second
SEED = 11

CONFIGURATION = """\
symbols = {symbols}
pairs = "all"
timeframes = ["5m", "1h"]
windows = [12]
lookbacks = [24]
[exchange]
ws_url = "ws://127.0.0.1:9443"
rest_url = "http://127.0.0.1:9443"
[collector]
repair_hours = 1
[notify]
urls = ["json://127.0.0.1:8787"]
[[alerts]]
name = "stretched"
timeframe = "5m"
window = 12
threshold = 3.1
"""


def make_day(folder: Path) -> None:
    """Writes `dumps/*.zip`, `spreadlake.toml` and `exchange.toml` into `folder`."""
    dumps = folder / "dumps"
    dumps.mkdir(parents=True, exist_ok=True)
    (folder / "spreadlake.toml").write_text(CONFIGURATION.format(symbols=json.dumps([*PRICES])))
    (folder / "exchange.toml").write_text(f"symbols = {json.dumps([*PRICES, LATER])}\n")
    chance = np.random.default_rng(SEED)
    market = _walk(chance)
    for symbol, price in PRICES.items():
        path = price * np.exp(market + 0.3 * _walk(chance))
        for number, hours in enumerate(TRADING_HOURS):
            first_id = FIRST_ID + number * TRADES
            write_dump(dumps, symbol, _trades(chance, path, hours, first_id))


def _walk(chance: np.random.Generator) -> Floats:
    """A random walk, a step a second."""
    return np.cumsum(chance.normal(0.0, VOLATILITY, SECONDS))


def _trades(
    chance: np.random.Generator, path: Floats, hours: tuple[int, int], first_id: int
) -> TradeColumns:
    start_ms, end_ms = (3_600_000 * hour for hour in hours)
    times_ms = np.sort(chance.integers(start_ms, end_ms, TRADES))
    return TradeColumns(
        np.arange(first_id, first_id + TRADES),
        MIDNIGHT_MS + times_ms,
        np.round(path[times_ms // 1000], 4),
        np.round(chance.uniform(0.1, 9.0, TRADES), 3),
        chance.uniform(size=TRADES) < 0.5,
    )


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "day")
    make_day(target)
    sys.stdout.write(f"made {target}: dumps, spreadlake.toml and exchange.toml\n")
