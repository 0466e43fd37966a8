"""`python -m benchmarks [PART ...]`: a line a figure; every short part unless some are named."""

import importlib
import sys

from spreadlake.blas import pin_blas_threads

PARTS = (
    "alerts",
    "analytics",
    "backtest",
    "cointegration",
    "capture",
    "cluster",
    "freshness",
    "lake_frames",
    "log",
    "market_job",
    "minutes",
    "screen",
    "settings",
    "warm_start",
)
LONG = ("market",)


def main() -> None:
    """Runs the parts that are named."""
    wanted = sys.argv[1:] or list(PARTS)
    for part in wanted:
        if part not in PARTS + LONG:
            sys.exit(f"benchmarks: there is no {part!r}; there are {', '.join(PARTS + LONG)}")
    pin_blas_threads()  # as in the processes that are measured
    for part in wanted:
        importlib.import_module(f"benchmarks.{part}").main()


if __name__ == "__main__":
    main()
