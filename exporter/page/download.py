"""The rows of a view as a CSV file, streamed: what `spreadlake csv` writes, to the same bytes."""

import logging
from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from exporter.page.parameters import OF_EXPORT, parse_query, view_request
from spreadlake.csv_text import csv_lines
from spreadlake.errors import InputError, SpreadlakeError
from spreadlake.lake import Lake
from spreadlake.series import SeriesKey
from spreadlake.times import iso_utc, timeframe_seconds

if TYPE_CHECKING:
    import polars as pl

    from spreadlake.research.frames.pairs import PairRequest

_log = logging.getLogger(__name__)

_CHUNK = 2_000  # lines that are sent at a time
_KNOWN_AT = 5  # of `close_time` among the columns


class Download(NamedTuple):
    """A file's name, and its bytes in pieces."""

    name: str
    pieces: Iterator[bytes]

    @property
    def disposition(self) -> str:
        """As a header says it, whatever letters a symbol has."""
        plain = self.name.encode("ascii", "replace").decode().replace("?", "_")
        return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(self.name)}"


def csv_of_view(lake: Lake, query: str) -> Download:
    """All rows from `from` to before `to`, or of the `range` that ends with the newest bar.

    InputError where they cannot be had, or there is none. What goes wrong later is the last line
    of the file: nobody takes half of it for the whole.
    """
    from spreadlake.research.frames.pairs import pair_pieces  # noqa: PLC0415 slow: polars
    from spreadlake.research.pair_view import rows_of_view  # noqa: PLC0415

    request = view_request(parse_query(query, OF_EXPORT))
    asked = rows_of_view(lake, request)
    pieces = (piece for piece in pair_pieces(lake, asked) if piece.height)
    first = next(pieces, None)
    if first is None:
        raise InputError(f"{request.key.pair} {request.key.timeframe} has no rows in that time")
    return Download(_name(asked), _text(request.key, chain([first], pieces)))


def _name(asked: "PairRequest") -> str:
    key, other = asked.key, f"_{asked.prices}" if asked.prices else ""
    symbols = key.pair.replace("/", "_")
    return f"{symbols}_{key.timeframe}_{key.window}_{key.lookback}{other}.csv"


def _text(key: SeriesKey, pieces: "Iterator[pl.DataFrame]") -> Iterator[bytes]:
    length = timeframe_seconds(key.timeframe)
    first = next(pieces)
    columns = first.columns
    header = [*columns[:_KNOWN_AT], "close_time", *columns[_KNOWN_AT:]]
    rows = (row for piece in chain([first], pieces) for row in piece.iter_rows())
    lines = csv_lines(header, (_known_at(row, length) for row in rows))
    try:
        while text := "".join(islice(lines, _CHUNK)):
            yield text.encode()
    except SpreadlakeError as error:
        _log.warning("an export of %s ended early: %s", key.pair, error)
        yield f"# not complete: {error}\n".encode()


def _known_at(row: tuple[Any, ...], length: int) -> tuple[object, ...]:
    """The row with readable times: its bar's open, and its close behind the first five values."""
    time, *values = row
    return (
        iso_utc(time),
        *values[: _KNOWN_AT - 1],
        iso_utc(time + length),
        *values[_KNOWN_AT - 1 :],
    )
