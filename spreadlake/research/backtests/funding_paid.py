"""What positions in the legs of a pair paid for funding, as far as the lake knows it."""

from contextlib import closing
from itertools import pairwise

import numpy as np

from spreadlake.errors import InputError
from spreadlake.funding import SAME_MS, FundingRate
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.funding import FundingSpan, read_funding, read_spans
from spreadlake.pairs import Pair
from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.backtest import Bars, Funding
from spreadlake.times import iso_utc
from spreadlake.words import count

_LONGEST_MS = 8 * 3_600_000 + SAME_MS  # between two fundings of a symbol, as exchanges have them


def read_paid(lake: Lake, pair: Pair, bars: Bars) -> tuple[Funding, list[str]]:
    """Of the time of the bars (one or more); and what is to be said of it.

    A rate without a mark price is of the close of the last bar that had ended by then. InputError
    where the lake has no rates of a leg in that time; where some are missing, it is said.
    """
    span = int(bars.time[0]) * 1000, int(bars.close_time[-1]) * 1000
    rates, spans = _read(lake, pair, span)
    legs: list[tuple[Ints, Floats]] = []
    notes: list[str] = []
    for symbol, closes in zip(pair, (bars.close_a, bars.close_b), strict=True):
        found = rates[symbol]
        covered = spans.get(symbol)
        if not found and not _covers(covered, *span):
            raise InputError(_none_of(symbol, span))
        inside = [rate for rate in found if span[0] <= rate.time_ms <= span[1]]
        legs.append(_paid(inside, bars, closes))
        notes += _missing(symbol, found, covered, span)
        notes += _at_closes(symbol, inside)
    return Funding(*legs[0], *legs[1]), notes


def _read(
    lake: Lake, pair: Pair, span: tuple[int, int]
) -> tuple[dict[str, list[FundingRate]], dict[str, FundingSpan]]:
    """The rates of each leg in the time (ms) and next to it, and of when all are held."""
    if not lake.ticks_db.exists():
        return {symbol: [] for symbol in pair}, {}
    with closing(open_reader(lake.ticks_db)) as db:
        start, end = span[0] - _LONGEST_MS, span[1] + _LONGEST_MS
        rates = {symbol: read_funding(db, [symbol], start, end) for symbol in pair}
        return rates, read_spans(db)


def _paid(rates: list[FundingRate], bars: Bars, closes: Floats) -> tuple[Ints, Floats]:
    """Times (ms) and what a unit held long paid, (rates,) each."""
    times = np.array([rate.time_ms for rate in rates], dtype=np.int64)
    share = np.array([rate.rate for rate in rates], dtype=np.float64)
    mark = np.array([rate.mark_price for rate in rates], dtype=np.float64)
    ended = np.searchsorted(bars.close_time * 1000, times, side="right") - 1
    # Before the first bar ends nothing is held.
    mark = np.where(np.isnan(mark), closes[np.maximum(ended, 0)], mark)
    return times, mark * share


def _missing(
    symbol: str, rates: list[FundingRate], covered: FundingSpan | None, span: tuple[int, int]
) -> list[str]:
    """Times between two rates that are longer than any between two fundings."""
    start, end = span
    times = [rate.time_ms for rate in rates]
    before = max((time for time in times if time <= start), default=start)
    after = min((time for time in times if time >= end), default=end)
    edges = [before, *(time for time in times if start < time < end), after]
    holes = [
        (low, high)
        for low, high in pairwise(edges)
        if high - low > _LONGEST_MS and not _covers(covered, low, high)
    ]
    if not holes:
        return []
    low, high = (iso_utc(min(max(time, start), end) // 1000) for time in holes[0])
    more = f" and {count(len(holes) - 1, 'later time')}" if len(holes) > 1 else ""
    return [
        f"no funding rates of {symbol} from {low} to {high}{more}: nothing is paid there; "
        "import the dumps of that time for a true number"
    ]


def _covers(covered: FundingSpan | None, low: int, high: int) -> bool:
    return covered is not None and covered.first_ms <= low and high <= covered.until_ms


def _at_closes(symbol: str, rates: list[FundingRate]) -> list[str]:
    without = sum(rate.mark_price is None for rate in rates)
    if not without:
        return []
    rows = count(without, "funding rate")
    return [f"{rows} of {symbol} without a mark price: taken at the close of the bar before"]


def _none_of(symbol: str, span: tuple[int, int]) -> str:
    start, end = (iso_utc(time // 1000) for time in span)
    return (
        f"the lake has no funding rates of {symbol} from {start} to {end}: capture or import "
        "them (spreadlake import, dumps of fundingRate), or leave funding out"
    )
