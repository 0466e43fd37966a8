"""Reading the settings: of many symbols, every pair of them, against a few."""

import tempfile
import time
from pathlib import Path

from spreadlake.config import load_settings

FEW, MANY = 50, 500
ROUNDS = 15


def main() -> None:
    """Prints one line a figure."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = (_seconds(Path(folder), symbols) for symbols in (FEW, MANY))
    pairs = MANY * (MANY - 1) // 2
    print(
        f"settings: {MANY} symbols, {pairs:,} pairs, against {FEW} symbols: "
        f"{many / few:.1f} times the processor time (at most 20, under 1 s); {many * 1000:.1f} ms"
    )


def _seconds(folder: Path, symbols: int) -> float:
    path = folder / f"{symbols}.toml"
    names = ", ".join(f'"S{number}USDT"' for number in range(symbols))
    path.write_text(f'symbols = [{names}]\npairs = "all"\n', encoding="utf-8")
    return min(_once(path) for _ in range(ROUNDS))


def _once(path: Path) -> float:
    begin = time.process_time()
    load_settings(path)
    return time.process_time() - begin
