"""Markets of noise alone, whose pairs are chosen by screens: choosing earns nothing either.

`python -m tests.research.screen_noise [MARKETS]` prints, over so many markets of ten walks that
know nothing of each other, the mean gross, fees and net of a market with the standard error of
each. The second line is the same where each screen is that of an hour later, as a choice with
hindsight would have it: the pairs that came back in that very hour.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np

from spreadlake.lake import Lake
from spreadlake.quant.arrays import Floats
from spreadlake.quant.backtest import Lane, Rules
from spreadlake.quant.backtest.limits import Limits
from spreadlake.research.backtests import screen as screen_backtest
from spreadlake.research.backtests.screen_choices import TakenScreens, take_screens
from spreadlake.research.backtests.screen_request import ScreenBacktestRequest
from tests.quant.backtest_noise import mean_and_error
from tests.research.bar_lake import make_bar_lake

MARKETS, SYMBOLS, BARS = 40, 10, 600
# An hour of bars is what a screen looks back on, and what is traded until the next one.
REQUEST = ScreenBacktestRequest(
    window=20, lookback=60, every=3600, max_qvalue=1.0, lane=Lane(Rules(1.5)), limits=Limits(10)
)


def noise_lake(root: Path, seed: int) -> Lake:
    """Bars that open where the ones before closed."""
    logs = np.cumsum(np.random.default_rng(seed).normal(0, 1e-3, (SYMBOLS, BARS)), axis=1)
    close = 100 * np.exp(logs)
    opens = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    names = [f"S{at}USDT" for at in range(SYMBOLS)]
    return make_bar_lake(
        root,
        dict(zip(names, close, strict=True)),
        opens=dict(zip(names, opens, strict=True)),
    )


def earned(markets: int) -> tuple[Floats, Floats]:
    """(markets, 4): number of trades, gross, fees and net of each; then those with hindsight."""
    rows: list[list[tuple[float, ...]]] = [[], []]
    for seed in range(markets):
        with TemporaryDirectory() as folder:
            lake = noise_lake(Path(folder), seed)
            for late in (False, True):
                with mock.patch.object(screen_backtest, "take_screens", _screens(late)):
                    one = screen_backtest.take_screen_backtest(lake, REQUEST).summary
                rows[late].append((one["trades"], one["gross"], one["fees"], one["net"]))
    return np.array(rows[0], dtype=np.float64), np.array(rows[1], dtype=np.float64)


def _screens(late: bool) -> Callable[..., TakenScreens]:
    """Those of each time, or of the time after it."""

    def taken(*args: Any) -> TakenScreens:
        found = take_screens(*args)
        if not late:
            return found
        later = [*found.choices[1:], found.choices[-1]]
        moved = [
            own._replace(pairs=next_.pairs) for own, next_ in zip(found.choices, later, strict=True)
        ]
        return TakenScreens(moved, found.frame)

    return taken


def _show(markets: int) -> None:
    for name, found in zip(("point in time", "hindsight"), earned(markets), strict=True):
        told = [f"{int(found[:, 0].sum())} trades"]
        for at, column in enumerate(("gross", "fees", "net"), 1):
            mean, error = mean_and_error(found[:, at])
            told.append(f"{column} {mean:+.2f} ± {error:.2f}")
        print(f"{name}:", ", ".join(told))


if __name__ == "__main__":
    _show(int(sys.argv[1]) if len(sys.argv) > 1 else MARKETS)
