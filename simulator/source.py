"""What the simulated exchange needs of a source of market data: contracts, trades, frames."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray


def decimal_text(units: int, decimals: int) -> str:
    """`units` of 10**-decimals as plain decimal text: (1012500, 1) → "101250.0"."""
    if decimals == 0:
        return str(units)
    whole, part = divmod(units, 10**decimals)
    return f"{whole}.{part:0{decimals}d}"


@dataclass(frozen=True)
class Contract:
    """One perpetual contract.

    Prices are whole multiples of 10**-price_decimals, quantities of 10**-qty_decimals.
    """

    symbol: str
    price_decimals: int
    qty_decimals: int

    @property
    def tick_size(self) -> str:
        """The least price step as the exchange writes it, e.g. `0.10`."""
        return decimal_text(1, self.price_decimals)

    @property
    def step_size(self) -> str:
        """The least quantity step, e.g. `0.001`."""
        return decimal_text(1, self.qty_decimals)


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Trades of one symbol, in order of id: arrays of the same length.

    `times_ms` are trade times; `prices` and `qtys` are the doubles nearest to the decimal text.
    """

    ids: NDArray[np.int64]
    times_ms: NDArray[np.int64]
    prices: NDArray[np.float64]
    qtys: NDArray[np.float64]
    buyer_is_maker: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def empty(cls) -> Self:
        """No trades."""
        whole, real = np.empty(0, np.int64), np.empty(0, np.float64)
        return cls(whole, whole, real, real, np.empty(0, np.bool_))

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """The trades of all parts, in their order."""
        columns = list(
            zip(
                *((p.ids, p.times_ms, p.prices, p.qtys, p.buyer_is_maker) for p in parts),
                strict=True,
            )
        )
        return cls(*map(np.concatenate, columns)) if columns else cls.empty()


class Frame(NamedTuple):
    """One message of market data.

    `stream` None goes to every connection. `combined` tells whether `payload` is already
    wrapped with its stream name. A trade has its `symbol` and `trade_id`; other frames have
    an empty symbol.
    """

    stream: str | None
    payload: bytes
    combined: bool = True
    symbol: str = ""
    trade_id: int = -1


class Batch(NamedTuple):
    """Frames that are sent together.

    `due_ms` is when, on the play's own clock, which begins at the play's `start_ms`; `clock_ms`
    is the exchange's time once they are sent: REST shows trades before it and no others.
    """

    due_ms: float
    clock_ms: int
    frames: list[Frame]


@dataclass(frozen=True)
class Play:
    """How a source is to be played.

    `window_ms` is the exchange time that one batch spans; None asks for batches as large as are
    good for throughput. `streams` gives the streams that have a subscriber now.
    """

    start_ms: int
    end_ms: int | None
    window_ms: float | None
    streams: Callable[[], Collection[str]]


class TradesQuery(NamedTuple):
    """A checked request for aggregate trades; at most `limit` are given, in order of id.

    With `from_id` or `start_ms` they are the first that fit, otherwise the last. Times are
    inclusive; no trade at or after `now_ms` exists yet.
    """

    symbol: str
    limit: int
    now_ms: int
    from_id: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None


class FundingRecord(NamedTuple):
    """A funding: when (Unix ms), and rate and mark price as decimal text."""

    symbol: str
    time_ms: int
    rate: str
    mark_price: str


class Source(Protocol):
    """Market data to serve: a synthetic market, or a recording."""

    @property
    def name(self) -> str:
        """What the status calls it."""

    @property
    def instruments(self) -> Mapping[str, Contract]:
        """The symbols that exist, in order."""

    def start_ms(self) -> int | None:
        """Where the play begins on its own clock; None: wherever it is told to."""

    def play(self, play: Play) -> Generator[Batch]:
        """Batches in order of `due_ms`; the end of the iterator is the end of the source."""

    def rest_trades(self, query: TradesQuery) -> list[bytes]:
        """Aggregate trades as REST gives them, one JSON object each."""

    def columns(self, symbol: str, start_ms: int, end_ms: int) -> TradeColumns:
        """All trades of `symbol` in [start_ms, end_ms), in order of id."""

    def day_volume(self, symbol: str, now_ms: int) -> float:
        """About the quote volume of `symbol` in the 24 hours before `now_ms`."""

    def parts(self, symbol: str, start_ms: int, end_ms: int) -> Iterator[TradeColumns]:
        """The same one part after another, so that nobody has to hold the trades of days."""

    def funding(self, symbol: str, start_ms: int, end_ms: int) -> Iterable[FundingRecord]:
        """The fundings of `symbol` in [start_ms, end_ms), in order of time."""
