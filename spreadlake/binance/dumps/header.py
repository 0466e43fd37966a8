"""Which column of a dump is which: by its header, or by the number of columns. Pure.

A header may name columns in any order, and others beside the known ones: Binance has added some
over the years. Without one, only the published number of columns tells what is where.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spreadlake.binance.dumps.columns import LAYOUTS, Layout, RecordError

_SPOT_COLUMNS = 8
# The column that only dumps of the spot market have: whether it was the best price match.
_SPOT_NAME = "best"
_BOOLEANS = ("true", "false")
# What scripts and older dumps call the columns, less case and underscores.
_ALIASES: Mapping[str, str] = {
    "qty": "quantity",
    "quoteassetvolume": "quotevolume",
    "numberoftrades": "count",
    "takerbuybaseassetvolume": "takerbuyvolume",
}


@dataclass(frozen=True)
class Heading:
    """Names for all columns of the file, in their order, and how many lines stand before records.

    Columns that are not known have names that no known one has.
    """

    names: tuple[str, ...]
    skipped: int


def read_heading(first_line: str, layout: Layout) -> Heading:
    """The heading by the first line of a file; RecordError where it cannot be told."""
    cells = [cell.strip().strip('"') for cell in first_line.strip().split(",")]
    named = _named(cells, layout)
    if any(name in layout.types for name in named):
        return Heading(_by_name(cells, named, layout), 1)
    _check_count(cells, layout)
    if not cells[0].isdigit():
        raise RecordError(
            f"the first line, {first_line.strip()[:80]!r}, is neither a record nor a header that "
            f"names {', '.join(layout.types)}"
        )
    return Heading(layout.names, 0)


def _named(cells: Sequence[str], layout: Layout) -> list[str]:
    known = {_plain(name): name for name in layout.names}
    return [known.get(_plain(cell), f"#{n}") for n, cell in enumerate(cells)]


def _plain(name: str) -> str:
    letters = re.sub(r"[\W_]", "", name).lower()
    return _ALIASES.get(letters, letters)


def _by_name(cells: Sequence[str], named: Sequence[str], layout: Layout) -> tuple[str, ...]:
    if layout is LAYOUTS["trades"] and any(_SPOT_NAME in _plain(cell) for cell in cells):
        raise RecordError(_spot(f"column {cells[-1]!r} in the header"))
    for name in layout.types:
        if named.count(name) != 1:
            often = "no column" if name not in named else "more than one column"
            raise RecordError(f"the header names {often} {name}: it is {','.join(cells)[:200]!r}")
    once = {name for name in layout.optional if named.count(name) == 1}
    # What is there twice and is not read needs two names nevertheless.
    return tuple(
        name if name in layout.types or name in once else f"#{number}"
        for number, name in enumerate(named)
    )


def _check_count(cells: Sequence[str], layout: Layout) -> None:
    if len(cells) == len(layout.names):
        return
    columns = "1 column" if len(cells) == 1 else f"{len(cells)} columns"
    message = f"{columns} in the first line, and {layout.name} dumps have {len(layout.names)}"
    if (
        layout is LAYOUTS["trades"]
        and len(cells) == _SPOT_COLUMNS
        and cells[-1].lower() in _BOOLEANS
    ):
        raise RecordError(_spot(message))
    if cells[0].isdigit() and len(cells) > len(layout.names):
        message += "; without a header nothing tells which of them is which: put one before them"
    raise RecordError(f"{message} ({','.join(layout.names)})")


def _spot(message: str) -> str:
    return (
        f"{message}: this is a dump of the spot market, whose trade ids are others; download "
        "the one under futures/um"
    )
