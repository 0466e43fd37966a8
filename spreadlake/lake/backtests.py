"""Results of back-tests that were kept, for Grafana: every statement on `backtests.db`.

Only commands and those who call this write it, but for the empty one, which the exporter makes for
Grafana. A result is kept
under a name, as a whole or not at all, until it is forgotten or another takes its name.
"""

import contextlib
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from spreadlake.errors import InputError, LakeError
from spreadlake.lake.databases.connections import atomic, open_backtests_writer, open_reader
from spreadlake.lake.databases.errors import explaining
from spreadlake.lake.layout import Lake

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Of the equity also the extremes of so many bars: a year is drawn from as few rows as a day.
_COARSER = (16, 256, 4096)

TRADE_COLUMNS = (
    "trade", "pair", "side", "signal_time", "entry_time", "exit_signal_time", "exit_time",
    "quantity_a", "quantity_b", "entry_price_a", "entry_price_b", "exit_price_a", "exit_price_b",
    "beta", "entry_zscore", "exit_zscore", "bars_held", "gross", "fees", "funding", "net", "worst",
    "best", "reason",
)  # fmt: skip


class KeptBacktest(NamedTuple):
    """One that is kept; times are Unix seconds, None where it has no bar.

    `window_bars` and `lookback_bars` are None where a walk-forward chose among several.
    """

    name: str
    kept_at: int
    pair: str
    timeframe: str
    window_bars: int | None
    lookback_bars: int | None
    first_time: int | None
    last_time: int | None
    trades: int
    net: float | None
    sharpe: float | None


def check_name(name: str) -> str:
    """The name, if a result can be kept under it; InputError else."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"a back-test cannot be kept as {name!r}: a name begins with a letter or a digit and "
            "has up to 64 letters, digits, points, dashes and underscores"
        )
    return name


def prepare_backtests(lake: Lake) -> None:
    """Makes the empty database where there is none, so that Grafana can say that none is kept.

    A lake that is not there yet, or may not be written, stays without.
    """
    if lake.root.is_dir() and not lake.backtests_db.exists():
        with contextlib.suppress(LakeError):
            open_backtests_writer(lake).close()
    _take_back(lake)


def _take_back(lake: Lake) -> None:
    """Takes back what a command was committing when it was killed, which no mere reader can do."""
    journal = lake.backtests_db.with_name(f"{lake.backtests_db.name}-journal")
    if lake.backtests_db.exists() and journal.exists():
        with contextlib.suppress(LakeError), closing(open_backtests_writer(lake)) as db, atomic(db):
            pass


def store_backtest(
    lake: Lake,
    head: Mapping[str, object],
    trades: Iterable[Sequence[object]],
    equity: Iterable[Sequence[object]],
) -> None:
    """Keeps a result in place of the one of its name, in one transaction.

    head: a value for each column of `backtests` but `id`. trades: rows of TRADE_COLUMNS, times in
    Unix seconds. equity: rows of `time`, `zscore`, `equity`, `drawdown`, of every bar.
    """
    path = lake.backtests_db
    with closing(open_backtests_writer(lake)) as db, explaining(path, "written"), atomic(db):
        _remove(db, str(head["name"]))
        marks = ", ".join(f":{column}" for column in head)
        columns = ", ".join(head)
        number = db.execute(f"INSERT INTO backtests({columns}) VALUES ({marks})", head).lastrowid
        marks = ", ".join("?" * (1 + len(TRADE_COLUMNS)))
        names = ", ".join(TRADE_COLUMNS)
        db.executemany(
            f"INSERT INTO backtest_trades(backtest_id, {names}) VALUES ({marks})",
            ((number, *row) for row in trades),
        )
        db.executemany(
            "INSERT INTO backtest_equity VALUES (?1, 1, ?2, ?3, ?3, ?4, ?4, ?5)",
            ((number, *row) for row in equity),
        )
        for finer, bars in zip((1, *_COARSER), _COARSER, strict=False):
            db.execute(
                "INSERT INTO backtest_equity SELECT backtest_id, :bars, min(time), "
                "min(zscore_low), max(zscore_high), min(equity_low), max(equity_high), "
                "max(drawdown) FROM backtest_equity WHERE backtest_id = :id AND bars = :finer "
                "GROUP BY time / (:bars * :length)",
                {"id": number, "finer": finer, "bars": bars, "length": head["length"]},
            )


def kept_backtests(lake: Lake) -> list[KeptBacktest]:
    """Those that are kept, the newest first."""
    if not lake.backtests_db.exists():
        return []
    _take_back(lake)
    columns = ", ".join(KeptBacktest._fields)
    with closing(open_reader(lake.backtests_db)) as db, explaining(lake.backtests_db):
        rows = db.execute(f"SELECT {columns} FROM backtests ORDER BY kept_at DESC, id DESC")
        return [KeptBacktest(*row) for row in rows]


def forget_backtest(lake: Lake, name: str) -> None:
    """Removes one and gives back its room; InputError where none is kept under that name."""
    there = [kept.name for kept in kept_backtests(lake)]
    if name not in there:
        known = f"there are {', '.join(there)}" if there else "none is kept"
        raise InputError(f"no back-test is kept as {name!r}; {known}")
    path = lake.backtests_db
    with closing(open_backtests_writer(lake)) as db, explaining(path, "written"), atomic(db):
        _remove(db, name)


def _remove(db: sqlite3.Connection, name: str) -> None:
    for table in ("backtest_trades", "backtest_equity"):
        own = "backtest_id IN (SELECT id FROM backtests WHERE name = ?)"
        db.execute(f"DELETE FROM {table} WHERE {own}", (name,))
    db.execute("DELETE FROM backtests WHERE name = ?", (name,))
