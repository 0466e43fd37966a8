"""Imports Binance's public dump files into a lake: aggregate trades and 1m klines."""

from importer.record import LeftOut, left_out, waiting_klines
from importer.run import Imported, StoppedError, import_dumps

__all__ = ["Imported", "LeftOut", "StoppedError", "import_dumps", "left_out", "waiting_klines"]
