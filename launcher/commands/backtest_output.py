"""What `spreadlake backtest` writes: a summary to read, the same as JSON, and a folder of files."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from launcher.commands.backtest_grid_text import grid_lines, walk_lines
from launcher.commands.output import bytes_to_file, lines_to_file, lines_to_stdout, wrapped
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.words import count, fixed

if TYPE_CHECKING:
    import polars as pl

    from spreadlake.research.backtests.pair import Backtest
    from spreadlake.research.backtests.screen import ScreenBacktest

    Result = Backtest | ScreenBacktest

_TABLES = ("grid", "folds", "chosen", "pairs", "screens")
_ROWS = 50_000  # of a frame that are text at a time


def folder_for(output: str | None) -> Path | None:
    """The folder to write to; made where it is not there."""
    if output is None:
        return None
    if output in ("", "-"):
        raise InputError(
            f"-o {output!r} is no folder: name one, or leave it out; --format json writes the "
            "summary to stdout"
        )
    folder = Path(output)
    if not folder.parent.is_dir():
        raise InputError(
            f"cannot write to {folder}: there is no folder {folder.parent}; make it first"
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"cannot write to {folder}: it is a file; name a folder")
    folder.mkdir(exist_ok=True)  # before the work: whether it can be is known
    return folder


def _tables_there(folder: Path) -> set[str]:
    """Those that its summary says are of another back-test; any other `pairs.csv` is somebody's."""
    try:
        summary = json.loads((folder / "summary.json").read_bytes())
    except (OSError, ValueError):
        return set()
    return set(_TABLES) & summary.keys() if isinstance(summary, dict) else set()


def write_folder(result: "Result", folder: Path) -> None:
    """Frames, pictures, and last summary.json: where it is, the others are whole."""
    written = {"trades": result.trades, "equity": result.equity} | result.tables
    for name in _tables_there(folder) - set(written):
        (folder / f"{name}.csv").unlink(missing_ok=True)
    (folder / "summary.json").unlink(missing_ok=True)
    for name, frame in written.items():
        lines_to_file(csv_pieces(frame), folder / f"{name}.csv")
    pictures = _draw(result, folder)
    lines_to_file([as_json(result)], folder / "summary.json")
    files = ", ".join([*(f"{name}.csv" for name in written), *pictures])
    typer.echo(f"wrote {files} and summary.json to {folder}", err=True)


def _draw(result: "Result", folder: Path) -> tuple[str, ...]:
    """The names of the pictures; none where what draws is not there, and that is said."""
    from spreadlake.research.pictures import html, png  # noqa: PLC0415 what draws is slow to import

    page, picture = names = ("backtest.html", "backtest.png")
    for name in names:  # of another back-test
        (folder / name).unlink(missing_ok=True)
    try:
        lines_to_file([html(result.pictured())], folder / page)
        bytes_to_file(png(result.pictured()), folder / picture)
    except ModuleNotFoundError as error:
        typer.echo(
            f"no pictures: {error.name} is not installed; install spreadlake again, with what it "
            "depends on",
            err=True,
        )
        return ()
    return names


def keep_result(lake: Lake, name: str, result: "Backtest") -> None:
    """Keeps the result in the lake, in place of one that has its name."""
    from spreadlake.research.backtests.kept import keep_backtest  # noqa: PLC0415

    keep_backtest(lake, name, result, time.time())
    typer.echo(f"kept {name} for the dashboard Back-test of Grafana", err=True)


def csv_pieces(frame: "pl.DataFrame") -> Iterator[str]:
    """A frame as CSV: times as ISO 8601, numbers that read back to the same bits, no null."""
    text = times_as_text(frame)
    yield text.clear().write_csv()
    for piece in text.iter_slices(_ROWS):
        yield piece.write_csv(include_header=False)


