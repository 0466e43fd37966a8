"""What a capture knows of the trades that it handed to the log: its stand-in for a lake's store."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from collector.broker.publisher import Publisher
from collector.storage.batch import Batch, Stored
from collector.storage.redundancy import Redundancy
from spreadlake.trades import OffMarket, TradeEvent, begins_again

T = TypeVar("T")
Ints = NDArray[np.int64]
Events = Sequence[TradeEvent | OffMarket]


class Published:
    """The greatest ids and times that went to the log, by symbol; `symbols` are captured first."""

    def __init__(self, publisher: Publisher, symbols: Iterable[str]) -> None:
        self._publisher = publisher
        self._codes: dict[str, int] = {}
        self._lasts, self._times = np.full(1, -1), np.zeros(1, np.int64)
        self._redundancy = Redundancy()
        # Whoever began anew does not know what it missed.
        self._causes: dict[str, str] = {}
        self.capture(symbols)

    def capture(self, symbols: Iterable[str]) -> None:
        """Takes trades of `symbols`, and of no others, from now on."""
        wanted = set(symbols)
        for symbol in sorted(wanted - self._codes.keys()):
            self._codes[symbol] = len(self._codes)
            self._causes[symbol] = "restart"
        # The last place is for symbols without a code (-1).
        known, size = self._lasts.size - 1, len(self._codes) + 1
        lasts, times = np.full(size, -1), np.zeros(size, np.int64)
        lasts[:known], times[:known] = self._lasts[:known], self._times[:known]
        self._lasts, self._times = lasts, times
        self._captured = np.array([*(s in wanted for s in self._codes), False], np.bool_)

    def write(self, batch: Batch) -> Stored:
        """Hands a batch to the log."""
        codes, ids, times = self._columns(batch.events)
        new = (codes >= 0) & self._captured[codes]
        # Trades of others are not asked for any more.
        events = batch.events
        if not new.all():
            events = [event for event, wanted in zip(events, new.tolist(), strict=True) if wanted]
        self._weigh(batch, codes, ids, np.flatnonzero(new))
        np.maximum.at(self._lasts, codes[new], ids[new])
        np.maximum.at(self._times, codes[new], times[new])
        names = [event.symbol for event in events if not isinstance(event, OffMarket)]
        found = Counter(names)
        causes = {s: self._causes.pop(s) for s in found if s in self._causes}
        interrupted = causes | batch.interrupted
        self._publisher.put(Batch(events, batch.counts, interrupted, batch.source))
        return Stored(found, 0, 0.0)

    def last_id(self, symbol: str) -> int | None:
        """The greatest id of a symbol that went there."""
        last = int(self._lasts[self._codes.get(symbol, -1)])
        return None if last < 0 else last

    def last_time_ms(self, symbol: str) -> int | None:
        """The greatest trade time of a symbol that went there."""
        return int(self._times[self._codes.get(symbol, -1)]) or None

    def reached_by(self, number: int, symbols: Sequence[str]) -> list[int]:
        """The greatest ids of `symbols` that the connection of that number brought; -1: none."""
        lasts = self._redundancy.lasts(number)
        codes = [self._codes.get(symbol, -1) for symbol in symbols]
        return [int(lasts[code]) if 0 <= code < lasts.size else -1 for code in codes]

    def is_again(self, trade: TradeEvent) -> bool:
        """Whether a trade that was asked for is of another contract by the same ticker."""
        code = self._codes.get(trade.symbol, -1)
        held = (int(self._lasts[code]), int(self._times[code]))
        return bool(begins_again(trade.trade_id, trade.time_ms, *held))

    def _columns(self, events: Events) -> tuple[Ints, Ints, Ints]:
        size, code_of = len(events), self._codes.get
        codes = np.fromiter((code_of(e.symbol, -1) for e in events), np.int64, size)
        ids = np.fromiter((e.trade_id for e in events), np.int64, size)
        times = (0 if isinstance(e, OffMarket) else e.time_ms for e in events)
        return codes, ids, np.fromiter(times, np.int64, size)

    def _weigh(self, batch: Batch, codes: Ints, ids: Ints, kept: Ints) -> None:
        repeats = {number: self._columns(events)[:2] for number, events in batch.repeats.items()}
        worth = self._redundancy.weigh(batch.carriers, codes, ids, kept, repeats, self._captured)
        self._redundancy.settle(worth)


class AtOnce:
    """Runs what would be written at once: nothing here waits for a disk."""

    async def persist(self, function: Callable[[], T]) -> T:
        """Runs `function`."""
        return function()
