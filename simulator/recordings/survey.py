"""One pass over a recording, to learn what is in it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from simulator.recordings.lines import RecordedLine
from simulator.source import Contract
from spreadlake.binance.decode import KINDS
from spreadlake.binance.frames import (
    coin_margined_in,
    decimals_in,
    trade_in,
)
from spreadlake.trades import TradeEvent


@dataclass
class KindSurvey:
    """The trades of one kind: `contracts` and `trades` by symbol, in order of first trade.

    `volumes` are what they are worth together, in the quote asset.
    `first_ms` and `last_ms` are the least and the greatest trade time.
    """

    contracts: dict[str, Contract] = field(default_factory=dict)
    trades: dict[str, int] = field(default_factory=dict)
    volumes: dict[str, float] = field(default_factory=dict)
    first_ms: int = 2**63
    last_ms: int = 0

    def count(self, trade: TradeEvent, frame: bytes) -> None:
        """Counts one trade."""
        symbol = trade.symbol
        self.trades[symbol] = self.trades.get(symbol, 0) + 1
        self.volumes[symbol] = self.volumes.get(symbol, 0.0) + trade.price * trade.qty
        self.first_ms = min(self.first_ms, trade.time_ms)
        self.last_ms = max(self.last_ms, trade.time_ms)
        # The finest of the first trades' decimals is the symbol's.
        if self.trades[symbol] <= 100:
            self._refine(symbol, *decimals_in(frame))

    def _refine(self, symbol: str, price_decimals: int, qty_decimals: int) -> None:
        known = self.contracts.get(symbol)
        if known is not None:
            price_decimals = max(price_decimals, known.price_decimals)
            qty_decimals = max(qty_decimals, known.qty_decimals)
        self.contracts[symbol] = Contract(symbol, price_decimals, qty_decimals)


@dataclass
class Survey:
    """What a recording holds; `kinds` has the kinds of trade events that were found.

    `coin_margined` are the COIN-M contracts in it, which cannot be taken, in order of first trade.
    """

    frames: int = 0
    first_received_ns: int = 0
    kinds: dict[str, KindSurvey] = field(default_factory=dict)
    coin_margined: dict[str, None] = field(default_factory=dict)


def survey(lines: Iterable[RecordedLine]) -> Survey:
    """Reads all lines once and holds none."""
    found = Survey()
    for received_ns, frame in lines:
        if not found.frames:
            found.first_received_ns = received_ns
        found.frames += 1
        for kind in KINDS:
            trade = trade_in(frame, kind)
            if trade is not None:
                found.kinds.setdefault(kind, KindSurvey()).count(trade, frame)
            elif (symbol := coin_margined_in(frame, kind)) is not None:
                found.coin_margined[symbol] = None
    return found
