"""Imports Binance's public dump files into a lake: aggregate trades and 1m klines."""

from importer.run import Imported, StoppedError, import_dumps

__all__ = ["Imported", "StoppedError", "import_dumps"]
