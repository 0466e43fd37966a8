"""A trade as every layer knows it, and when an id cannot be the same contract's. Pure."""

from typing import TYPE_CHECKING, NamedTuple, overload

from msgspec import Struct

if TYPE_CHECKING:  # numpy takes a while to import, and every command reads this
    import numpy as np
    from numpy.typing import NDArray

COLUMNS = ("symbol", "trade_id", "time_ms", "price", "qty", "buyer_is_maker")
"""What every trade has, and bars are made of."""
TICK_COLUMNS = (*COLUMNS, "first_trade_id", "last_trade_id", "qty_ex_rpi", "received_ms")
"""All that the lake keeps of a trade; the later ones are NULL where they are not known."""


class TradeEvent(Struct, gc=False):
    """One (aggregate) trade as the exchange sent it, by its stream or over REST.

    `time_ms` is the exchange's trade time; `trade_id` rises by 1 per symbol. The fields from
    `first_trade_id` on are None where they are not known: the single trades that an aggregate took
    (first and last id), its quantity without RPI orders, the local clock when it came, and the
    exchange's when it was told, which is not stored (ms).
    """

    symbol: str
    trade_id: int
    time_ms: int
    price: float
    qty: float
    buyer_is_maker: bool
    first_trade_id: int | None = None
    last_trade_id: int | None = None
    qty_ex_rpi: float | None = None
    received_ms: int | None = None
    event_ms: int | None = None


class FrameError(ValueError):
    """A frame that cannot be understood; the message says where it is wrong."""


class Ignored(Struct):
    """A frame that is normal and holds no trade for the lake; `what` says what it is."""

    what: str


class OffMarket(Ignored):
    """An event that is no trade of the market, such as the insurance fund's; its id is taken."""

    symbol: str
    trade_id: int
    received_ms: int | None = None


class CoinMargined(Ignored):
    """A trade of a coin-margined contract: its quantity is a number of contracts, not of coins."""

    symbol: str


class IdRange(NamedTuple):
    """Trade ids first to last, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many ids are in it."""
        return self.last - self.first + 1


# Times of neighbouring trades may be out of order by moments; another contract is days away.
_SLACK_MS = 60_000


@overload
def begins_again(ids: int, times_ms: int, last_id: int, last_time_ms: int) -> bool: ...
@overload
def begins_again(
    ids: "NDArray[np.int64]",
    times_ms: "NDArray[np.int64]",
    last_id: "int | NDArray[np.int64]",
    last_time_ms: "int | NDArray[np.int64]",
) -> "NDArray[np.bool_]": ...
def begins_again(
    ids: "int | NDArray[np.int64]",
    times_ms: "int | NDArray[np.int64]",
    last_id: "int | NDArray[np.int64]",
    last_time_ms: "int | NDArray[np.int64]",
) -> "bool | NDArray[np.bool_]":
    """Whether trades have ids that a symbol is past (`last_id`) and times (Unix ms) that it is not.

    Ids rise with time: such trades are of another contract that goes by the same ticker, whose
    ids began at 1 again. For one trade, or for arrays that broadcast.
    """
    return (ids <= last_id) & (times_ms > last_time_ms + _SLACK_MS)
