"""What a back-test is given: the bars of two legs, signals on them, rules, costs, funding. Pure.

Rows are bars that both legs have, in order of time; a bar that is missing is no row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np

from spreadlake.arguments import finite_of
from spreadlake.errors import InputError
from spreadlake.quant.arrays import Bools, Floats, Ints
from spreadlake.series import Prices

_MOST_HELD = 10**9  # bars; what counts them has room for it
_WHOLE_BPS = 10_000
_MOST_NOTIONAL = 1e15


@dataclass(frozen=True)
class Bars:
    """The bars (rows,) of both legs; `time` their opens in Unix seconds, rising.

    `length` is theirs in seconds; `traded_a`, `traded_b` say whether a leg has a trade in the bar.
    """

    length: int
    time: Ints
    open_a: Floats
    open_b: Floats
    close_a: Floats
    close_b: Floats
    traded_a: Bools
    traded_b: Bools

    def __len__(self) -> int:
        return len(self.time)

    @property
    def close_time(self) -> Ints:
        """When each bar ends and is known (s)."""
        return self.time + self.length

    @property
    def tradable(self) -> Bools:
        """Where both legs trade, so that orders are filled at the opens."""
        return self.traded_a & self.traded_b

    def part(self, low: int, high: int) -> Self:
        """The rows [low, high), without a copy."""
        arrays = (getattr(self, field.name)[low:high] for field in fields(self)[1:])
        return type(self)(self.length, *arrays)

    @classmethod
    def joined(cls, parts: "Sequence[Bars]") -> "Bars":
        """One after another, as many as there are, at least one."""
        names = [field.name for field in fields(cls)[1:]]
        arrays = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
        return cls(parts[0].length, *arrays)

    def between(self, start: float, end: float) -> tuple[int, int]:
        """The rows [low, high) with start <= time < end (Unix seconds)."""
        low, high = np.searchsorted(self.time, [start, end])
        return int(low), int(high)


@dataclass(frozen=True)
class Signals:
    """What is known at the close of each row, NaN where it has no meaning: of one series.

    zscore, beta, correlation (rows,): as `pair_analytics` has them; `prices` is what they are
    computed on. adf_pvalue (rows,): of the spread over the lookback up to the row; None where no
    lane asks for it.
    """

    zscore: Floats
    beta: Floats
    correlation: Floats
    adf_pvalue: Floats | None = None
    prices: Prices = "raw"

    def part(self, low: int, high: int) -> Self:
        """The rows [low, high), without a copy."""
        adf = None if self.adf_pvalue is None else self.adf_pvalue[low:high]
        rows = slice(low, high)
        return type(self)(
            self.zscore[rows], self.beta[rows], self.correlation[rows], adf, self.prices
        )

    @classmethod
    def joined(cls, parts: "Sequence[Signals]") -> "Signals":
        """One after another, as many as there are, at least one; of one series."""
        adf = [part.adf_pvalue for part in parts if part.adf_pvalue is not None]
        return cls(
            np.concatenate([part.zscore for part in parts]),
            np.concatenate([part.beta for part in parts]),
            np.concatenate([part.correlation for part in parts]),
            np.concatenate(adf) if len(adf) == len(parts) else None,
            parts[0].prices,
        )


@dataclass(frozen=True)
class Rules:
    """When positions are opened and closed; InputError for values that make no sense together.

    entry, exit, stop: z-scores; max_bars: bars after which a position is closed; min_correlation,
    max_adf_pvalue: what the bar of an entry must have. None: no such rule.
    """

    entry: float = 2.0
    exit: float = 0.0
    stop: float | None = None
    max_bars: int | None = None
    min_correlation: float | None = None
    max_adf_pvalue: float | None = None

    def __post_init__(self) -> None:
        _require_finite(self)
        if self.entry <= 0:
            raise InputError(f"entry {self.entry:g} is not above 0: name a z-score, such as 2")
        if self.exit >= self.entry:
            raise InputError(
                f"exit {self.exit:g} is not below entry {self.entry:g}: a position would be "
                "closed where it is opened"
            )
        if self.stop is not None and self.stop <= self.entry:
            raise InputError(
                f"stop {self.stop:g} is not above entry {self.entry:g}: a position would be "
                "stopped where it is opened"
            )
        if self.max_bars is not None and not _is_whole(self.max_bars):
            raise InputError(
                f"max_bars {self.max_bars} is not a number of bars from 1 to {_MOST_HELD:,}"
            )
        _require_within("min_correlation", self.min_correlation, -1)
        _require_within("max_adf_pvalue", self.max_adf_pvalue, 0)


@dataclass(frozen=True)
class Costs:
    """What a fill costs, in bps of its value, and what is put in leg A by each trade.

    `notional` is in the quote currency. InputError for values that make no sense.
    """

    fee_bps: float = 5.0
    slippage_bps: float = 0.0
    notional: float = 10_000.0

    def __post_init__(self) -> None:
        _require_finite(self)
        for name in ("fee_bps", "slippage_bps"):
            bps = getattr(self, name)
            if bps < 0:
                raise InputError(f"{name} {bps:g} is negative: name 0 or more")
            if bps > _WHOLE_BPS:
                raise InputError(f"{name} {bps:g} is more than the {_WHOLE_BPS:,} of a whole fill")
        if self.notional <= 0:
            raise InputError(f"notional {self.notional:g} is not above 0: name what A is to cost")
        if self.notional > _MOST_NOTIONAL:
            raise InputError(
                f"notional {self.notional:g} is more than {_MOST_NOTIONAL:g}, up to which sums "
                "keep their digits"
            )

    @property
    def rate(self) -> float:
        """The share of a fill's value that is paid."""
        return (self.fee_bps + self.slippage_bps) / 1e4


@dataclass(frozen=True)
class Funding:
    """Funding times of each leg (Unix ms, rising), and what a unit held long paid at each.

    `paid` is mark price times rate, in the quote currency; it may be negative.
    """

    time_ms_a: Ints
    paid_a: Floats
    time_ms_b: Ints
    paid_b: Floats

    def paid_until(self, time_ms: Ints) -> tuple[Floats, Floats]:
        """What a unit of A, and one of B, paid at all funding times <= time_ms."""
        return (
            _until(self.time_ms_a, self.paid_a, time_ms),
            _until(self.time_ms_b, self.paid_b, time_ms),
        )


def _until(times: Ints, paid: Floats, time_ms: Ints) -> Floats:
    total = np.concatenate([[0.0], np.cumsum(paid)])
    return np.asarray(total[np.searchsorted(times, time_ms, side="right")])


def _require_finite(given: Rules | Costs) -> None:
    for field in fields(given):
        value = getattr(given, field.name)
        if value is not None or field.default is not None:
            object.__setattr__(given, field.name, finite_of(field.name, value))


def _is_whole(bars: float) -> bool:
    return 1 <= bars <= _MOST_HELD and not bars % 1


def _require_within(name: str, value: float | None, least: float) -> None:
    if value is not None and not least <= value <= 1:
        raise InputError(f"{name} {value:g} is not from {least:g} to 1")


class Lane(NamedTuple):
    """One set of parameters, run over bars and signals that many share."""

    rules: Rules = Rules()
    costs: Costs = Costs()
