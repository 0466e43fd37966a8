"""Bars, signals and rules for back-tests, drawn by hypothesis or from a seed, as the core's arrays
and as the plain loop's rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from spreadlake.pairs import Pair
from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.backtest import Bars, Costs, Lane, Signals
from spreadlake.quant.backtest import Funding as CoreFunding
from spreadlake.quant.backtest import Rules as CoreRules
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.pair_rows import Noise, PairRows, pair_rows
from spreadlake.series import Prices
from tests.quant.backtest_loop import Bar, Funding, Result, Rules, plain_backtest

BEGIN, LENGTH = 1_700_000_040, 60
# z-scores on a coarse grid meet thresholds exactly; many in a row are near the mean.
LEVELS = (-4.0, -3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)


@dataclass(frozen=True)
class Market:
    """A pair's bars and signals; fundings are (time in ms, leg, rate, mark price)."""

    bars: Bars
    signals: Signals
    fundings: tuple[tuple[int, str, float, float], ...] = ()

    def rows(self, rules: CoreRules) -> list[Bar]:
        """As the plain loop wants them: `allowed` is what the gates of the rules say."""
        bars, signals = self.bars, self.signals
        rows = []
        for at in range(len(bars)):
            adf = None if signals.adf_pvalue is None else _known(signals.adf_pvalue[at])
            rows.append(
                Bar(
                    time=int(bars.time[at]),
                    close_time=int(bars.time[at]) + bars.length,
                    open_a=float(bars.open_a[at]),
                    open_b=float(bars.open_b[at]),
                    close_a=float(bars.close_a[at]),
                    close_b=float(bars.close_b[at]),
                    traded=bool(bars.traded_a[at]) and bool(bars.traded_b[at]),
                    zscore=_known(signals.zscore[at]),
                    beta=_known(signals.beta[at]),
                    allowed=passes_gates(rules, _known(signals.correlation[at]), adf),
                )
            )
        return rows

    def funding(self) -> CoreFunding | None:
        """As the core wants it."""
        if not self.fundings:
            return None
        times, paid = {}, {}
        for leg in "ab":
            own = [one for one in self.fundings if one[1] == leg]
            times[leg] = np.array([one[0] for one in own], dtype=np.int64)
            paid[leg] = np.array([one[2] * one[3] for one in own], dtype=np.float64)
        return CoreFunding(times["a"], paid["a"], times["b"], paid["b"])

    def plain(self, lane: Lane) -> Result:
        """What the plain loop makes of it."""
        rules, costs = lane.rules, lane.costs
        fundings = [Funding(ms / 1000, leg, rate, mark) for ms, leg, rate, mark in self.fundings]
        plain = Rules(
            rules.entry,
            rules.exit,
            rules.stop,
            rules.max_bars,
            costs.notional,
            costs.fee_bps + costs.slippage_bps,
            self.signals.prices == "log",
        )
        return plain_backtest(self.rows(rules), plain, fundings)


