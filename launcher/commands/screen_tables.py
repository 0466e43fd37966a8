"""A screen as lines of CSV or JSON, and as a table that is as wide as the terminal. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.table import Table
from rich.text import Text

from spreadlake.times import iso_utc
from spreadlake.words import fixed, number, signed

if TYPE_CHECKING:
    import polars as pl

Row = dict[str, Any]


def csv_of_screens(columns: Sequence[str], screens: Iterable["pl.DataFrame"]) -> Iterator[str]:
    """The header, and the lines of each screen's rows; times are ISO 8601, NULL is empty."""
    import polars as pl  # noqa: PLC0415 slow to import

    yield ",".join(columns) + "\n"
    time = pl.from_epoch("time").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    for rows in screens:
        yield rows.select(columns).with_columns(time).write_csv(include_header=False)


def json_of_rows(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """A list of objects, a line each; NULL is null."""
    before = "[\n"
    for row in rows:
        times = {"time": iso_utc(row["time"])}
        yield before + json.dumps({name: row[name] for name in columns} | times, allow_nan=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


class _Column(NamedTuple):
    """A column of the table: heading, what it shows of a row, and how far right it matters."""

    heading: str
    show: Callable[[Row], str]


def _number(name: str, digits: int) -> Callable[[Row], str]:
    def show(row: Row) -> str:
        return number(row[name], digits)

    return show


def _fixed(name: str, decimals: int) -> Callable[[Row], str]:
    return lambda row: fixed(row[name], decimals)


def _signed(name: str) -> Callable[[Row], str]:
    def show(row: Row) -> str:
        return signed(row[name])

    return show


def _probability(name: str) -> Callable[[Row], str]:
    def show(row: Row) -> str:
        value = row[name]
        if value is None:
            return "–"
        return "0" if value == 0 else f"{value:.4f}" if value >= 1e-4 else f"{value:.0e}"

    return show


def _volume(name: str) -> Callable[[Row], str]:
    def show(row: Row) -> str:
        value = row[name]
        for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
            if value >= size:
                return f"{value / size:.3g}{unit}" if value < 999.5 * size else f"{value:.3g}"
        return f"{value:.3g}"

    return show


# From the most to the least wanted: a narrow terminal has the first ones.
_COLUMNS = (
    _Column("#", lambda row: f"{row['rank']:,}"),
    _Column("pair", lambda row: f"{row['symbol_a']}/{row['symbol_b']}"),
    _Column("p", _probability("coint_pvalue")),
    _Column("q", _probability("qvalue")),
    _Column("z", _signed("zscore")),
    _Column("edge bps", _fixed("edge_bps", 1)),
    _Column("half-life", _fixed("half_life", 1)),
    _Column("beta", _number("beta", 4)),
    _Column("cost bps", _fixed("cost_bps", 1)),
    _Column("std bps", _fixed("spread_std_bps", 1)),
    _Column("corr", _signed("return_correlation")),
    _Column("R²", _fixed("r_squared", 2)),
    _Column("cross", _fixed("crossings", 0)),
    _Column("persist", _fixed("persistence", 2)),
    _Column("vol A", _volume("volume_a")),
    _Column("vol B", _volume("volume_b")),
    _Column("t", _signed("coint_t")),
    _Column("lag", _fixed("coint_lag", 0)),
    _Column("spread", _number("spread", 6)),
    _Column("alpha", _number("alpha", 6)),
)
_GAP = 2


def screen_table(rows: Sequence[Row], width: int, limit: float) -> Table:
    """As many columns as `width` characters have room for; q-values up to `limit` stand out."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    shown = list(_fitting(rows, width))
    for column, _ in shown:
        justify = "left" if column.heading == "pair" else "right"
        table.add_column(column.heading, justify=justify, header_style="dim", no_wrap=True)  # type: ignore[arg-type]
    for at, row in enumerate(rows):
        q = row["qvalue"]
        style = "bold" if q is not None and q <= limit else ""
        table.add_row(*(Text(cells[at], style=style) for _, cells in shown))
    return table


def _fitting(rows: Sequence[Row], width: int) -> Iterator[tuple[_Column, list[str]]]:
    left = width + _GAP
    for column in _COLUMNS:
        if column.heading == "persist" and all(row["persistence"] is None for row in rows):
            continue
        cells = [column.show(row) for row in rows]
        left -= max(map(len, [column.heading, *cells])) + _GAP
        if left < 0:
            return
        yield column, cells
