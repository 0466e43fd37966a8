"""A funding rate as every layer knows it, and which rates agree with those that are held. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from spreadlake.times import iso_utc

SAME_MS = 60_000
"""Rates of a symbol that are no further apart in time are of one funding, told by two sources.

The exchange dates a funding some ms after its full hour; fundings are hours apart. Counted as two,
the one funding would be paid twice.
"""


class FundingRate(NamedTuple):
    """What a long position of `symbol` paid at `time_ms` (Unix ms), as a share of its notional.

    `mark_price` is the price that made the notional; None where the source does not tell it.
    """

    symbol: str
    time_ms: int
    rate: float
    mark_price: float | None = None

    @property
    def text(self) -> str:
        """The same for people."""
        price = "" if self.mark_price is None else f" at mark price {self.mark_price}"
        moment = iso_utc(self.time_ms // 1000)
        return f"{self.symbol} {moment}: rate {self.rate}{price}"


@dataclass
class Compared:
    """Rates beside those that are held: new ones, held ones whose mark price is new, the others.

    `priced` are as they are held, with the price; `contradicting` are pairs of a rate that came
    and the one that is held.
    """

    fresh: list[FundingRate] = field(default_factory=list)
    priced: list[FundingRate] = field(default_factory=list)
    known: int = 0
    contradicting: list[tuple[FundingRate, FundingRate]] = field(default_factory=list)

    def add(self, other: "Compared") -> None:
        """Takes in what was found of another symbol."""
        self.fresh += other.fresh
        self.priced += other.priced
        self.known += other.known
        self.contradicting += other.contradicting


def compare_rates(came: Iterable[FundingRate], held: Sequence[FundingRate]) -> Compared:
    """Compares rates of one symbol with those `held` of it, which are in order of time.

    What came twice counts once; of two different ones the first is as if it were held.
    """
    found = Compared()
    known = list(held)
    for rate in came:
        at = _same(known, rate.time_ms)
        if at is None:
            found.fresh.append(rate)
            known.insert(bisect_left(known, rate.time_ms, key=_time), rate)
        elif _differ(rate, known[at]):
            found.contradicting.append((rate, known[at]))
        else:
            found.known += 1
            if known[at].mark_price is None and rate.mark_price is not None:
                known[at] = known[at]._replace(mark_price=rate.mark_price)
                found.priced.append(known[at])
    return found


def _same(known: Sequence[FundingRate], time_ms: int) -> int | None:
    """Where in `known` the rate of that funding is; None where it is not there."""
    after = bisect_left(known, time_ms, key=_time)
    near = [at for at in (after - 1, after) if 0 <= at < len(known)]
    at = min(near, key=lambda at: abs(known[at].time_ms - time_ms), default=None)
    return at if at is not None and abs(known[at].time_ms - time_ms) <= SAME_MS else None


def _time(rate: FundingRate) -> int:
    return rate.time_ms


def _differ(one: FundingRate, other: FundingRate) -> bool:
    prices = {price for price in (one.mark_price, other.mark_price) if price is not None}
    return one.rate != other.rate or len(prices) > 1
