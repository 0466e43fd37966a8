"""What the services need to know of an exchange: the face that the room of each exchange has. Pure.

A room is a package whose module is a `Venue`; `spreadlake.binance` is one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from spreadlake.funding import FundingRate
from spreadlake.trades import Ignored, TradeEvent

T = TypeVar("T")
Headers = Mapping[str, str]
FrameDecoder = Callable[[bytes], TradeEvent | Ignored]
Method = Literal["SUBSCRIBE", "UNSUBSCRIBE"]


class Standing(Enum):
    """Whether a symbol trades, may trade (again), never will any more, or was never heard of."""

    TRADES = "trades"
    WAITS = "waits"
    OVER = "over"
    UNKNOWN = "unknown"


class Listed(NamedTuple):
    """A contract in the exchange's list.

    `status`, the kind of `contract` and the asset it is quoted in are as the exchange calls them.
    `listed_ms` is when it first traded, or will, and `delivery_ms` when it ends, once that is
    announced; Unix ms, None where that is not told. `has_hours`: it trades in the hours of a market
    only, whatever its status.
    """

    symbol: str
    status: str
    standing: Standing
    contract: str = ""
    quote: str = ""
    listed_ms: int | None = None
    delivery_ms: int | None = None
    has_hours: bool = False


class Kline(NamedTuple):
    """A kline, from `open` on in the order of the columns of `klines`; volumes in base units."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    taker_buy_volume: float
    trades: int


@dataclass(frozen=True)
class FundingPage:
    """An answer with funding rates, of any symbols, in order of time.

    `records` are how many the exchange gave: as many as were asked for may not be all. `refused`
    are sentences on those that cannot be true, which are not among `rates`.
    """

    rates: Sequence[FundingRate]
    records: int
    refused: Sequence[str] = ()


@dataclass(frozen=True)
class Subscription:
    """How one connection asks for its symbols: by its address, and by messages once it is open."""

    url: str
    messages: tuple[str, ...]


@dataclass(frozen=True)
class Request(Generic[T]):
    """A GET request of REST; `decode` reads its answer, or raises msgspec.DecodeError.

    `path` follows the base address; `weight` is what it costs of the limit per minute.
    """

    path: str
    parameters: Mapping[str, str | int]
    weight: int
    decode: Callable[[bytes], T]

    @property
    def name(self) -> str:
        """What messages call it: the last part of its path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Refusal:
    """What an answer means that is not HTTP 200.

    `wait` are the seconds in which the exchange wants no request; None: it is over no limit. `of`
    tells that it is the symbol that is refused: there is none, or its status may pass. `answered`:
    the exchange itself said no, with a code of its own, and not something on the way to it.
    """

    wait: float | None = None
    of: Literal["symbol", "status"] | None = None
    answered: bool = False


class Venue(Protocol):
    """An exchange. `kind` is a kind of trades as the exchange calls it; ids of two kinds differ.

    Ids rise by 1 per symbol: a jump is a gap.
    """

    REST_KIND: str
    """The kind of trades that REST has, by their ids: only their gaps can be filled."""
    MESSAGES_PER_SECOND: int
    """What a client may send on one connection."""
    CONNECTION_ATTEMPTS: tuple[int, float]
    """How many connections one address may try to open, in how many seconds."""
    TRADES_PAGE: int
    """Most trades in one answer."""
    TRADES_WEIGHT: int
    """What a request for trades weighs."""
    KLINES_PAGE: int
    """Klines to ask for at once where many are wanted: so many weigh the least."""
    FUNDING_PAGE: int
    """Most funding rates in one answer; 0 where the exchange has none."""
    FUNDING_REQUESTS: tuple[int, float]
    """Requests for funding rates that the collector allows itself, in so many seconds.

    They have a limit of their own, which other programs at the address share, and weigh nothing.
    """
    REMEDIES: Mapping[int, str]
    """What to do about a handshake that is refused, by HTTP status."""

    def venue_of(self, *urls: str) -> str | None:
        """What a lake calls the exchange behind addresses; None where no host names one.

        InputError where they are of different ones.
        """

    def frame_decoder(self, kind: str) -> FrameDecoder:
        """Frames → trades of `kind`, or what else they are; FrameError for what is malformed."""

    def subscription(self, base: str, symbols: Sequence[str], kind: str) -> Subscription:
        """How one connection asks for the trades of `symbols`."""

    def requests(self, method: Method, symbols: Sequence[str], kind: str) -> tuple[str, ...]:
        """Messages that ask an open connection for the trades of `symbols`, or no longer."""

    def silence_hint(self, kind: str) -> str:
        """What to check where a connection stays silent though there are trades."""

    def trades_from(self, symbol: str, from_id: int) -> Request[list[TradeEvent]]:
        """At most `TRADES_PAGE` trades in order, the first with the least id >= `from_id`."""

    def trades_since(self, symbol: str, start_ms: int, limit: int) -> Request[list[TradeEvent]]:
        """At most `limit` trades in order, the first of them at `start_ms` or next after it."""

    def latest_trades(self, symbol: str, limit: int) -> Request[list[TradeEvent]]:
        """The `limit` newest trades in order."""

    def klines(
        self, symbol: str, interval: str, limit: int, end_ms: int | None = None
    ) -> Request[list[Kline]]:
        """The `limit` newest klines that open up to `end_ms`, in order.

        Without `end_ms` the last one is not over yet.
        """

    def klines_weight(self, limit: int) -> int:
        """What a request for `limit` klines weighs."""

    def funding(
        self, symbol: str | None, start_ms: int, end_ms: int | None = None
    ) -> Request[FundingPage]:
        """The first `FUNDING_PAGE` rates of start_ms <= time <= end_ms; None: of all symbols."""

    def listing(self) -> Request[list[Listed]]:
        """All contracts of the exchange."""

    def volumes(self) -> Request[dict[str, float]]:
        """The quote volume of the last 24 hours of every contract that trades, by symbol."""

    def refuses(self, status: int) -> bool:
        """Whether a handshake's HTTP status is a no that does not pass by itself."""

    def used_weight(self, headers: Headers) -> int | None:
        """What is used of the minute's weight, by whomever at this address, if an answer says."""

    def seconds_to_wait(self, headers: Headers, body: bytes, now_ms: int) -> float | None:
        """How long the exchange wants no request; None where it does not say."""

    def refusal(self, status: int, headers: Headers, body: bytes, now_ms: int) -> Refusal:
        """What an answer other than HTTP 200 means; `now_ms` is the local time, Unix ms."""
