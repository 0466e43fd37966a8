"""What `spreadlake backtest` says of a grid and of a walk-forward. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from launcher.commands.output import wrapped
from spreadlake.words import count, fixed

if TYPE_CHECKING:
    import polars as pl

    from spreadlake.research.backtests.pair import Backtest

Row = dict[str, Any]

_FIRST = 20  # rows of a table that are shown
_SURE = 0.95  # from what probability on a Sharpe ratio is called more than chance


def grid_lines(result: "Backtest") -> list[str]:
    """The best sets, and in words what the very best is worth among so many."""
    assert result.grid is not None and result.selection is not None  # noqa: S101, PT018 for mypy
    chosen = result.selection
    head = f"{_where(result)}: {_sets(chosen)}"
    rows = result.grid.head(_FIRST).to_dicts()
    columns = [
        ("#", [f"{row['rank']}" for row in rows]),
        *((name, [_value(row[name]) for row in rows]) for name in chosen["varied"]),
        ("trades", [f"{row['trades']:,}" for row in rows]),
        ("net", [fixed(row["net"]) for row in rows]),
        ("drawdown", [fixed(-row["max_drawdown"]) for row in rows]),
        ("Sharpe", [fixed(row["sharpe"]) for row in rows]),
        ("P(>0)", [fixed(row["probabilistic_sharpe"], 3) for row in rows]),
        ("deflated", [fixed(row["deflated_sharpe"], 3) for row in rows]),
    ]
    return [
        *wrapped(head),
        "",
        *_table(columns),
        *_more(result.grid, "set", "grid.csv"),
        "",
        *wrapped(worth(chosen)),
    ]


def worth(chosen: Row) -> str:
    """What the best Sharpe ratio says, among so many trials."""
    if not chosen["trials"]:
        return "No set made a trade: there is nothing to choose from."
    sharpe, chance = chosen["sharpe"], chosen["expected_maximum_sharpe"]
    probability = chosen["deflated_sharpe"]
    if chosen["trials"] == 1:
        return f"One trial shows a Sharpe ratio of {sharpe:.2f}: nothing was chosen."
    known = "unknown" if probability is None else f"{probability:.3f}"
    return (
        f"Of {chosen['trials']:,} trials without any merit, as far apart as these, the best would "
        f"show a Sharpe ratio of {chance:.2f} a year by chance; this one shows {sharpe:.2f}. The "
        f"probability that its true ratio is above that of chance (the deflated Sharpe ratio) is "
        f"{known}: {_verdict(probability)}."
    )


def _verdict(probability: float | None) -> str:
    if probability is not None and probability >= _SURE:
        return "more than chance explains"
    if probability is not None and probability > 0.5:
        return f"below {_SURE:g}, and so no find yet"
    return "no find, as luck among so many shows as much"


def walk_lines(result: "Backtest") -> list[str]:
    """In-sample beside out-of-sample, fold by fold and in all; how often what was chosen."""
    assert result.folds is not None and result.selection is not None  # noqa: S101, PT018 for mypy
    chosen = result.selection
    spans = f"trained on {count(chosen['train_bars'], 'bar')}, tested on the next"
    head = f"{_where(result)}: walk-forward over {_sets(chosen)}, {spans} {chosen['test_bars']:,}"
    rows = result.folds.head(_FIRST).to_dicts()
    columns = [
        ("fold", [f"{row['fold']}" for row in rows]),
        ("test from", [f"{row['test_start']:%Y-%m-%d %H:%M}" for row in rows]),
        *((name, [_value(row[name]) for row in rows]) for name in chosen["varied"]),
        ("in: net", [fixed(row["train_net"]) for row in rows]),
        ("Sharpe", [fixed(row["train_sharpe"]) for row in rows]),
        ("deflated", [fixed(row["train_deflated_sharpe"], 3) for row in rows]),
        ("out: trades", [f"{row['test_trades']:,}" for row in rows]),
        ("net", [fixed(row["test_net"]) for row in rows]),
        ("Sharpe", [fixed(row["test_sharpe"]) for row in rows]),
    ]
    return [
        *wrapped(head),
        "",
        *_table(columns),
        *_more(result.folds, "fold", "folds.csv"),
        "",
        *_totals(chosen),
        "",
        *_how_often(result),
    ]


def _totals(chosen: Row) -> list[str]:
    rows = [chosen["in_sample"], chosen["out_of_sample"]]
    columns = [
        ("", ["in sample", "out of sample"]),
        ("trades", [f"{row['trades']:,}" for row in rows]),
        ("net", [fixed(row["net"]) for row in rows]),
        ("net a day", [fixed(row["net_per_day"]) for row in rows]),
        ("Sharpe", [fixed(row["sharpe"]) for row in rows]),
    ]
    probability = chosen["out_of_sample"]["probabilistic_sharpe"]
    if probability is None:
        return _table(columns)
    said = (
        f"The probability that the true Sharpe ratio out of sample is above 0 is {probability:.3f}."
    )
    return [*_table(columns), "", *wrapped(said)]


def _how_often(result: "Backtest") -> Iterator[str]:
    assert result.chosen is not None  # noqa: S101 for mypy
    for (name,), rows in result.chosen.group_by(["parameter"], maintain_order=True):
        used = rows.filter(rows["folds"] > 0).sort("folds", descending=True, maintain_order=True)
        each = [f"{value} in {folds:,}" for value, folds in used.select("value", "folds").rows()]
        of = result.folds.height if result.folds is not None else 0
        yield from wrapped(f"{name}: {', '.join(each) or 'none'} of {count(of, 'fold')}")


def _where(result: "Backtest") -> str:
    s = result.settings
    return f"{s['pair']}  {s['timeframe']} bars, {s['first_bar']} to {s['last_bar']}"


def _sets(chosen: Row) -> str:
    return f"{count(chosen['sets'], 'set')} of {' × '.join(chosen['varied'])}"


def _more(frame: "pl.DataFrame", name: str, file: str) -> list[str]:
    more = frame.height - _FIRST
    return [f"{count(more, name)} more: -o DIR writes all to {file}"] if more > 0 else []


def _table(columns: Sequence[tuple[str, list[str]]]) -> list[str]:
    """Right-justified, but for a first column without a heading."""
    widths = [max(map(len, (heading, *cells))) for heading, cells in columns]
    lines = [
        [heading for heading, _ in columns],
        *zip(*(cells for _, cells in columns), strict=True),
    ]

    def placed(cells: Sequence[str]) -> str:
        sides: list[Callable[[str, int], str]] = [str.rjust if columns[0][0] else str.ljust]
        sides += [str.rjust] * (len(columns) - 1)
        parts = (side(cell, width) for side, cell, width in zip(sides, cells, widths, strict=True))
        return "  ".join(parts).rstrip()

    return [placed(cells) for cells in lines]


def _value(value: object) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
