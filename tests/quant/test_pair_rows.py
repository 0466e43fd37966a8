"""All pairs of a market at once: what each of them has alone, to the last bit."""

import tracemalloc
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.pairs import Pair
from spreadlake.quant import pair_rows as module
from spreadlake.quant.arrays import Floats
from spreadlake.quant.close_matrix import NEVER, CloseMatrix
from spreadlake.quant.pair_rows import NUMBERS, Noise, PairRows, pair_rows

START = 1_700_000_000
MOST_STALE = 6
NOISE = Noise(1e-4, 1e-3)
Row = tuple[float, ...]
Key = tuple[str, int, int, int]  # pair, window, lookback, absolute bar


def _market(seed: int, symbols: int, bars: int, start: int, *, late: bool) -> CloseMatrix:
    """Walks; a multiple of another, one that stands still; some begin late, one has ended."""
    rng = np.random.default_rng(seed)
    step = 10.0 ** rng.integers(-9, -1)
    close = rng.uniform(1e-3, 100, (symbols, 1)) * np.exp(
        np.cumsum(rng.normal(0, step, (symbols, bars)), axis=1)
    )
    close[-1], close[-2] = 3 * close[0], 7.0
    first = np.full(symbols, start)
    if late:
        first = start + rng.integers(0, bars // 2, symbols)
        first[1] = NEVER
    close[np.arange(bars) + start < first[:, None]] = np.nan
    return CloseMatrix(
        1,
        start,
        tuple(f"S{number:03}" for number in range(symbols)),
        close,
        rng.random((symbols, bars)) < 0.4,
        rng.lognormal(3, 2, (symbols, bars)),
        first,
    )


def _table(results: list[PairRows]) -> dict[Key, bytes]:
    table = {}
    for result in results:
        numbers: list[Floats] = [result.price_a, result.price_b]
        numbers += [result.numbers[name] for name in NUMBERS]
        for at, pair in enumerate(result.pairs):
            for row in np.flatnonzero(result.have[at] >= result.window):
                key = pair.name, result.window, result.lookback, result.start + int(row)
                values = np.array([of[at, row] for of in numbers])
                table[key] = np.where(np.isnan(values), np.nan, values).tobytes()
    return table


def _rows(
    closes: CloseMatrix, pairs: list[Pair], windows: list[int], lookbacks: list[int], rows: int
) -> dict[Key, bytes]:
    return _table(list(pair_rows(closes, pairs, windows, lookbacks, MOST_STALE, NOISE, rows)))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(4, 16),
    st.lists(st.integers(2, 40), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(2, 60), min_size=1, max_size=2, unique=True),
    st.sampled_from([1, 2, 30]),
    st.integers(0, 70),
    st.booleans(),
)
def test_all_pairs_at_once_are_each_pair_alone(
    seed: int,
    symbols: int,
    windows: list[int],
    lookbacks: list[int],
    rows: int,
    shift: int,
    late: bool,
) -> None:
    bars = max(*windows, *lookbacks, MOST_STALE + 1) + rows
    closes = _market(seed, symbols, bars, START + shift, late=late)
    pairs = [Pair(a, b) for a, b in permutations(closes.symbols, 2)]
    together = _rows(closes, pairs, windows, lookbacks, rows)
    alone: dict[Key, bytes] = {}
    for number in np.random.default_rng(seed).choice(len(pairs), 6, replace=False):
        alone |= _rows(closes, [pairs[number]], windows, lookbacks, rows)
    assert alone == {key: together[key] for key in alone}


@pytest.mark.parametrize("cells", [1, 7, 200])
def test_groups_of_pairs_of_any_size_give_the_same_bits(
    cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    closes = _market(3, 14, 70, START, late=True)
    pairs = [Pair(a, b) for a, b in permutations(closes.symbols, 2)]
    whole = _rows(closes, pairs, [5, 20], [40, 12], 2)
    monkeypatch.setattr(module, "_CELLS", cells)
    assert _rows(closes, pairs, [5, 20], [40, 12], 2) == whole
    assert whole


def test_a_bar_of_many_pairs_is_that_of_a_long_history() -> None:
    """Row by row with all pairs, as live, and all rows of a pair, as for a history."""
    closes = _market(5, 18, 200, START + 13, late=False)
    pairs = [Pair(a, b) for a, b in permutations(closes.symbols, 2)]
    history: dict[Key, bytes] = {}
    for pair in pairs[::40]:
        history |= _rows(closes, [pair], [30, 8], [60], 130)
    names = {pair.name for pair in pairs[::40]}
    for end in (140, 170, 171, 200):
        part = closes.columns(closes.start + end - 61, closes.start + end)
        for key, numbers in _rows(part, pairs, [30, 8], [60], 1).items():
            if key[0] in names:
                assert numbers == history[key]


def test_memory_is_bounded_while_symbols_begin_at_different_bars() -> None:
    """After a first start or a break each symbol has its own first bar."""
    symbols, bars = 40, 3000
    together = _market(1, symbols, bars, START, late=False)
    apart = replace(together, first=START + 50 * np.arange(symbols))
    pairs = [Pair(a, b) for a, b in combinations(together.symbols, 2)]
    assert _peak(apart, pairs) < 5 * _peak(together, pairs)


def _peak(closes: CloseMatrix, pairs: list[Pair]) -> int:
    """Bytes that arrays take at the most while a row of all pairs is computed."""
    tracemalloc.start()
    for _ in pair_rows(closes, pairs, [60], [3000], MOST_STALE, NOISE, 1):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_pairs_that_begin_apart_are_taken_apart_and_none_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closes = _market(2, 9, 90, START, late=True)
    pairs = [Pair(a, b) for a, b in permutations(closes.symbols, 2)]
    expected = _rows(closes, pairs, [5, 20], [30], 3)
    assert len({pair for pair, *_ in expected}) > 20
    for cells in (1, 400, 1200):
        monkeypatch.setattr(module, "_LEG_CELLS", cells)
        assert _rows(closes, pairs, [5, 20], [30], 3) == expected
