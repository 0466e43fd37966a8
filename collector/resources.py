"""What the tasks of the collector share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from collector.network.access import Access
from collector.record.recorder import Recorder
from collector.rest import RestClient
from collector.storage.batch import Batch, Stored
from collector.storage.store import TickStore
from collector.storage.writer import WriterThread
from collector.symbols.roster import Roster
from collector.timing import Timing
from spreadlake.config import ConfigWatch, Settings
from spreadlake.lake import Lake
from spreadlake.trades import TradeEvent
from spreadlake.venue import Venue

T = TypeVar("T")


class TradeStore(Protocol):
    """Where the batches of the connections go, and what is known of the trades that went there."""

    def write(self, batch: Batch) -> Stored:
        """Takes a batch; what it came to."""

    def last_id(self, symbol: str) -> int | None:
        """The greatest id of a symbol that went there."""

    def last_time_ms(self, symbol: str) -> int | None:
        """The greatest trade time of a symbol that went there."""

    def reached_by(self, number: int, symbols: Sequence[str]) -> list[int]:
        """The greatest ids of `symbols` that the connection of that number brought; -1: none."""

    def is_again(self, trade: TradeEvent) -> bool:
        """Whether a trade that was asked for is of another contract by the same ticker."""


class Persisting(Protocol):
    """Runs what writes."""

    async def persist(self, function: Callable[[], T]) -> T:
        """Runs `function` until it succeeds."""


class StreamResources(Protocol):
    """What the connections to the exchange need, whether a lake is behind them or not."""

    @property
    def settings(self) -> Settings:
        """What was asked for at the start."""

    @property
    def store(self) -> TradeStore:
        """Where trades go."""

    @property
    def writer(self) -> Persisting:
        """What runs the store."""

    @property
    def rest(self) -> RestClient:
        """Requests to the exchange."""

    @property
    def timing(self) -> Timing:
        """How long what is waited for."""

    @property
    def roster(self) -> Roster:
        """What is captured now."""

    @property
    def streams(self) -> Access:
        """The way to the exchange's streams."""

    @property
    def recorder(self) -> Recorder | None:
        """What keeps the raw frames, where anything does."""

    @property
    def venue(self) -> Venue:
        """The exchange."""


@dataclass(frozen=True)
class Resources:
    """`store` is written in the thread of `writer` only; what it knows may be read anywhere.

    `roster` says what is captured now; `settings` what was asked for at the start, and
    `configuration` what is asked for now. `may_roll` tells whether partitions may be written now.
    """

    settings: Settings
    lake: Lake
    store: TickStore
    writer: WriterThread
    rest: RestClient
    timing: Timing
    roster: Roster
    streams: Access
    recorder: Recorder | None = None
    configuration: ConfigWatch | None = None
    restarted: bool = False
    may_roll: Callable[[], bool] = lambda: True

    @property
    def venue(self) -> Venue:
        """The exchange."""
        return self.streams.venue
