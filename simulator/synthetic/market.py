"""The synthetic market as a source of the simulated exchange."""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from itertools import chain

import numpy as np

from simulator.source import Batch, Frame, FundingRecord, Play, TradeColumns, TradesQuery
from simulator.synthetic.ahead import Ahead, Timed
from simulator.synthetic.bursts import Burst
from simulator.synthetic.funding import FundingModel
from simulator.synthetic.instruments import Instrument
from simulator.synthetic.model import TYPICAL_NOTIONAL, Block, MarketModel
from spreadlake.binance.decode import KINDS
from spreadlake.binance.encode import TradeUnits, combined_prefix, encode_events, encode_rest
from spreadlake.binance.streams import stream_name

_FRAMES_AT_MAX = 16_000
_LONGEST_WINDOW_MS = 60_000
# Frames are made for so many windows at a time.
_WINDOWS_AHEAD = 50
# Events leave the exchange 1 to 8 ms after the trade.
_EVENT_DELAYS = 8


class SyntheticMarket:
    """A seeded market of correlated symbols with any amount of history.

    The same `seed` gives the same trades at the same times with the same ids, in every process
    and on every day. `rate` is the trades a second of every symbol, or of each by its name;
    by default 5 to 15, depending on the symbol. Another rate gives other ids, and
    so do `bursts`, in which all symbols trade more often.
    """

    def __init__(
        self,
        seed: int = 1,
        symbols: Iterable[str] = (),
        rate: float | Mapping[str, float] | None = None,
        bursts: Iterable[Burst] = (),
    ) -> None:
        self._model = MarketModel(seed, symbols, rate, bursts)
        self._funding = FundingModel(seed, self._model)
        self._streams: dict[str, tuple[str, str]] = {
            stream_name(symbol, kind): (symbol, kind)
            for symbol in self._model.instruments
            for kind in KINDS
        }
        self.name = f"synthetic market, seed {seed}"

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """The symbols that exist, in order."""
        return self._model.instruments

    def start_ms(self) -> int | None:
        """It can begin at any time."""
        return None

    def play(self, play: Play) -> Generator[Batch]:
        """Every trade once, in order of time over all symbols."""
        now = play.start_ms
        ahead = Ahead(self._frames, now)
        while play.end_ms is None or now < play.end_ms:
            wanted = self._streams.keys() & set(play.streams())
            window = play.window_ms or self._throughput_window(wanted)
            later = now + max(1, round(min(window, _LONGEST_WINDOW_MS)))
            length = 0 if play.window_ms is None else _WINDOWS_AHEAD * (later - now)
            if play.end_ms is not None:
                later = min(later, play.end_ms)
            yield Batch(later, later, ahead.until(later, wanted, min(length, _LONGEST_WINDOW_MS)))
            now = later

    def _throughput_window(self, streams: Iterable[str]) -> float:
        blocks = sum(self._model.trades_per_block(self._streams[name][0]) for name in streams)
        return _FRAMES_AT_MAX * 60_000 / max(blocks, 1)

    def _frames(self, streams: Collection[str], start_ms: int, end_ms: int) -> Timed:
        if start_ms >= end_ms:
            return []
        return list(
            chain.from_iterable(self._timed_frames(one, start_ms, end_ms) for one in streams)
        )

    def _timed_frames(self, stream: str, start_ms: int, end_ms: int) -> Iterator[tuple[int, Frame]]:
        symbol, kind = self._streams[stream]
        prefix = combined_prefix(stream)
        for block in self._model.blocks(symbol, start_ms, end_ms):
            trades = self._cut(symbol, block, start_ms, end_ms)
            if not len(trades.ids):
                continue
            event_ms = trades.times_ms + 1 + trades.ids % _EVENT_DELAYS
            events = encode_events(kind, symbol, trades, event_ms)
            for time_ms, trade_id, event in zip(
                trades.times_ms.tolist(), trades.ids.tolist(), events, strict=True
            ):
                yield time_ms, Frame(stream, prefix + event + b"}", True, symbol, trade_id)

    def _cut(self, symbol: str, block: Block, start_ms: int, end_ms: int) -> TradeUnits:
        low, high = np.searchsorted(block.times_ms, (start_ms, end_ms)).tolist()
        return self._units(symbol, block, low, high)

    def _units(self, symbol: str, block: Block, low: int, high: int) -> TradeUnits:
        traded = self.instruments[symbol]
        return TradeUnits(
            np.arange(block.first_id + low, block.first_id + high),
            block.times_ms[low:high],
            block.ticks[low:high],
            block.steps[low:high],
            block.buyer_is_maker[low:high],
            traded.price_decimals,
            traded.qty_decimals,
        )

    def rest_trades(self, query: TradesQuery) -> list[bytes]:
        """Aggregate trades as REST gives them, one JSON object each."""
        first, after = self._id_range(query)
        ids = self._model.ids(query.symbol)
        rows: list[bytes] = []
        while first < after:
            block = self._model.block(query.symbol, ids.number_of(first))
            low = first - block.first_id
            high = min(len(block), low + after - first)
            rows += encode_rest(self._units(query.symbol, block, low, high))
            first += high - low
        return rows

    def _id_range(self, query: TradesQuery) -> tuple[int, int]:
        """First id, and the id after the last, of what the query asks for."""
        after = self._first_id_at(query.symbol, query.now_ms)
        if query.end_ms is not None:
            after = min(after, self._first_id_at(query.symbol, query.end_ms + 1))
        if query.from_id is None and query.start_ms is None:
            return max(0, after - query.limit), after
        first = max(0, query.from_id or 0)
        if query.start_ms is not None:
            first = max(first, self._first_id_at(query.symbol, query.start_ms))
        return first, min(after, first + query.limit)

    def _first_id_at(self, symbol: str, time_ms: int) -> int:
        """Id of the first trade at or after `time_ms`."""
        block = self._model.block(symbol, self._model.block_at(symbol, time_ms))
        return block.first_id + int(np.searchsorted(block.times_ms, time_ms))

    def columns(self, symbol: str, start_ms: int, end_ms: int) -> TradeColumns:
        """All trades of `symbol` in [start_ms, end_ms), in order of id."""
        return self._model.columns(symbol, start_ms, end_ms)

    def day_volume(self, symbol: str, now_ms: int) -> float:  # noqa: ARG002 every day is like it
        """About the quote volume of `symbol` in 24 hours."""
        return self._model.trades_per_block(symbol) * 1440 * TYPICAL_NOTIONAL

    def parts(self, symbol: str, start_ms: int, end_ms: int) -> Iterator[TradeColumns]:
        """The same in parts of about two hours."""
        return self._model.parts(symbol, start_ms, end_ms)

    def funding(self, symbol: str, start_ms: int, end_ms: int) -> Iterator[FundingRecord]:
        """The fundings of `symbol` in [start_ms, end_ms), in order of time."""
        return self._funding.records(symbol, start_ms, end_ms)
