"""The rows of a view as a CSV file, streamed: what `spreadlake csv` writes, to the same bytes."""

import logging
from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from exporter.page.parameters import OF_EXPORT, parse_query, view_request
from spreadlake.csv_text import columns_known_at, csv_lines, file_name, rows_known_at
from spreadlake.errors import InputError, SpreadlakeError
from spreadlake.lake import Lake
from spreadlake.series import SeriesKey
from spreadlake.times import timeframe_seconds

if TYPE_CHECKING:
    import polars as pl

_log = logging.getLogger(__name__)

_CHUNK = 2_000  # lines that are sent at a time


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
    from spreadlake.research.pair_view import rows_of_view, what_there_is  # noqa: PLC0415

    request = view_request(parse_query(query, OF_EXPORT))
    asked = rows_of_view(lake, request)
    pieces = (piece for piece in pair_pieces(lake, asked) if piece.height)
    first = next(pieces, None)
    if first is None:
        of = f"{request.key.pair} {request.key.timeframe}"
        raise InputError(f"{of} has no rows in that time: {what_there_is(lake, request)}")
    return Download(file_name(asked.key, asked.prices), _text(request.key, chain([first], pieces)))


def _text(key: SeriesKey, pieces: "Iterator[pl.DataFrame]") -> Iterator[bytes]:
    length = timeframe_seconds(key.timeframe)
    first = next(pieces)
    rows = rows_known_at((piece.iter_rows() for piece in chain([first], pieces)), length)
    lines = csv_lines(columns_known_at(first.columns), rows)
    try:
        while text := "".join(islice(lines, _CHUNK)):
            yield text.encode()
    except SpreadlakeError as error:
        _log.warning("an export of %s ended early: %s", key.pair, error)
        yield f"# not complete: {error}\n".encode()
    except Exception:  # noqa: BLE001 whatever it is, half of a file does not pass for the whole
        _log.exception("an export of %s ended early", key.pair)
        yield b"# not complete: an error of the exporter; its log has it\n"
