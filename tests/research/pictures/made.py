"""Results of a back-test, made by hand: seeded, with the columns and types of real ones."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from spreadlake.quant.backtest import EQUITY_SCHEMA, TRADES_SCHEMA
from spreadlake.research.pictures import Pictured

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def made_run(bars: int = 3_000, trades: int = 40, seed: int = 5) -> Pictured:
    """A z-score that goes back to 0, trades spread over it, and an equity that wanders."""
    rng = np.random.default_rng(seed)
    z = np.empty(bars)
    last = 0.0
    for at, noise in enumerate(rng.normal(0, 0.25, bars)):
        last = 0.97 * last + noise
        z[at] = last
    zscore = pl.Series("zscore", z).scatter(range(min(60, bars)), None)
    opens = pl.Series(
        "time", [START + MINUTE * at for at in range(bars)], dtype=EQUITY_SCHEMA["time"]
    )
    own = made_trades(opens, zscore, trades, rng)
    earned = np.zeros(bars)
    for row in own.iter_rows(named=True):
        earned[min(bars - 1, int((row["exit_time"] - START) / MINUTE))] += row["net"]
    equity = np.cumsum(earned + rng.normal(0, 0.3, bars) * (trades > 0))
    frame = pl.DataFrame(
        {
            "time": opens,
            "close_time": opens + MINUTE,
            "zscore": zscore,
            "position": rng.integers(-1, 2, bars),
            "equity": equity,
            "drawdown": np.maximum.accumulate(equity) - equity,
        }
    )
    return Pictured("BTCUSDT/ETHUSDT 1m", own, frame, made_summary(own, frame), SETTINGS)


def made_trades(
    opens: pl.Series, zscore: pl.Series, trades: int, rng: np.random.Generator
) -> pl.DataFrame:
    rows = []
    step = (len(opens) - 80) // max(trades, 1)
    for number in range(trades):
        at = 70 + number * step
        out = at + max(1, step // 2)
        gross, fees, funding = rng.normal(12, 25), 9.7, rng.normal(0, 0.5)
        reason = ("exit", "exit", "stop", "time")[number % 4] if number + 1 < trades else "end"
        rows.append(
            {
                "trade": number + 1,
                "pair": "BTCUSDT/ETHUSDT",
                "side": "short" if (zscore[at] or 0) > 0 else "long",
                "signal_time": opens[at],
                "entry_time": opens[at + 1],
                "exit_signal_time": opens[out],
                "exit_time": opens[out + 1],
                "quantity_a": 0.1,
                "quantity_b": -1.9,
                "entry_price_a": 64_000.0,
                "entry_price_b": 3_100.0,
                "exit_price_a": 64_050.0,
                "exit_price_b": 3_101.0,
                "beta": 19.2,
                "entry_zscore": zscore[at],
                "exit_zscore": None if reason == "time" else zscore[out],
                "bars_held": out - at,
                "gross": gross,
                "fees": fees,
                "funding": funding,
                "net": gross - fees + funding,
                "worst": -20.0,
                "best": 30.0,
                "reason": reason,
            }
        )
    return pl.DataFrame(rows, TRADES_SCHEMA)


def made_summary(trades: pl.DataFrame, equity: pl.DataFrame) -> dict[str, float | None]:
    net = float(trades["net"].sum())
    return {
        "trades": len(trades),
        "gross": float(trades["gross"].sum()),
        "fees": float(trades["fees"].sum()),
        "funding": float(trades["funding"].sum()),
        "net": net,
        "net_on_notional": net / 10_000,
        "hit_rate": (trades["net"] > 0).sum() / len(trades) if len(trades) else None,
        "profit_factor": 1.31 if len(trades) else None,
        "mean_bars_held": 31.5 if len(trades) else None,
        "longest_bars_held": 120 if len(trades) else None,
        "time_in_market": 0.42 if len(trades) else 0.0,
        "max_drawdown": equity["drawdown"].to_numpy().max(initial=0.0),
        "sharpe": 2.345678 if len(trades) else None,
        "turnover": 40_000.0 * len(trades),
        "break_even_bps": 6.1 if len(trades) else None,
    }


SETTINGS = {
    "timeframe": "1m", "window": 60, "lookback": 300, "prices": "raw", "entry": 2.0, "exit": 0.5,
    "stop": 4.0, "max_bars": None, "fee_bps": 5.0, "slippage_bps": 0.5, "notional": 10_000.0,
    "funding": True,
}  # fmt: skip
