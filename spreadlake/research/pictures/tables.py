"""The tables of a back-test for its page: of a grid, a walk-forward, chosen pairs. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from html import escape
from typing import Any

import polars as pl

from spreadlake.research.pictures.drawing import Pictured

MOST_ROWS = 25
_TITLES = {
    "selection": "What the choice is worth",
    "grid": "Sets of parameters, by Sharpe ratio",
    "folds": "Walk-forward: what was chosen in each training, and what it earned there and after",
    "chosen": "How often each value was chosen",
    "pairs": "Pairs",
    "screens": "Screens",
}


def selection_frame(selection: Mapping[str, Any]) -> pl.DataFrame:
    """What a choice among sets of parameters is worth: of a walk-forward in training beside after.

    Its columns are `number`, and `in_sample` and `out_of_sample`, or `value`.
    """
    sides = [side for side in ("in_sample", "out_of_sample") if side in selection]
    if not sides:
        values = {name: selection[name] for name in selection if _is_number(selection[name])}
        return pl.DataFrame(
            {"number": _worded(values), "value": [float(v) for v in values.values()]}
        )
    names = list(dict.fromkeys(name for side in sides for name in selection[side]))
    columns = {side: [selection[side].get(name) for name in names] for side in sides}
    return pl.DataFrame({"number": _worded(names), **columns}, strict=False)


def _worded(names: Iterable[str]) -> list[str]:
    return [name.replace("_", " ") for name in names]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def tables_of(run: Pictured) -> str:
    """Each table with its title, its first rows, and the columns that tell rows apart."""
    return "\n".join(_table(name, frame) for name, frame in run.tables.items() if len(frame))


def _table(name: str, frame: pl.DataFrame) -> str:
    shown = frame.select(telling_columns(frame)).head(MOST_ROWS)
    head = "".join(f'<th scope="col">{escape(one.replace("_", " "))}</th>' for one in shown.columns)
    rows = "\n".join(
        f"<tr>{''.join(f'<td>{escape(_cell(value))}</td>' for value in row)}</tr>"
        for row in shown.iter_rows()
    )
    more = len(frame) - len(shown)
    rest = f'<p class="quiet">The first {MOST_ROWS} of {len(frame):,}.</p>' if more > 0 else ""
    return (
        f"<h2>{escape(_TITLES.get(name, name))}</h2>\n{rest}"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n'
        "</tbody></table></div>"
    )


def telling_columns(frame: pl.DataFrame) -> list[str]:
    """Those that are not the same in all rows; of one row those that have a value."""
    least = 1 if len(frame) > 1 else 0
    return [
        column.name
        for column in frame.iter_columns()
        if column.n_unique() > least and column.null_count() < len(column)
    ]


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
