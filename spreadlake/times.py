"""Times as the lake keeps them, and times as people write them. No clock is read here.

Trade times are integer milliseconds, bar times integer seconds, both Unix time in UTC.
"""

import re
from datetime import UTC, datetime

from spreadlake.errors import InputError

MOST_BARS = 100_000
"""The longest window or lookback, in bars."""

LEAST_SCREENED_BARS = 30
"""Bars below which the distributions of a screen's tests say nothing."""

_TIMEFRAME = re.compile(r"([1-9][0-9]{0,8})([smh])")  # of more digits there is no lake
_SPAN = re.compile(r"([1-9][0-9]{0,8})([smhdw]?)")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SECONDS = (100_000_000, 10_000_000_000)  # 1973 to 2286; read as ms the same digits are 1970
_MILLISECONDS = (100_000_000_000, 10_000_000_000_000)  # 1973 to 2286


def timeframe_seconds(timeframe: str) -> int:
    """Length of a bar in seconds: "1s" → 1, "5m" → 300, "1h" → 3600.

    Raises ValueError for anything but a whole number followed by s, m or h.
    """
    match = _TIMEFRAME.fullmatch(timeframe)
    if match is None:
        raise ValueError(f"timeframe {timeframe!r} is not a whole number of s, m or h, such as 1m")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def length_of(text: str, name: str | None = None) -> int:
    """The same of what a person gave as `name`, or as a timeframe: InputError for what is none."""
    if not isinstance(text, str):  # of whoever calls from Python
        raise InputError(f"{name or 'timeframe'} {text!r} is not a text such as '1m'")
    try:
        return timeframe_seconds(text)
    except ValueError as error:
        raise InputError(f"{name}: {error}" if name else str(error)) from None


def bars_of_span(text: str, length: int) -> int:
    """How many bars of `length` seconds a span of time has: "30d", "12h", "90m", or "500" of them.

    Raises InputError for anything else, and for a time that is no whole number of bars.
    """
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise InputError(
            f"{text!r} is no span of time; write a whole number of s, m, h, d or w, such as 30d or "
            "12h, or of bars, such as 500"
        )
    bars, rest = int(match[1]), 0
    if match[2]:
        bars, rest = divmod(bars * _UNIT_SECONDS[match[2]], length)
    if rest or not bars:
        raise InputError(f"{text} is no whole number of bars, which are {length} s long each")
    return bars


def timeframe_of(seconds: int) -> str:
    """The inverse of `timeframe_seconds`, in the largest unit: 3600 → "1h", 90 → "90s"."""
    unit = next(unit for unit in "hms" if seconds % _UNIT_SECONDS[unit] == 0)
    return f"{seconds // _UNIT_SECONDS[unit]}{unit}"


def iso_utc(seconds: float) -> str:
    """ISO 8601 in UTC; fractions of a second only where there are some."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat()
    return text.replace("+00:00", "Z")


def parse_time(text: str) -> float:
    """Unix seconds of a time that a person typed.

    Understood: ISO 8601 with `Z` or an offset, with or without fractions of a second, a plain
    date (midnight UTC), and epoch seconds or milliseconds. Refused with InputError, because it
    could mean two instants: a time of day without a zone, and a number that is plausible
    neither as seconds nor as milliseconds.
    """
    stripped = text.strip()
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", stripped):
        return _epoch(stripped)
    try:
        moment = datetime.fromisoformat(stripped.upper())  # t and z are as good as T and Z
    except ValueError:
        raise InputError(
            f"time {text!r} is not understood; write 2024-08-09T00:00:00Z, 2024-08-09, "
            "or epoch seconds or milliseconds"
        ) from None
    if moment.tzinfo is None:
        if len(stripped) > len("2024-08-09"):
            raise InputError(f"time {text!r} has no zone; add Z for UTC, or an offset like +02:00")
        moment = moment.replace(tzinfo=UTC)
    return seconds_in_utc(moment, f"time {text!r}")


def seconds_in_utc(moment: datetime, told: str) -> float:
    """Unix seconds of a time with a zone; InputError, where UTC has no such year, with `told`."""
    try:
        return moment.astimezone(UTC).timestamp()
    except OverflowError:
        raise InputError(f"{told} is of no year from 1 to 9999 in UTC") from None


def _epoch(digits: str) -> float:
    value = float(digits)
    if _SECONDS[0] <= value < _SECONDS[1]:
        return value
    if _MILLISECONDS[0] <= value < _MILLISECONDS[1]:
        return value / 1000
    raise InputError(
        f"time {digits!r} is neither epoch seconds (10 digits) nor milliseconds (13 digits) "
        "of this age; write it as 2024-08-09T00:00:00Z"
    )
