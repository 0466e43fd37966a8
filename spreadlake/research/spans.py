"""Times as they are asked for in Python, and spans of them. Pure."""

import math
from datetime import UTC, date, datetime
from typing import NamedTuple

from spreadlake.errors import InputError
from spreadlake.times import iso_utc, parse_time, seconds_in_utc

Time = str | date | float
"""A text as commands take it (`2026-11-01`, `2026-11-01T12:00:00Z`), a datetime with a zone, a
date (its midnight in UTC), or Unix seconds."""

_LATEST = 10_000_000_000.0  # 2286; milliseconds of this age have three digits more


class Span(NamedTuple):
    """[start, end) in Unix seconds; None where it is open."""

    start: float | None
    end: float | None

    @classmethod
    def of(cls, start: Time | None, end: Time | None) -> "Span":
        """InputError for a time that says no one instant, and where the end is before the start."""
        span = cls(seconds_of(start, "start"), seconds_of(end, "end"))
        if span.start is not None and span.end is not None and span.end < span.start:
            raise InputError(
                f"end {iso_utc(span.end)} is before start {iso_utc(span.start)}; "
                "a span is from start to before end"
            )
        return span

    def whole(self, unit: float = 1.0) -> tuple[int | None, int | None]:
        """The same for times that are whole numbers of a `unit` in seconds, in such units."""
        start, end = (None if time is None else _ceiling(time, unit) for time in self)
        return start, end


def seconds_of(time: Time | None, name: str = "time") -> float | None:
    """Unix seconds; `name` is what the argument is called.

    InputError for a datetime without a zone, for a text that is not understood, and for a number
    that is not Unix seconds of this age.
    """
    if time is None or isinstance(time, str):
        return None if time is None else parse_time(time)
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise InputError(f"{name} {time} has no zone; add one, such as tzinfo=UTC")
        return seconds_in_utc(time, f"{name} {time}")
    if isinstance(time, date):
        return datetime(time.year, time.month, time.day, tzinfo=UTC).timestamp()
    return _number(time, name)


def _number(time: float, name: str) -> float:
    try:
        seconds = math.nan if isinstance(time, bool) else float(time)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds < _LATEST:
        raise InputError(
            f"{name} {time!r} is no time: give a text such as 2026-11-01T12:00:00Z, a datetime "
            "with a zone, or Unix seconds (not milliseconds)"
        )
    return seconds


def _ceiling(seconds: float, unit: float) -> int:
    # By way of whole microseconds, which are what a float holds of them.
    return -(-round(seconds * 1e6) // round(unit * 1e6))
