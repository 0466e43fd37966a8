"""Stores 1m klines in Parquet: the job makes bars of them where a symbol has no trades."""

import sqlite3
from typing import Any

import polars as pl

from importer.merge import ConflictError
from spreadlake.lake import Lake, add_counters, atomic
from spreadlake.lake.ticks.kline_files import add_klines, klines_between
from spreadlake.lake.ticks.klines import record_kline_change
from spreadlake.schemas import KLINES_SCHEMA
from spreadlake.times import iso_utc

_KEY = ["symbol", "timeframe", "time"]


def store_klines(db: sqlite3.Connection, lake: Lake, new: pl.DataFrame) -> int:
    """Stores klines of one symbol (KLINES_SCHEMA); returns how many were not there.

    ConflictError where the lake holds another kline of the same minute: then none are stored.
    After a crash the files may have klines that were not recorded: those are recorded again.
    """
    once = new.unique()
    _refuse_two_of_a_minute(once)
    symbol, first, last = once.select(
        pl.col("symbol").first(), pl.col("time").min(), last=pl.col("time").max()
    ).row(0)
    held = klines_between(db, lake, symbol, first, last)
    _refuse_contradictions(once, held)
    fresh = once.join(held, on=_KEY, how="anti")
    add_klines(lake, symbol, fresh)
    with atomic(db):
        record_kline_change(db, symbol, first, last)
        add_counters(db, {("klines", symbol): fresh.height})
    return fresh.height


def _refuse_two_of_a_minute(klines: pl.DataFrame) -> None:
    twice = klines.filter(pl.col("time").is_duplicated()).sort("time")
    if twice.height:
        first, second = twice.row(0, named=True), twice.row(1, named=True)
        raise ConflictError(
            f"the kline of {_minute(first)} is there twice: {_in_words(first)}; {_in_words(second)}"
        )


def _refuse_contradictions(new: pl.DataFrame, held: pl.DataFrame) -> None:
    other = new.join(held, on=list(KLINES_SCHEMA.names()), how="anti")
    both = other.join(held, on=_KEY, how="semi").sort("time")
    if both.height:
        mine, theirs = both.row(0, named=True), {}
        theirs = held.filter(pl.col("time") == mine["time"]).row(0, named=True)
        raise ConflictError(
            f"the kline of {_minute(mine)} is {_in_words(mine)} in the file, and "
            f"{_in_words(theirs)} in the lake"
        )


def _minute(kline: dict[str, Any]) -> str:
    return iso_utc(kline["time"])


def _in_words(kline: dict[str, Any]) -> str:
    return ", ".join(f"{name} {kline[name]}" for name in kline if name not in _KEY)
