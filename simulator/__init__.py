"""The simulated exchange: Binance's USDⓈ-M market data on loopback."""

from simulator.columns import TradeColumns
from simulator.faults import (
    Delay,
    Drop,
    DropAfterAccept,
    Faults,
    HalfOpen,
    Plan,
    RefuseHandshake,
    RestFailure,
    Stall,
    Tamper,
    When,
)
from simulator.limits import Limits
from simulator.player import Speed
from simulator.prepared import Prepared
from simulator.random_faults import random_faults
from simulator.recording import Recording
from simulator.run import ExchangeHandle, exchange_in_thread, run_simulator
from simulator.server import SimulatedExchange
from simulator.synthetic import SyntheticMarket
from simulator.tampering import TAMPERINGS

__all__ = [
    "TAMPERINGS",
    "Delay",
    "Drop",
    "DropAfterAccept",
    "ExchangeHandle",
    "Faults",
    "HalfOpen",
    "Limits",
    "Plan",
    "Prepared",
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
    "exchange_in_thread",
    "random_faults",
    "run_simulator",
]
