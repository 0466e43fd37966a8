"""Long series drawn with few points, and no excursion lost: least, greatest and last. Pure."""

from collections.abc import Sequence

import polars as pl

# What people read off an axis: so many bars, while there are fewer points than that to draw.
_STEPS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 90, 120, 180, 240, 300, 360, 480, 600, 720)


def step_of(bars: int, points: int) -> int:
    """Bars that one point stands for, so that `bars` of them are at most about `points` points."""
    least = -(-bars // points)
    return next((step for step in _STEPS if step >= least), -(-least // 60) * 60)


def envelope(
    rows: pl.DataFrame, columns: Sequence[str], step: int, beyond: tuple[str, float]
) -> pl.DataFrame:
    """A row for each `step` seconds in which there are rows, in order of time.

    rows: `time` (s), ascending, and the columns; null where there is no number. Result: `time`
    (start of the step, a multiple of it), of each column c the last number `c`, `c_min` and
    `c_max` (null where the step has none), `rows`, how many of these have a number in the column
    that `beyond` names (`counted`), and in how many of them it is at least its number, on either
    side of 0 (`beyond`).
    """
    name, threshold = beyond
    steps = (pl.col("time") // step * step).alias("time")
    return rows.group_by(steps, maintain_order=True).agg(
        *(pl.col(one).drop_nulls().last().alias(one) for one in columns),
        *(pl.col(one).min().alias(f"{one}_min") for one in columns),
        *(pl.col(one).max().alias(f"{one}_max") for one in columns),
        pl.len().alias("rows"),
        pl.col(name).count().alias("counted"),
        (pl.col(name).abs() >= threshold).sum().alias("beyond"),
    )
