"""Frames that are read when they are collected, and of which no more is read than is asked for."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import polars as pl
from polars.io.plugins import register_io_source

from spreadlake.research.frames.predicates import time_bounds
from spreadlake.schemas import UTC_TIME


class Asked(NamedTuple):
    """What of a frame is to be read: its columns, and which rows may be asked for.

    Rows are those with `low` <= time < `high` (Unix µs), and that `predicate` may hold for; rows
    beyond may be given as well, and are left out then.
    """

    columns: frozenset[str]
    low: int
    high: int
    predicate: pl.Expr | None = None

    def seconds(self, start: int, end: int) -> tuple[int, int]:
        """[start, end) of whole seconds, cut to those in which rows may be asked for."""
        return max(start, -(-self.low // 1_000_000)), min(end, -(-self.high // 1_000_000))


Read = Callable[[Asked], Iterator[pl.DataFrame]]


def lazy_frame(schema: pl.Schema, read: Read) -> pl.LazyFrame:
    """A frame of the columns of `schema`, `time` among them, in the pieces that `read` gives.

    A piece has the columns that are asked for, and may have more. Each collecting reads anew.
    """

    def source(
        with_columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,  # noqa: ARG001 pieces are as large as they are stored
    ) -> Iterator[pl.DataFrame]:
        wanted = [name for name in schema if with_columns is None or name in with_columns]
        needed = {*wanted, *(predicate.meta.root_names() if predicate is not None else ())}
        # The first rows are counted before the condition holds: no other may be left out then.
        known = predicate if n_rows is None else None
        asked = Asked(frozenset(needed), *time_bounds(known), known)
        left = n_rows
        yield schema.to_frame().select(wanted)
        for piece in read(asked):
            if left is not None:
                piece = piece.head(left)  # noqa: PLW2901
                left -= piece.height
            met = piece if predicate is None else piece.filter(predicate)
            yield met.select(wanted)
            if left == 0:
                return

    return register_io_source(source, schema=schema, is_pure=True)


def with_datetimes(frame: pl.DataFrame, unit: str = "s", column: str = "time") -> pl.DataFrame:
    """The frame with Unix `unit` in `column` as UTC datetimes."""
    factor = {"s": 1_000_000, "ms": 1_000}[unit]
    return frame.with_columns((pl.col(column) * factor).cast(UTC_TIME))
