"""Small markets whose back-test can be done by hand, and drawn ones."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.backtest import Bars, Costs, Funding, Lane, Rules, Run, Signals, back_tests
from spreadlake.series import Prices

BEGIN = 1_700_000_040 // 60 * 60
NAN = float("nan")
FREE = Costs(fee_bps=0, notional=1_000)


def bars_of(
    open_a: Sequence[float],
    open_b: Sequence[float] | None = None,
    idle_a: Sequence[int] = (),
    idle_b: Sequence[int] = (),
) -> Bars:
    """1m bars from BEGIN on; each closes where the next opens, the last a unit higher."""
    a = np.array(open_a, dtype=np.float64)
    b = np.full(len(a), 50.0) if open_b is None else np.array(open_b, dtype=np.float64)
    rows = np.arange(len(a))
    time = BEGIN + 60 * rows
    close_a, close_b = (np.append(x[1:], x[-1] + 1) for x in (a, b))
    return Bars(60, time, a, b, close_a, close_b, ~np.isin(rows, idle_a), ~np.isin(rows, idle_b))


def signals_of(
    zscore: Sequence[float],
    beta: float | Sequence[float] = 1.0,
    prices: Prices = "raw",
    correlation: Sequence[float] | None = None,
    adf_pvalue: Sequence[float] | None = None,
) -> Signals:
    z = np.array(zscore, dtype=np.float64)
    return Signals(
        z,
        np.broadcast_to(np.asarray(beta, dtype=np.float64), z.shape),
        np.ones(len(z)) if correlation is None else np.array(correlation, dtype=np.float64),
        None if adf_pvalue is None else np.array(adf_pvalue, dtype=np.float64),
        prices,
    )


def run(
    bars: Bars,
    signals: Signals,
    rules: Rules | None = None,
    costs: Costs = FREE,
    funding: Funding | None = None,
) -> Run:
    (only,) = back_tests(bars, signals, [Lane(rules or Rules(), costs)], funding)
    return only


def part(run_of: Run, rows: int, funding: Funding | None) -> Run:
    """The same lane over the first rows, as if there were no others."""
    market = run_of.market
    (only,) = back_tests(
        market.bars.part(0, rows), market.signals.part(0, rows), [run_of.lane], funding
    )
    return only


_Z = st.one_of(st.just(NAN), st.sampled_from([-4.0, -3, -2, -1, 0, 1, 2, 3, 4]), st.floats(-5, 5))


@st.composite
def markets(draw: st.DrawFn) -> tuple[Bars, Signals, Funding | None]:
    """Bars with holes in time and bars without trades; any z-scores, gates and funding."""
    rows = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    gaps = rng.choice([1, 1, 1, 1, 7], rows)
    time = BEGIN + 60 * np.cumsum(gaps)
    prices = (100 * np.exp(np.cumsum(rng.normal(0, 0.02, rows))) for _ in range(4))
    idle = draw(st.sampled_from([0.0, 0.3, 0.8]))
    traded = (rng.random(rows) >= idle for _ in range(2))
    bars = Bars(60, time, *prices, *traded)
    z = np.array(draw(st.lists(_Z, min_size=rows, max_size=rows)))
    numbers = (rng.normal(1, 1, rows), rng.uniform(-1, 1, rows), rng.random(rows))
    beta, correlation, adf = (np.where(np.isnan(z), NAN, x) for x in numbers)
    signals = Signals(z, beta, correlation, adf, draw(st.sampled_from(["raw", "log"])))
    funding = Funding(*_fundings(rng, time), *_fundings(rng, time)) if draw(st.booleans()) else None
    return bars, signals, funding


def _fundings(rng: np.random.Generator, time: Ints) -> tuple[Ints, Floats]:
    """Some at the opens and closes of bars themselves, others between them."""
    low, high = int(time[0]) * 1000, int(time[-1] + 60) * 1000
    times = np.union1d(rng.choice(time, 3) * 1000, rng.integers(low, high + 1, 4))
    return times, rng.normal(0, 0.1, len(times))


@st.composite
def lanes(draw: st.DrawFn) -> Lane:
    entry = draw(st.sampled_from([0.5, 1.0, 2.0, 3.0]))
    rules = Rules(
        entry,
        draw(st.sampled_from([x for x in (-2.0, -0.5, 0.0, 0.4, 1.0) if x < entry])),
        draw(st.sampled_from([None, entry + 0.5, entry + 1, 4.5])),
        draw(st.sampled_from([None, 1, 2, 5, 30])),
        draw(st.sampled_from([None, None, 0.0])),
        draw(st.sampled_from([None, None, 0.5])),
    )
    return Lane(rules, Costs(draw(st.sampled_from([0.0, 5.0])), draw(st.sampled_from([0.0, 2.5]))))
