"""What a picture of a back-test shows, whoever draws it: lines, marks and a distribution. Pure.

Every number is of the frames; what is drawn of them is bounded, so that a year of bars is no larger
a page than a day.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spreadlake.quant.arrays import Floats
from spreadlake.research.pictures.style import MARKS_TOLD
from spreadlake.research.pictures.thin import envelope

LINE_POINTS = 4_000
"""The most points of one line."""
MARK_POINTS = 1_000
"""The most marks of one kind, of entries or exits."""
_MOST_BARS = 60  # of the distribution

REASONS = ("exit", "stop", "time", "end")
SIDES = ("long", "short")


Levels = Mapping[str, tuple[float, ...]]


class Pictured(NamedTuple):
    """A result to draw: its name, the frames, numbers and settings of a back-test.

    Of the settings `entry`, `exit` and `stop` are drawn as thresholds, and all are told but those
    that have no value; `notes` are what a reader of the numbers has to know, `tables` what stands
    on its page below the summary, by name.
    """

    title: str
    trades: pl.DataFrame
    equity: pl.DataFrame
    summary: Mapping[str, float | None]
    settings: Mapping[str, object]
    notes: Sequence[str] = ()
    tables: Mapping[str, pl.DataFrame] = {}


class Line(NamedTuple):
    """A line over time: UTC datetimes and values, NaN where it has a gap."""

    times: pl.Series
    values: Floats


class Marks(NamedTuple):
    """Entries or exits of one side and (of exits) reason, at the z-score that decided them.

    `told` says of each what it was, in words.
    """

    side: str
    reason: str | None
    times: pl.Series
    values: Floats
    told: list[str]

    @property
    def name(self) -> str:
        """As the legend has it: entries by their side, exits by their reason."""
        return MARKS_TOLD[self.reason] + (f" {self.side}" if self.reason is None else "")


class Distribution(NamedTuple):
    """How many trades earned between each two edges; 0 is an edge wherever it lies between them."""

    edges: Floats
    counts: Floats
    mean: float


@dataclass(frozen=True)
class Drawing:
    """Everything that is drawn; the drawdown downwards.

    `costs` are sums over the trades that have ended, by name; `thresholds` levels of the z-score
    by name. Without a trade there are neither marks nor costs nor a distribution; what was traded
    on many pairs has no one z-score, and no marks on it.
    """

    equity: Line
    drawdown: Line
    zscore: Line | None
    thresholds: Levels
    marks: list[Marks]
    costs: dict[str, Line]
    distribution: Distribution | None

    @property
    def crowd(self) -> float:
        """How large marks are drawn, 1 where there are few: thousands would hide each other."""
        marks = sum(len(one.told) for one in self.marks)
        return float(np.clip(200 / max(1, marks), 0.02, 1.0) ** 0.25)


def drawing_of(run: Pictured) -> Drawing:
    """What is drawn of a result."""
    trades, equity = run.trades, run.equity
    single = "zscore" in equity.columns and len(equity) > 0
    return Drawing(
        _line(equity, "equity"),
        _line(equity, "drawdown", -1.0),
        _line(equity, "zscore") if single else None,
        _thresholds(run.settings),
        list(_marks(trades, equity)) if single else [],
        _costs(trades, equity),
        _distribution(trades["net"].drop_nulls().to_numpy()) if len(trades) else None,
    )


def naive(times: pl.Series) -> NDArray[np.datetime64]:
    """UTC datetimes as numpy has them, without a zone."""
    return times.dt.replace_time_zone(None).to_numpy()


def _line(frame: pl.DataFrame, column: str, sign: float = 1.0) -> Line:
    """At the close of each bar, when it was known."""
    return _thinned(frame["close_time"], sign * _floats(frame[column]))


def _thinned(times: pl.Series, values: Floats) -> Line:
    kept = envelope(values, LINE_POINTS)
    return Line(times.gather(pl.Series(kept, dtype=pl.Int64)), values[kept])


def _floats(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _thresholds(settings: Mapping[str, object]) -> Levels:
    """Entries and stops on both sides; where a short exits and where a long does."""
    found: dict[str, tuple[float, ...]] = {}
    for name in ("entry", "exit", "stop"):
        level = settings.get(name)
        if isinstance(level, int | float):
            found[name] = (float(level),) if level == 0 else (float(level), -float(level))
    return found


def _marks(trades: pl.DataFrame, equity: pl.DataFrame) -> Iterator[Marks]:
    if not len(trades):
        return
    length = equity.select((pl.col("close_time") - pl.col("time")).first()).item()
    known = equity.select(pl.col("close_time").alias("at"), "zscore").drop_nulls()
    told = _told(trades)
    kinds: tuple[tuple[str, str, tuple[str | None, ...]], ...] = (
        ("signal_time", "entry_zscore", (None,)),
        ("exit_signal_time", "exit_zscore", REASONS),
    )
    for time, zscore, reasons in kinds:
        at = pl.coalesce(pl.col(time) + length, "exit_time").alias("at")
        # A close that the clock decided may have no z-score: it is drawn at the one before.
        placed = (
            trades.select("side", "reason", at, pl.col(zscore).alias("z"), told.alias("told"))
            .sort("at", maintain_order=True)
            .join_asof(known, on="at")
            .with_columns(pl.coalesce("z", "zscore", 0.0))
        )
        for side in SIDES:
            for reason in reasons:
                chosen = pl.col("side") == side
                if reason is not None:
                    chosen &= pl.col("reason") == reason
                rows = placed.filter(chosen)
                if len(rows):
                    yield _kind(side, reason, rows)


def _kind(side: str, reason: str | None, rows: pl.DataFrame) -> Marks:
    values = _floats(rows["z"])
    kept = envelope(values, MARK_POINTS)
    at = pl.Series(kept, dtype=pl.Int64)
    return Marks(
        side, reason, rows["at"].gather(at), values[kept], rows["told"].gather(at).to_list()
    )


def _told(trades: pl.DataFrame) -> pl.Series:
    """What each trade was, in one line."""
    return trades.select(
        pl.format(
            "trade {}: {}, {} bars, net {}",
            pl.col("trade").cast(pl.String),
            "side",
            pl.col("bars_held").cast(pl.String),
            pl.col("net").round(2).cast(pl.String),
        )
    ).to_series()


def _costs(trades: pl.DataFrame, equity: pl.DataFrame) -> dict[str, Line]:
    """Sums of what has ended, from 0 at the first bar; `gross` less the rest is `net`."""
    if not len(trades):
        return {}
    ended = trades.sort("exit_time", maintain_order=True)
    times = pl.concat([equity["time"].head(1), ended["exit_time"], equity["close_time"].tail(1)])
    lines = {}
    for name, sign in (("gross", 1.0), ("fees", -1.0), ("funding", 1.0), ("net", 1.0)):
        sums = sign * np.cumsum(_floats(ended[name]))
        lines[name] = _thinned(times, np.concatenate([[0.0], sums, sums[-1:]]))
    return lines


def _distribution(net: Floats) -> Distribution:
    bars = int(np.clip(2 * np.sqrt(len(net)), 10, _MOST_BARS))
    low, high = min(float(net.min()), 0.0), max(float(net.max()), 0.0)
    width = (high - low) / bars or 1.0
    first, last = int(np.floor(low / width)), int(np.floor(high / width)) + 1
    edges: Floats = np.arange(first, last + 1, dtype=np.float64) * width
    counts, _ = np.histogram(net, edges)
    return Distribution(edges, counts.astype(np.float64), float(net.mean()))
