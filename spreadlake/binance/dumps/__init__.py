"""The files of Binance's public dumps: their names, headers and columns. Pure."""

from spreadlake.binance.dumps.columns import LAYOUTS, Layout, RecordError
from spreadlake.binance.dumps.header import Heading, read_heading
from spreadlake.binance.dumps.names import DumpFile, DumpKind, parse_name
from spreadlake.binance.hosts import BINANCE as VENUE
from spreadlake.binance.rest import REST_KIND as TRADE_KIND

__all__ = [
    "LAYOUTS",
    "TRADE_KIND",
    "VENUE",
    "DumpFile",
    "DumpKind",
    "Heading",
    "Layout",
    "RecordError",
    "parse_name",
    "read_heading",
]