def times_as_text(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Its times as ISO 8601."""
    import polars as pl  # noqa: PLC0415

    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    return frame.with_columns(pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in times)


def as_json(result: "Result") -> str:
    """The summary's numbers, and beside them the settings and what is to be said of it."""
    whole = {**result.summary, "settings": result.settings, "notes": result.notes}
    if result.selection is not None:
        whole["selection"] = result.selection
    whole |= {name: times_as_text(table).to_dicts() for name, table in result.tables.items()}
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def show(result: "Result", form: str, lines: Iterable[str]) -> None:
    """To stdout, as JSON or these lines; with JSON what has to be known of it also to stderr."""
    if form == "json":
        lines_to_stdout([as_json(result)])
        for note in result.notes:
            typer.echo(f"note: {note}", err=True)
        return
    lines_to_stdout(f"{line}\n" for line in lines)


def text_lines(result: "Backtest") -> list[str]:
    """The result at 80 columns, but for tables that need more."""
    lines = []
    if result.folds is not None:
        lines = [*walk_lines(result), "", "All tests together:", ""]
    elif result.grid is not None:
        lines = [*grid_lines(result), ""]
    if result.folds is None and (len(result.trades) or result.grid is None):
        best = ["The best set:", ""] if result.grid is not None else []
        asked = [part for line in _asked(result.settings) for part in wrapped(line)]
        lines += [*best, *asked, ""]
    if len(result.trades):
        lines += number_lines(result)
    for note in result.notes:
        lines += wrapped(f"note: {note}" if len(result.trades) else note)
    return lines


def _asked(s: dict[str, Any]) -> list[str]:
    """The settings, and of which bars the numbers are."""
    with_z = "all" if s["bars_with_zscore"] == s["bars"] else f"{s['bars_with_zscore']:,}"
    return [
        f"{s['pair']}  {s['timeframe']} bars, window {s['window']}, lookback {s['lookback']}, "
        f"{s['prices']} prices",
        f"{s['first_bar']} to {s['last_bar']}",
        f"{count(s['bars'], 'bar')}, {with_z} with a z-score",
        *rule_lines(s),
    ]


def rule_lines(s: dict[str, Any]) -> list[str]:
    """The settings of the rules and the costs."""
    rules = [f"entry at |z| {s['entry']:g}", f"exit at {s['exit']:g}"]
    rules += [f"stop at {s['stop']:g}"] if s["stop"] is not None else []
    rules += [f"after {count(s['max_bars'], 'bar')}"] if s["max_bars"] is not None else []
    gates = [
        f"{name} {word} {s[key]:g}"
        for key, name, word in (
            ("min_correlation", "correlation", "from"),
            ("max_adf_pvalue", "ADF p-value", "up to"),
        )
        if s[key] is not None
    ]
    costs = f"{s['fee_bps']:g} + {s['slippage_bps']:g} bps a fill, {s['notional']:,g} of A a trade"
    return [
        ", ".join(rules),
        *([f"entry only with {' and '.join(gates)}"] if gates else []),
        f"{costs}, {'with' if s['funding'] else 'without'} funding",
    ]


def number_lines(result: "Result") -> list[str]:
    """The summary, a number a line."""
    m, s = result.summary, result.settings
    reasons = Counter(result.trades["reason"].to_list())
    ends = ", ".join(f"{reason} {times:,}" for reason, times in reasons.most_common())
    percent = m["net_on_notional"] * 100
    rows = [
        ("trades", f"{m['trades']:,}", f"closed by: {ends}"),
        ("gross", fixed(m["gross"]), ""),
        ("fees", fixed(-m["fees"]), f"of {m['turnover']:,.0f} traded"),
        ("funding", fixed(m["funding"]), "" if s["funding"] else "not asked for"),
        ("net", fixed(m["net"]), f"{percent:+,.2f} % of the notional"),
        ("break-even", fixed(m["break_even_bps"]), "bps a fill at which net would be 0"),
        ("hit rate", _share(m["hit_rate"]), "of the trades earned something, net"),
        ("profit factor", fixed(m["profit_factor"]), "earned by these over lost by the others"),
        ("bars held", fixed(m["mean_bars_held"], 1), f"at most {m['longest_bars_held']:,}"),
        ("in the market", _share(m["time_in_market"]), "of the bars"),
        ("drawdown", fixed(-m["max_drawdown"]), "the largest, from a high of equity"),
        ("Sharpe", fixed(m["sharpe"]), "a year, of changes per bar"),
    ]
    return [f"{name:<14}{value:>14}  {text}".rstrip() for name, value, text in rows]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.1f} %"