def passes_gates(rules: CoreRules, correlation: float | None, adf: float | None) -> bool:
    """Whether an entry is allowed; a number that is not there lets nobody in."""
    least, most = rules.min_correlation, rules.max_adf_pvalue
    if least is not None and (correlation is None or correlation < least):
        return False
    return most is None or (adf is not None and adf <= most)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _holed(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


@st.composite
def markets(draw: st.DrawFn, most: int = 80) -> Market:
    """Walks of two legs with breaks, bars without trades and rows without a z."""
    count = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = np.ones(count, dtype=np.int64)
    for at in draw(st.lists(st.integers(0, count - 1), max_size=3)):
        steps[at] = draw(st.integers(2, 5_000))  # a break, or a hole
    time = BEGIN + LENGTH * np.cumsum(steps)
    walk = np.exp(np.cumsum(rng.normal(0, 0.02, (2, count)), axis=1))
    scale = np.array([[draw(st.sampled_from([1e-5, 1.0, 60_000.0]))], [100.0]])
    close = scale * walk
    opens = close * np.exp(rng.normal(0, 0.01, (2, count)))
    idle = rng.random((2, count)) < draw(st.sampled_from([0.0, 0.2, 0.7, 0.95]))
    levels = np.array(LEVELS) if draw(st.booleans()) else rng.normal(0, 2, 40)
    zscore = rng.choice(levels, count)
    zscore[rng.random(count) < draw(st.sampled_from([0.0, 0.1, 0.5]))] = np.nan
    beta = np.where(np.isnan(zscore), np.nan, rng.normal(0.8, 1.0, count))
    some = st.sampled_from([None, -0.5, 0.3, 0.5, 0.9])
    gates = draw(st.lists(st.tuples(some, some), min_size=1, max_size=12))
    gate = [gates[at % len(gates)] for at in range(count)]
    signals = Signals(
        zscore,
        beta,
        _holed([one for one, _ in gate]),
        _holed([other for _, other in gate]),
        draw(st.sampled_from(["raw", "log"])),
    )
    bars = Bars(LENGTH, time, opens[0], opens[1], close[0], close[1], ~idle[0], ~idle[1])
    return Market(bars, signals, draw(_fundings(time)))


@st.composite
def _fundings(draw: st.DrawFn, time: np.ndarray) -> tuple[tuple[int, str, float, float], ...]:
    """At opens and closes of bars, a little beside them, and anywhere; each leg's own."""
    rates = st.floats(-0.01, 0.01)
    beside = st.sampled_from([0, 1, -1, 7, LENGTH * 1000, LENGTH * 500])
    when = st.tuples(st.sampled_from(time.tolist()), beside)
    found: dict[tuple[int, str], tuple[int, str, float, float]] = {}
    for (second, ms), leg in draw(st.lists(st.tuples(when, st.sampled_from("ab")), max_size=8)):
        at = second * 1000 + ms
        found[at, leg] = (at, leg, draw(rates), draw(st.floats(0.1, 1000)))
    return tuple(found[key] for key in sorted(found))


@st.composite
def lanes(draw: st.DrawFn) -> Lane:
    """Rules and costs of all kinds."""
    entry = draw(st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.25]))
    exits = [level for level in (-2.0, -1.0, 0.0, 0.5, 1.0, 1.25) if level < entry]
    stops = [None, *(level for level in (2.0, 3.0, 3.5) if level > entry)]
    gate = st.sampled_from([None, None, 0.3, 0.5])
    rules = CoreRules(
        entry=entry,
        exit=draw(st.sampled_from(exits)),
        stop=draw(st.sampled_from(stops)),
        max_bars=draw(st.sampled_from([None, 1, 2, 3, 7])),
        min_correlation=draw(gate),
        max_adf_pvalue=draw(gate),
    )
    costs = Costs(
        draw(st.sampled_from([0.0, 5.0])),
        draw(st.sampled_from([0.0, 1.5])),
        draw(st.sampled_from([10_000.0, 37.0])),
    )
    return Lane(rules, costs)


def walking_market(
    seed: int, rows: int, prices: Prices = "raw", window: int = 60, lookback: int = 300
) -> Market:
    """Two walks that know nothing of each other, with the signals that the lake would have of them.

    Each bar opens where the one before closed; every tenth has no trade of B.
    """
    return next(walking_markets([seed], rows, prices, window, lookback))


def walking_markets(
    seeds: Sequence[int],
    rows: int,
    prices: Prices = "raw",
    window: int = 60,
    lookback: int = 300,
) -> Iterator[Market]:
    """The market of each seed, in order."""
    close = np.concatenate([_walk(seed, rows) for seed in seeds])
    traded = np.ones(close.shape, dtype=np.bool_)
    traded[1::2, ::10] = False
    start = BEGIN // LENGTH
    names = tuple(f"{leg}{seed}" for seed in seeds for leg in "AB")
    first = np.full(len(names), start)
    matrix = CloseMatrix(LENGTH, start, names, close, traded, np.ones(close.shape), first)
    pairs = [Pair(f"A{seed}", f"B{seed}") for seed in seeds]
    noise = Noise(1e-4, 1e-3)
    for known in pair_rows(matrix, pairs, [window], [lookback], 30, noise, rows, prices):
        for at, pair in enumerate(known.pairs):
            yield _market_of(matrix, known, at, matrix.rows([pair.a, pair.b]))


def _walk(seed: int, rows: int) -> Floats:
    """(2, rows) closes."""
    steps = np.random.default_rng(seed).normal(0, 1e-3, (2, rows))
    return np.asarray(np.array([[100.0], [40.0]]) * np.exp(np.cumsum(steps, axis=1)))


def _market_of(matrix: CloseMatrix, known: PairRows, at: int, legs: Ints) -> Market:
    close, traded = matrix.close[legs], matrix.traded[legs]
    opens = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    enough = known.have[at] >= known.window
    zscore, beta, correlation = (
        np.where(enough, known.numbers[name][at], np.nan)
        for name in ("zscore", "beta", "correlation")
    )
    time = LENGTH * (matrix.start + np.arange(close.shape[1]))
    bars = Bars(LENGTH, time, opens[0], opens[1], close[0], close[1], traded[0], traded[1])
    return Market(bars, Signals(zscore, beta, correlation, None, known.prices))
