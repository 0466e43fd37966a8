"""Rows as CSV, and those of a pair with the time that each was known at. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from spreadlake.series import Prices, SeriesKey
from spreadlake.times import iso_utc

_KNOWN_AT = 5  # of `close_time` among the columns


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The header and a line for each row; floats read back to the same bits, None is empty."""
    yield ",".join(columns) + "\n"
    for row in rows:
        cells = ("" if v is None else v if isinstance(v, str) else repr(v) for v in row)
        yield ",".join(cells) + "\n"


def file_name(key: SeriesKey, prices: Prices | None) -> str:
    """Of a series' file; with the prices where they were asked for."""
    symbols, asked = key.pair.replace("/", "_"), f"_{prices}" if prices else ""
    return f"{symbols}_{key.timeframe}_{key.window}_{key.lookback}{asked}.csv"


def columns_known_at(columns: Sequence[str]) -> tuple[str, ...]:
    """The header of `rows_known_at`."""
    return (*columns[:_KNOWN_AT], "close_time", *columns[_KNOWN_AT:])


def rows_known_at(
    pieces: Iterable[Iterable[Sequence[Any]]], seconds: int, *, epoch: bool = False
) -> Iterator[tuple[object, ...]]:
    """Each row with the time it was known at, behind its first five values.

    A row begins with the open (s) of a bar of so many `seconds`; times are written as ISO 8601, or
    as they are with `epoch`.
    """
    for piece in pieces:
        for time, *values in piece:
            known = _moment(time + seconds, epoch)
            yield _moment(time, epoch), *values[: _KNOWN_AT - 1], known, *values[_KNOWN_AT - 1 :]


def _moment(time: int, epoch: bool) -> str:
    return str(time) if epoch else iso_utc(time)
