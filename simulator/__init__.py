"""The simulated exchange: Binance's USDⓈ-M market data on loopback."""

from simulator.faults.plans import (
    Delay,
    Drop,
    DropAfterAccept,
    Faults,
    HalfOpen,
    Lag,
    Plan,
    RefuseHandshake,
    RestFailure,
    Stall,
    Tamper,
    When,
)
from simulator.faults.seeded import random_faults
from simulator.faults.tampering import TAMPERINGS
from simulator.recordings.recording import Recording
from simulator.run import ExchangeHandle, exchange_in_thread, play_script, run_simulator
from simulator.serving.limits import Limits
from simulator.serving.listing import Facts
from simulator.serving.player import Speed
from simulator.serving.script import Event, bursts, facts_before, read_script
from simulator.serving.server import SimulatedExchange
from simulator.source import TradeColumns
from simulator.synthetic.bursts import Burst
from simulator.synthetic.market import SyntheticMarket
from simulator.synthetic.whole_market import market_rates, market_symbols

__all__ = [
    "TAMPERINGS",
    "Burst",
    "Delay",
    "Drop",
    "DropAfterAccept",
    "Event",
    "ExchangeHandle",
    "Facts",
    "Faults",
    "HalfOpen",
    "Lag",
    "Limits",
    "Plan",
    "Recording",
    "RefuseHandshake",
    "RestFailure",
    "SimulatedExchange",
    "Speed",
    "Stall",
    "SyntheticMarket",
    "Tamper",
    "TradeColumns",
    "When",
    "bursts",
    "exchange_in_thread",
    "facts_before",
    "market_rates",
    "market_symbols",
    "play_script",
    "random_faults",
    "read_script",
    "run_simulator",
]
