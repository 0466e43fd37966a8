"""Longer bars from klines and from seconds, against a plain loop."""

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from spreadlake.quant.resample import bars_before, longer_bars
from spreadlake.schemas import BARS_SCHEMA

NAMES = BARS_SCHEMA.names()
Bar = dict[str, Any]


def minute(number: int, value: int) -> Bar:
    prices = {"open": value, "high": value + 3, "low": value - 2, "close": value + 1}
    sums = {"volume": 2, "quote_volume": value, "taker_buy_volume": 1, "trades": number % 4}
    return {"symbol": "A", "time": number * 60, **prices, **sums}


def frame(bars: list[Bar]) -> pl.DataFrame:
    return pl.DataFrame(bars, schema=BARS_SCHEMA)


def together(bars: list[Bar], time: int) -> Bar:
    sums = {name: sum(bar[name] for bar in bars) for name in NAMES[6:]}
    return {
        "symbol": "A",
        "time": time,
        "open": bars[0]["open"],
        "high": max(bar["high"] for bar in bars),
        "low": min(bar["low"] for bar in bars),
        "close": bars[-1]["close"],
        **sums,
    }


def expected(bars: list[Bar], length: int, end: int) -> list[Bar]:
    """Whole bars from the first that the minutes do not begin in the middle of."""
    result: list[Bar] = []
    for time in range(0, end, length):
        inside = [bar for bar in bars if time <= bar["time"] < time + length]
        if time < min(bar["time"] for bar in bars):
            continue
        if inside:
            result.append(together(inside, time))
        elif result:
            close = result[-1]["close"]
            flat = dict.fromkeys(["open", "high", "low", "close"], close)
            result.append({"symbol": "A", "time": time, **flat, **dict.fromkeys(NAMES[6:], 0)})
    return result


MINUTES = st.dictionaries(st.integers(0, 40), st.integers(50, 60), min_size=1, max_size=25)


@given(MINUTES, st.integers(1, 6), st.integers(0, 8))
def test_bars_from_klines_are_whole_from_the_first_on(
    minutes: dict[int, int], per_bar: int, bars_to_end: int
) -> None:
    bars = [minute(number, value) for number, value in sorted(minutes.items())]
    length = per_bar * 60
    end = bars_to_end * length
    found = bars_before(frame(bars), "A", length, end)
    assert found.rows() == frame(expected(bars, length, end)).rows()


def test_a_bar_that_the_klines_begin_in_the_middle_of_is_left_out() -> None:
    bars = [minute(number, 50 + number) for number in range(7, 16)]
    found = bars_before(frame(bars), "A", 300, 900)
    assert found["time"].to_list() == [600]
    assert found["trades"].to_list() == [sum(number % 4 for number in range(10, 15))]


@given(MINUTES, st.integers(1, 6))
def test_longer_bars_hold_what_shorter_ones_do(minutes: dict[int, int], per_bar: int) -> None:
    bars = [minute(number, value) for number, value in sorted(minutes.items())]
    length = per_bar * 60
    times = sorted({bar["time"] // length * length for bar in bars})
    wanted = [together([b for b in bars if t <= b["time"] < t + length], t) for t in times]
    assert longer_bars(frame(bars), length).rows() == frame(wanted).rows()
