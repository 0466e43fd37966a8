"""What the page asks for in an address: checked, and refused with a sentence. Pure."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from spreadlake.errors import InputError
from spreadlake.pairs import parse_pair
from spreadlake.series import Prices, SeriesKey
from spreadlake.times import MOST_BARS, bars_of_span, iso_utc, length_of, parse_time

if TYPE_CHECKING:
    from spreadlake.research.pair_view import ViewRequest

_SERIES = ("a", "b", "timeframe", "window", "lookback", "prices", "threshold")
_SPAN = ("range", "from", "to")
OF_SERIES = (*_SERIES, *_SPAN, "points", "step", "since", "newest")
OF_EXPORT = (*_SERIES, *_SPAN)

_PRICES: dict[str, Prices] = {"raw": "raw", "log": "log"}
_MOST_FIELDS = 40
_MOST_LETTERS = 100  # of a value that can be right
_MOST_POINTS = 2_000
_MOST_THRESHOLD = 100
_LATEST = 2**33  # s, in 2242
_DIGITS = re.compile(r"[0-9]{1,12}")
_NUMBER = re.compile(r"[0-9.eE+-]{1,30}")  # and no other of what float() takes, such as 1_0


def parse_query(query: str, known: Sequence[str]) -> dict[str, str]:
    """The parameters that are given; InputError for one that is not `known`, or given twice."""
    found: dict[str, str] = {}
    for name, value in _fields(query):
        if name not in known:
            told = f"there are {', '.join(known)}" if known else "none is taken here"
            raise InputError(f"there is no parameter {name[:40]!r}; {told}")
        if name in found:
            raise InputError(f"the parameter {name} is given twice")
        found[name] = _short(value.strip())
    return {name: value for name, value in found.items() if value}


def _short(value: str) -> str:
    """What is too long to be right is cut, as no right value is: a sentence repeats it."""
    return value if len(value) <= _MOST_LETTERS else f"{value[:40]}…"


def _fields(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise InputError(f"there are more than {_MOST_FIELDS} parameters") from None


def view_request(given: Mapping[str, str]) -> "ViewRequest":
    """The view that is asked for; InputError says which parameter is wrong, and how it may be."""
    from spreadlake.research.pair_view import ViewRequest  # noqa: PLC0415 slow: polars

    timeframe = given.get("timeframe", "1s")
    length = length_of(timeframe)
    pair = parse_pair(f"{_required(given, 'a')}/{_required(given, 'b')}")
    start, end = _times(given)
    return ViewRequest(
        SeriesKey(pair.name, timeframe, _bars(given, "window", 60), _bars(given, "lookback", 300)),
        _threshold(given),
        _prices(given),
        start,
        end,
        _range(given, length),
        _whole(given, "points", 1000, 2, _MOST_POINTS),
        _unless_absent(given, "step", 1, 10**9),
        _unless_absent(given, "since", 0, _LATEST),
        _unless_absent(given, "newest", 0, _LATEST),
    )


def _required(given: Mapping[str, str], name: str) -> str:
    if name not in given:
        raise InputError(f"leg {name.upper()} is missing: name a symbol, e.g. BTCUSDT")
    return given[name]


def _bars(given: Mapping[str, str], name: str, usual: int) -> int:
    return _whole(given, name, usual, 2, MOST_BARS, " of bars")


def _whole(
    given: Mapping[str, str], name: str, usual: int, least: int, most: int, of: str = ""
) -> int:
    text = given.get(name, str(usual))
    if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
        raise InputError(f"{name} {text!r} is not a whole number{of} from {least:,} to {most:,}")
    return int(text)


def _threshold(given: Mapping[str, str]) -> float:
    text = given.get("threshold", "2")
    try:
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
    except ValueError:
        value = math.nan
    if not 0 < value <= _MOST_THRESHOLD:
        raise InputError(
            f"threshold {text!r} is not a number above 0, such as 2 or 2.5 "
            f"(and {_MOST_THRESHOLD} at most)"
        )
    return value


def _prices(given: Mapping[str, str]) -> Prices | None:
    text = given.get("prices")
    if text is not None and text not in _PRICES:
        raise InputError(f"prices {text!r}: they are raw or log")
    return None if text is None else _PRICES[text]


def _times(given: Mapping[str, str]) -> tuple[float | None, float | None]:
    start = None if "from" not in given else parse_time(given["from"])
    end = None if "to" not in given else parse_time(given["to"])
    if start is not None and end is not None and end <= start:
        raise InputError(
            f"to ({iso_utc(end)}) is not after from ({iso_utc(start)}): a view is from one time "
            "to before another"
        )
    return start, end


def _range(given: Mapping[str, str], length: int) -> int:
    try:
        return bars_of_span(given.get("range", "900"), length)
    except InputError as error:
        raise InputError(f"range: {error}") from None


def _unless_absent(given: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    return _whole(given, name, least, least, most) if name in given else None
