"""The simulated exchange: Binance's USDⓈ-M market data on loopback."""

from spreadlake.simulator.columns import TradeColumns
from spreadlake.simulator.limits import Limits
from spreadlake.simulator.player import Speed
from spreadlake.simulator.recording import Recording
from spreadlake.simulator.run import ExchangeHandle, exchange_in_thread, run_simulator
from spreadlake.simulator.server import SimulatedExchange
from spreadlake.simulator.synthetic import SyntheticMarket

__all__ = [
    "ExchangeHandle",
    "Limits",
    "Recording",
    "SimulatedExchange",
    "Speed",
    "SyntheticMarket",
    "TradeColumns",
    "exchange_in_thread",
    "run_simulator",
]
