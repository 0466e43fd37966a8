"""The contract's definitions as plain loops over Python numbers: slow, and hard to get wrong."""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from tests.trades import Trade

Bar = tuple[float, float, float, float, float, float, float, int]  # ohlc, volumes, trades
Bars = dict[int, Bar]
Away = dict[str, list[tuple[int, int]]]  # [left, back) of each symbol, in seconds


def breaks(trades: Sequence[Trade], limit: int) -> list[tuple[int, int]]:
    """Seconds [start, end) without any trade, more than `limit` from one with to the next."""
    seconds = sorted({trade.time_ms // 1000 for trade in trades})
    return [(s + 1, t) for s, t in itertools.pairwise(seconds) if t - s > limit]


def second_bars(
    trades: Sequence[Trade], final: int, limit: int = 900, away: Away | None = None
) -> dict[str, Bars]:
    """1s bars by symbol and time; `final` is the first second that is not final."""
    off = {t for start, end in breaks(trades, limit) for t in range(start, end)}
    by_symbol: dict[str, list[Trade]] = defaultdict(list)
    for trade in trades:
        by_symbol[trade.symbol].append(trade)
    bars: dict[str, Bars] = {}
    for symbol, own in by_symbol.items():
        own.sort(key=lambda t: (t.time_ms, t.trade_id))
        grouped: dict[int, list[Trade]] = defaultdict(list)
        for trade in own:
            grouped[trade.time_ms // 1000].append(trade)
        bars[symbol] = {}
        for second in range(min(grouped), final):
            if second in grouped:
                bars[symbol][second], traded = _bar(grouped[second]), second
            elif any(
                max(left, traded) + limit <= second and max(left, traded) + limit < back
                for left, back in (away or {}).get(symbol, ())
            ):
                continue
            elif second not in off and second - 1 in bars[symbol]:
                close = bars[symbol][second - 1][3]
                bars[symbol][second] = (close, close, close, close, 0.0, 0.0, 0.0, 0)
    return {symbol: own for symbol, own in bars.items() if own}


def _bar(trades: list[Trade]) -> Bar:
    prices = [t.price for t in trades]
    return (
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
        sum(t.qty for t in trades),
        sum(t.price * t.qty for t in trades),
        sum(t.qty for t in trades if not t.buyer_is_maker),
        len(trades),
    )


def longer_bars(seconds: Bars, length: int, final: int) -> Bars:
    """Bars of `length` seconds that end at or before `final`."""
    out: Bars = {}
    for start in sorted({t // length * length for t in seconds}):
        if start + length > final:
            continue
        own = [seconds[t] for t in range(start, start + length) if t in seconds]
        out[start] = (
            own[0][0],
            max(b[1] for b in own),
            min(b[2] for b in own),
            own[-1][3],
            sum(b[4] for b in own),
            sum(b[5] for b in own),
            sum(b[6] for b in own),
            sum(b[7] for b in own),
        )
    return out


def analytics(
    a: Bars,
    b: Bars,
    length: int,
    window: int,
    lookback: int,
    max_stale: int,
    off: Sequence[tuple[int, int]] = (),
) -> dict[int, dict[str, Any]]:
    """Rows of pair_analytics by time; windows begin anew after the breaks `off`."""
    anew = {end // length * length for start, end in off if end // length - start // length < 2}
    rows: dict[int, dict[str, Any]] = {}
    run: list[int] = []
    for time in (t for t in sorted(a) if t in b):
        if (run and time - run[-1] != length) or time in anew:
            run = []
        run.append(time)
        if len(run) < window:
            continue
        rows[time] = _row(a, b, run, window, lookback)
        if _carried(a, time, length) > max_stale or _carried(b, time, length) > max_stale:
            rows[time] = {k: v if k.startswith("price") else None for k, v in rows[time].items()}
    return rows


def _carried(bars: Bars, time: int, length: int) -> int:
    count = 0
    while time in bars and bars[time][7] == 0:
        count += 1
        time -= length
    return count


def _row(a: Bars, b: Bars, times: list[int], window: int, lookback: int) -> dict[str, Any]:
    pa, pb = [a[t][3] for t in times], [b[t][3] for t in times]
    la, lb = pa[-lookback:], pb[-lookback:]
    wa, wb = pa[-window:], pb[-window:]
    row: dict[str, Any] = dict.fromkeys(
        ("alpha", "beta", "spread", "spread_mean", "spread_std", "zscore", "beta_stderr")
    )
    row["r_squared"] = row["kalman_beta"] = None
    row["hedge_bars"] = len(la)
    row |= {"price_a": pa[-1], "price_b": pb[-1], "correlation": pearson(wa, wb)}
    ra, rb = returns(wa), returns(wb)
    row["return_correlation"] = pearson(ra, rb)
    row["volatility_a"], row["volatility_b"] = deviation(ra), deviation(rb)
    row["volume_a"] = math.fsum(a[t][5] for t in times[-window:])
    row["volume_b"] = math.fsum(b[t][5] for t in times[-window:])
    if len(set(lb)) > 1:
        beta = covariance(la, lb) / covariance(lb, lb)
        row["beta"], row["alpha"] = beta, mean(la) - beta * mean(lb)
        row |= fit_quality(tuple(la), tuple(lb), beta)
        spreads = [x - beta * y for x, y in zip(wa, wb, strict=True)]
        row["spread"], row["spread_mean"] = spreads[-1], mean(spreads)
        std = deviation(spreads)
        row["spread_std"] = std
        if std:
            row["zscore"] = (spreads[-1] - row["spread_mean"]) / std
    return row


@lru_cache(maxsize=10_000)
def fit_quality(a: tuple[float, ...], b: tuple[float, ...], beta: float) -> dict[str, float | None]:
    """Standard error of beta and R², from the residuals of A on B."""
    n, from_a, from_b = len(a), from_mean(a), from_mean(b)
    sse = math.fsum((x - beta * y) ** 2 for x, y in zip(from_a, from_b, strict=True))
    sbb = math.fsum(y * y for y in from_b)
    varies = len(set(a)) > 1
    return {
        "beta_stderr": math.sqrt(sse / (n - 2) / sbb) if n > 2 else None,
        "r_squared": 1 - sse / math.fsum(x * x for x in from_a) if varies else None,
        "kalman_beta": kalman_beta(a, b, 1e-4, 1e-3) if varies else None,
    }


def kalman_beta(
    a: Sequence[float], b: Sequence[float], delta: float, observation_variance: float
) -> float:
    """Beta after the last bar: state and covariance written out, on standardised prices."""
    scale_a, scale_b = math.sqrt(covariance(a, a)), math.sqrt(covariance(b, b))
    mean_a, mean_b = mean(a), mean(b)
    walk = delta / (1 - delta)
    alpha = beta = 0.0
    p = [[10.0, 0.0], [0.0, 10.0]]
    for price_a, price_b in zip(a, b, strict=True):
        x, y = (price_b - mean_b) / scale_b, (price_a - mean_a) / scale_a
        p[0][0] += walk
        p[1][1] += walk
        h = [p[0][0] + p[0][1] * x, p[1][0] + p[1][1] * x]
        s = h[0] + h[1] * x + observation_variance
        error = y - alpha - beta * x
        alpha, beta = alpha + h[0] / s * error, beta + h[1] / s * error
        p = [[p[i][j] - h[i] * h[j] / s for j in (0, 1)] for i in (0, 1)]
    return beta * scale_a / scale_b


def mean(x: Sequence[float]) -> float:
    return math.fsum(x) / len(x)


def covariance(x: Sequence[float], y: Sequence[float]) -> float:
    products = (p * q for p, q in zip(from_mean(x), from_mean(y), strict=True))
    return math.fsum(products) / (len(x) - 1)


def from_mean(x: Sequence[float]) -> list[float]:
    """x less its mean, by way of the first value: exactly 0 where x does not vary."""
    moves = [value - x[0] for value in x]
    middle = mean(moves)
    return [move - middle for move in moves]


def deviation(x: Sequence[float]) -> float | None:
    if len(x) < 2:
        return None
    return 0.0 if len(set(x)) == 1 else math.sqrt(covariance(x, x))


def returns(x: Sequence[float]) -> list[float]:
    return [math.log(q / p) for p, q in itertools.pairwise(x)]


def pearson(x: Sequence[float], y: Sequence[float]) -> float | None:
    if len(set(x)) < 2 or len(set(y)) < 2:
        return None
    return covariance(x, y) / math.sqrt(covariance(x, x) * covariance(y, y))


def alert_events(
    rows: dict[int, dict[str, Any]],
    threshold: float,
    min_hedge_bars: float,
    close_below: float | None = None,
    min_bars: int = 1,
    quiet: int = 0,
) -> list[tuple[int, float, float, int | None, float | None]]:
    """(opened_at, opened z, peak z, closed_at, closed z); none opens on a younger hedge ratio.

    Without more it is a plain rule: every crossing an event.
    """
    events: list[list[Any]] = []
    is_open, streak, quiet_until = False, 0, 0
    for time in sorted(rows):
        z = rows[time]["zscore"]
        beyond = z is not None and abs(z) > threshold and rows[time]["hedge_bars"] >= min_hedge_bars
        streak = streak + 1 if beyond else 0
        if is_open and z is not None and abs(z) < (close_below or threshold):
            events[-1][3:] = [time, z]
            is_open, quiet_until = False, time + quiet
        elif is_open and z is not None and abs(z) > abs(events[-1][2]):
            events[-1][2] = z
        elif not is_open and streak >= min_bars and time >= quiet_until:
            events.append([time, z, z, None, None])
            is_open = True
    return [tuple(event) for event in events]
