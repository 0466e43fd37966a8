"""Numbers, ages and sizes as people read them. Pure."""

import math
from collections.abc import Sequence

from spreadlake.work import Work

_UNITS = (("y", 31_557_600), ("d", 86_400), ("h", 3_600), ("min", 60))


def number(value: float | None, digits: int = 6) -> str:
    """About `digits` significant digits, thousands apart; 2 decimals at least."""
    if value is None or not math.isfinite(value):
        return "–"
    if 0 < abs(value) < 1e-6:
        return f"{value:.{digits - 1}e}"
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else -_leading_zeros(value)
    return f"{value:,.{max(digits - whole, 2)}f}"


def count(things: int, name: str, names: str | None = None) -> str:
    """`1 open alert`, `2 open alerts`; `names` where more than one are not written with an s."""
    return f"{things:,} {name if things == 1 else names or f'{name}s'}"


def listed(names: Sequence[str], most: int = 8) -> str:
    """`A, B, C`; of many the first, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def fixed(value: float | None, decimals: int = 2) -> str:
    """So many decimals, thousands apart; no zero has a sign."""
    return "–" if value is None else f"{value + 0.0:,.{decimals}f}"


def signed(value: float | None, decimals: int = 2) -> str:
    """With its sign, as a z-score is read."""
    return "–" if value is None else f"{value:+.{decimals}f}"


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min`, `2 h 5 min`, `1 y 40 d`: at most two units."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    parts: list[str] = []
    rest = int(seconds)
    for unit, length in _UNITS:
        if rest >= length or parts:
            parts.append(f"{rest // length} {unit}" if rest >= length else "")
            rest %= length
    return " ".join(part for part in parts[:2] if part)


def age(now: float, then: float | None) -> str:
    """How long ago `then` was; "never" where it was not, and "now" where clocks disagree."""
    if then is None:
        return "never"
    return f"{duration(now - then)} ago" if now >= then else f"{duration(then - now)} ahead"


def words_of_work(work: Work) -> str:
    """A stage, how much is left of it, and where it is."""
    left = "" if work.left is None else f": {_amount(work.left, work.unit)} to go"
    return f"{work.stage}{left}{f' ({work.detail})' if work.detail else ''}"


def _amount(left: float, unit: str) -> str:
    return f"{left:,.1f} hours of trades" if unit == "hour" else count(round(left), unit)


def size(count: int) -> str:
    """Bytes as `512 B`, `3.4 MB`, `1.2 GB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _leading_zeros(value: float) -> int:
    return 0 if value == 0 else max(0, -math.floor(math.log10(abs(value))) - 1)
