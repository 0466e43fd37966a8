"""The lake, and readers of it that every layer may use.

`layout` names its files, `parquet` writes the cold ones; `databases` has the tables, connections
and errors of SQLite, `ticks` the trades with all SQL on them, `analytics` what is computed.
"""

from typing import TYPE_CHECKING, Any

from spreadlake.lake.databases.connections import (
    atomic,
    open_analytics_writer,
    open_backtests_writer,
    open_cold_writer,
    open_notify_writer,
    open_reader,
    open_ticks_writer,
    writer_lock,
)
from spreadlake.lake.databases.status import (
    add_counters,
    beat,
    read_counters,
    read_status,
    seconds_since,
    set_status,
)
from spreadlake.lake.databases.wal import WalKeeper
from spreadlake.lake.layout import HOUR_MS, Lake, hour_of
from spreadlake.lake.ticks.identity import Origin, check_claim, claim

if TYPE_CHECKING:
    from spreadlake.lake.ticks.trades import iter_trades, read_trades

__all__ = [
    "HOUR_MS",
    "TICKS_SCHEMA",
    "TRADES_SCHEMA",
    "Lake",
    "Origin",
    "WalKeeper",
    "add_counters",
    "atomic",
    "beat",
    "check_claim",
    "claim",
    "hour_of",
    "iter_trades",
    "open_analytics_writer",
    "open_backtests_writer",
    "open_cold_writer",
    "open_notify_writer",
    "open_reader",
    "open_ticks_writer",
    "read_counters",
    "read_status",
    "read_trades",
    "seconds_since",
    "set_status",
    "writer_lock",
]


def __getattr__(name: str) -> Any:
    # Polars takes a quarter of a second and tens of MB: whoever reads no trades goes without.
    if name in ("TICKS_SCHEMA", "TRADES_SCHEMA", "iter_trades", "read_trades"):
        from spreadlake import schemas  # noqa: PLC0415
        from spreadlake.lake.ticks import trades  # noqa: PLC0415

        return getattr(schemas if name.endswith("SCHEMA") else trades, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
