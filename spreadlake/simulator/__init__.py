"""The simulated exchange: Binance's USDⓈ-M market data on loopback."""

from spreadlake.simulator.columns import TradeColumns
from spreadlake.simulator.faults import (
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
from spreadlake.simulator.limits import Limits
from spreadlake.simulator.player import Speed
from spreadlake.simulator.prepared import Prepared
from spreadlake.simulator.random_faults import random_faults
from spreadlake.simulator.recording import Recording
from spreadlake.simulator.run import ExchangeHandle, exchange_in_thread, run_simulator
from spreadlake.simulator.server import SimulatedExchange
from spreadlake.simulator.synthetic import SyntheticMarket
from spreadlake.simulator.tampering import TAMPERINGS

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
