"""Rows as CSV. Pure."""

from collections.abc import Iterable, Iterator, Sequence


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The header and a line for each row; floats read back to the same bits, None is empty."""
    yield ",".join(columns) + "\n"
    for row in rows:
        cells = ("" if v is None else v if isinstance(v, str) else repr(v) for v in row)
        yield ",".join(cells) + "\n"
