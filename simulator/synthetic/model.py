"""The synthetic market's model: every trade of every symbol is a pure function of its time.

Each symbol's time is cut into blocks of a minute, and each block holds the same number of trades,
so that the id of a trade follows from its block and its place in it: ids rise by 1 for ever, and
a market started again tomorrow goes on where today's would be.

log price = level + market · common path + altcoins · second path + own · spread, where the
spread reverts within seconds and sometimes jumps. It is the spread that pair trading looks for.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulator.source import TradeColumns
from simulator.synthetic.bursts import BlockIds, Burst, Bursts
from simulator.synthetic.instruments import Instrument, instrument
from simulator.synthetic.noise import (
    Bools,
    Floats,
    Ints,
    brownian,
    bumps,
    key_of,
    normal,
    reverting,
    uniform,
)

BLOCK_MS = 60_000
_GRID_MS = 250
_SECONDS = BLOCK_MS // 1000

# Per root second, as a share of the price: 1.1e-4 is 62 % a year.
_VOLATILITY = 1.1e-4
_SPREAD = 1.0 * _VOLATILITY
_JUMP = 4.5 * _VOLATILITY
_JUMP_EVERY = 240.0
_JUMP_DECAY = 12.0
# Shares of the seconds in which the whole market, or one symbol, does not trade.
_ALL_QUIET = 0.04
_ONE_QUIET = 0.02
_BURST = 0.03
TYPICAL_NOTIONAL = 900.0
# Up to so many blocks are taken from, and left in, what is kept; more are made so many at a time,
# which is about what a processor's cache holds.
_FEW_BLOCKS = 3
_BLOCKS_AT_ONCE = 128
_MOMENTS = 1000  # that are kept


@dataclass(frozen=True, slots=True)
class Block:
    """The trades of one symbol in one minute, or in several on end, in order of time and id.

    `ticks` and `steps` are prices and quantities in units of the symbol's tick and step.
    """

    first_id: int
    times_ms: Ints
    ticks: Ints
    steps: Ints
    buyer_is_maker: Bools

    def __len__(self) -> int:
        return len(self.times_ms)


class MarketModel:
    """Makes blocks and keeps the latest few; safe to use from several threads."""

    def __init__(
        self,
        seed: int,
        symbols: Iterable[str],
        rate: float | Mapping[str, float] | None = None,
        bursts: Iterable[Burst] = (),
    ) -> None:
        self._seed = seed
        self._rate = rate
        self.instruments = {symbol: instrument(symbol) for symbol in symbols}
        self._blocks: OrderedDict[tuple[str, int], Block] = OrderedDict()
        self._most_blocks = 64 + 3 * len(self.instruments)
        self._lock = threading.Lock()
        self._market = key_of(seed, "market")
        self._altcoins = key_of(seed, "altcoins")
        self._activity = key_of(seed, "activity")
        self._paths = lru_cache(_MOMENTS)(self._paths_at)
        # Blocks of different symbols begin at different moments, so that no one instant of the
        # minute has to make them all.
        self._phases = {
            symbol: key_of("phase", symbol) % _SECONDS * 1000 for symbol in self.instruments
        }
        self._bursts = Bursts(bursts)
        self._ids = {symbol: self._block_ids(symbol) for symbol in self.instruments}

    def mark_price(self, symbol: str, second: int) -> float:
        """What the symbol is worth at a moment: its trades are around it, by their own noise."""
        traded, (common, second_path) = self.instruments[symbol], self._paths(second)
        moved = traded.market * common + traded.altcoins * second_path
        return traded.price * math.exp(_VOLATILITY * moved)

    def _paths_at(self, second: int) -> tuple[float, float]:
        """The paths that all symbols share, at one moment."""
        moment = np.array([float(second)])
        common = brownian(self._market, moment, shortest=1)
        return float(common[0]), float(brownian(self._altcoins, moment)[0])

    def _block_ids(self, symbol: str) -> BlockIds:
        """The ids of its blocks: those that a burst reaches into hold more trades."""
        usual, more = self.trades_per_block(symbol), {}
        for start_ms, end_ms in self._bursts.spans_ms():
            first, last = self.block_at(symbol, start_ms), self.block_at(symbol, end_ms - 1)
            for number in range(first, last + 1):
                begin = (number * BLOCK_MS + self._phases[symbol]) // 1000
                factors = self._bursts.factors(begin + np.arange(_SECONDS))
                more[number] = round(usual * float(factors.mean())) - usual
        return BlockIds(usual, more)

    def ids(self, symbol: str) -> BlockIds:
        """Which ids its blocks hold."""
        return self._ids[symbol]

    def trades_per_block(self, symbol: str) -> int:
        """How many trades a block of `symbol` holds without a burst."""
        rate = self._rate
        if rate is None:
            rate = self.instruments[symbol].rate
        elif not isinstance(rate, int | float):
            rate = rate[symbol]
        return max(1, round(rate * _SECONDS))

    def block_at(self, symbol: str, time_ms: int) -> int:
        """Number of the block that holds `time_ms`."""
        return (time_ms - self._phases[symbol]) // BLOCK_MS

    def block(self, symbol: str, number: int) -> Block:
        """The trades of one block."""
        key = (symbol, number)
        with self._lock:
            found = self._blocks.get(key)
            if found is None:
                found = self._blocks[key] = self._make(self.instruments[symbol], number)
                while len(self._blocks) > self._most_blocks:
                    self._blocks.popitem(last=False)
            else:
                self._blocks.move_to_end(key)
            return found

    def blocks(self, symbol: str, start_ms: int, end_ms: int) -> Iterator[Block]:
        """The blocks that hold trades of [start_ms, end_ms), with what lies around it."""
        for number in range(self.block_at(symbol, start_ms), self.block_at(symbol, end_ms - 1) + 1):
            yield self.block(symbol, number)

    def columns(self, symbol: str, start_ms: int, end_ms: int) -> TradeColumns:
        """All trades of `symbol` in [start_ms, end_ms)."""
        return TradeColumns.concatenate(self.parts(symbol, start_ms, end_ms))

    def parts(self, symbol: str, start_ms: int, end_ms: int) -> Iterator[TradeColumns]:
        """The same, of so many blocks at a time as are made at once."""
        traded = self.instruments[symbol]
        for block in self._together(traded, start_ms, end_ms):
            yield self._cut(block, traded, start_ms, end_ms)

    def _together(self, traded: Instrument, start_ms: int, end_ms: int) -> Iterator[Block]:
        """The same as `blocks`, many minutes at a time where they are many.

        One by one, most of the time would go into calls on short arrays; and the few blocks that
        are kept for the stream and for pages of trades would be lost.
        """
        first = self.block_at(traded.symbol, start_ms)
        after = self.block_at(traded.symbol, end_ms - 1) + 1
        if after - first <= _FEW_BLOCKS or not self._ids[traded.symbol].is_usual(first, after):
            yield from self.blocks(traded.symbol, start_ms, end_ms)
            return
        for number in range(first, after, _BLOCKS_AT_ONCE):
            yield self._make(traded, number, min(_BLOCKS_AT_ONCE, after - number))

    def _cut(self, block: Block, traded: Instrument, start_ms: int, end_ms: int) -> TradeColumns:
        low, high = np.searchsorted(block.times_ms, (start_ms, end_ms))
        cut = slice(low, high)
        return TradeColumns(
            np.arange(block.first_id + low, block.first_id + high),
            block.times_ms[cut],
            block.ticks[cut] / 10**traded.price_decimals,
            block.steps[cut] / 10**traded.qty_decimals,
            block.buyer_is_maker[cut],
        )

    def _make(self, traded: Instrument, number: int, many: int = 1) -> Block:
        """Block `number` and those after it, `many` in all: the same trades as one by one.

        Many at once are all as usual.
        """
        count = self._ids[traded.symbol].count(number)
        start_ms = number * BLOCK_MS + self._phases[traded.symbol]
        first_id = self._ids[traded.symbol].first(number)
        ids = np.arange(first_id, first_id + many * count)
        times_ms = self._times(traded.symbol, start_ms, ids, many)
        grid_ms = start_ms + _GRID_MS * np.arange(many * BLOCK_MS // _GRID_MS + 2)
        path = self._log_price(traded, grid_ms / 1000.0)
        middle = np.exp(np.interp(times_ms, grid_ms, path))
        drift = np.interp(times_ms, grid_ms[:-1], np.diff(path)) / _VOLATILITY
        selling = self._selling(traded.symbol, ids, drift)
        half_tick = np.where(selling, -0.5, 0.5)
        ticks = np.maximum(1, np.rint(middle * 10**traded.price_decimals + half_tick))
        return Block(
            first_id,
            times_ms,
            ticks.astype(np.int64),
            self._steps(traded, ids, middle),
            selling,
        )

    def _log_price(self, traded: Instrument, seconds: Floats) -> Floats:
        own = key_of(self._seed, traded.symbol)
        common = traded.market * brownian(self._market, seconds, shortest=1)
        if traded.altcoins:
            common += traded.altcoins * brownian(self._altcoins, seconds)
        # Bounded, so that it takes a jump to carry the spread far beyond its usual band.
        wave = reverting(key_of(own, "spread"), seconds, shortest=3, longest=5)
        spread = _SPREAD * np.tanh(2.0 * wave)
        jumps = _JUMP * bumps(key_of(own, "jump"), seconds, _JUMP_EVERY, _JUMP_DECAY)
        path: Floats = np.log(traded.price) + _VOLATILITY * common + traded.own * (spread + jumps)
        return path

    def _times(self, symbol: str, start_ms: int, ids: Ints, many: int) -> Ints:
        """Trade times: busy and empty seconds, busy ones often shared by the whole market."""
        seconds = start_ms // 1000 + np.arange(many * _SECONDS)
        own = key_of(self._seed, symbol, "activity")
        weight = np.exp(0.6 * normal(own, seconds))
        everywhere = uniform(self._activity, seconds)
        weight[everywhere > 1.0 - _BURST] *= 5.0
        weight[everywhere < _ALL_QUIET] = 0.0
        weight[uniform(key_of(own, "quiet"), seconds) < _ONE_QUIET] = 0.0
        weight[::_SECONDS] += 1e-6
        weight *= self._bursts.factors(seconds)
        passed = np.zeros((many, _SECONDS + 1))
        np.cumsum(weight.reshape(many, _SECONDS), axis=1, out=passed[:, 1:])
        # Whole seconds without weight make steps in the inverse, which interpolation jumps over.
        count = len(ids) // many
        drawn = uniform(key_of(own, "time"), ids).reshape(many, count)
        share = (np.arange(count) + drawn) / count
        ends = 1000.0 * np.arange(_SECONDS + 1)
        offset = np.array(
            [
                np.interp(one * until[-1], until, ends)
                for one, until in zip(share, passed, strict=True)
            ]
        )
        begins = start_ms + BLOCK_MS * np.arange(many)[:, None]
        times: Ints = begins + np.minimum(offset, BLOCK_MS - 1).astype(np.int64)
        return times.ravel()

    def _selling(self, symbol: str, ids: Ints, drift: Floats) -> Bools:
        """Whether the taker sells: more often while the price falls."""
        chance = 0.5 - 0.35 * np.tanh(drift)
        selling: Bools = uniform(key_of(self._seed, symbol, "side"), ids) < chance
        return selling

    def _steps(self, traded: Instrument, ids: Ints, middle: Floats) -> Ints:
        size = np.exp(1.3 * normal(key_of(self._seed, traded.symbol, "size"), ids))
        steps = TYPICAL_NOTIONAL / middle * size * 10**traded.qty_decimals
        whole: Ints = np.maximum(1, np.rint(steps)).astype(np.int64)
        return whole
