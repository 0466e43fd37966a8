"""Sixty rows as one: what a loop finds in them, however they come."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.quant.rollups import BEYOND, ROLLED_SCHEMA, ROLLUP_COLUMNS, roll_up

KEY = ["pair", "timeframe", "window_bars", "lookback_bars"]
NUMBERS = [name for name in ROLLED_SCHEMA if name not in (*KEY, "time", "prices", "hedge_bars")]
Row = dict[str, Any]

_number = st.one_of(
    st.none(), st.sampled_from([1.0, -1.5, 2.0, -2.5, 3.0, 4.0, 0.0]), st.floats(-9, 9)
)
_row = st.fixed_dictionaries(
    {
        "pair": st.sampled_from(["A/B", "B/C"]),
        "timeframe": st.just("5s"),
        "window_bars": st.sampled_from([30, 60]),
        "lookback_bars": st.just(300),
        "time": st.integers(0, 200).map(lambda bar: 1_700_000_000 + 5 * bar),
        "hedge_bars": st.one_of(st.none(), st.integers(30, 300)),
        "prices": st.sampled_from([None, None, None, "log"]),
        **dict.fromkeys(NUMBERS, _number),
    }
)
_rows = st.lists(_row, max_size=40, unique_by=lambda row: tuple(row[n] for n in (*KEY, "time")))


def framed(rows: Iterable[Row]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=ROLLED_SCHEMA)


def looped(rows: Iterable[Row], seconds: int) -> list[Row]:
    """A roll-up for each span, straight from what its columns are said to be."""
    spans: dict[tuple[Any, ...], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["time"]):
        deviation = None
        if row["spread"] is not None and row["spread_mean"] is not None:
            deviation = row["spread"] - row["spread_mean"]
        span = (*(row[name] for name in KEY), row["time"] // seconds * seconds)
        spans.setdefault(span, []).append(row | {"deviation": deviation})
    found = []
    for span, every in sorted(spans.items()):
        own = [row for row in every if row["prices"] == every[-1]["prices"]]
        rolled = dict(zip([*KEY, "time"], span, strict=True)) | {"bars": len(own)}
        for name in ("zscore", "spread", "deviation", "beta", "correlation", "return_correlation"):
            there = [row[name] for row in own if row[name] is not None]
            rolled |= {f"{name}_min": min(there, default=None)}
            rolled |= {f"{name}_max": max(there, default=None)}
            rolled |= {f"{name}_last": there[-1] if there else None}
        for name in ("spread_std", "beta_stderr", "kalman_beta", "hedge_bars"):
            there = [row[name] for row in own if row[name] is not None]
            rolled[f"{name}_last"] = there[-1] if there else None
        z = [abs(row["zscore"]) for row in own if row["zscore"] is not None]
        levels = {"1": 1, "1_5": 1.5, "2": 2, "2_5": 2.5, "3": 3, "4": 4}
        rolled |= {f"beyond_{name}": sum(x >= least for x in z) for name, least in levels.items()}
        found.append(rolled | {"zscores": len(z), "prices": own[-1]["prices"]})
    return found


@settings(max_examples=50, deadline=None)
@given(_rows)
def test_each_is_what_a_loop_over_its_rows_finds(rows: list[Row]) -> None:
    assert roll_up(framed(rows), 5).to_dicts() == [
        {name: rolled[name] for name in ROLLUP_COLUMNS} for rolled in looped(rows, 300)
    ]


@settings(max_examples=50, deadline=None)
@given(_rows, st.randoms(use_true_random=False), st.lists(st.integers(0, 40), max_size=4))
def test_any_splitting_of_the_rows_into_pieces_gives_the_same(
    rows: list[Row], random: Any, cuts: list[int]
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    pieces = [framed(shuffled[low:high]) for low, high in pairwise(edges)]
    whole = roll_up(framed(rows), 5)
    assert roll_up(pl.concat(pieces), 5).equals(whole)
    times = [1_699_999_800 + 300 * span for span in range(5)]
    by_span = [framed(r for r in rows if t <= r["time"] < t + 300) for t in times]
    rolled = pl.concat(roll_up(span, 5) for span in by_span)
    assert rolled.sort(*KEY, "time").equals(whole)


def test_of_no_row_there_is_none() -> None:
    assert roll_up(framed([]), 1).height == 0
    assert roll_up(framed([]), 1).columns == list(ROLLUP_COLUMNS)


def test_the_counts_are_of_what_is_at_least_so_far_out() -> None:
    z = [-4.0, 3.999, 2.999, 2.5, 2.499, -2.0, 1.999, 1.5, 1.499, 1.0, 0.999, None]
    blank = dict.fromkeys((*NUMBERS, "hedge_bars", "prices"))
    rows = [
        {**blank, **dict(zip(KEY, ("A/B", "1s", 60, 300), strict=True)), "time": at, "zscore": one}
        for at, one in enumerate(z)
    ]
    (rolled,) = roll_up(framed(rows), 1).to_dicts()
    assert [rolled[name] for name in BEYOND] == [10, 8, 6, 4, 2, 1]
    assert (rolled["bars"], rolled["zscores"], rolled["zscore_last"]) == (12, 11, 0.999)
    assert (rolled["spread_min"], rolled["hedge_bars_last"], rolled["prices"]) == (None, None, None)
