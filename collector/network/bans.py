"""How long the exchange asks us to wait, by what it answers with. Pure."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

# As in "Way too many requests; IP banned until 1700000000000. Please use the websocket …".
_UNTIL = re.compile(rb"banned until (\d{13})\b")
# No ban of Binance lasts longer; what says so is not understood rather than obeyed for years.
_LONGEST = 3 * 86_400.0


def seconds_to_wait(
    retry_after: str | None, date: str | None, body: bytes, now_ms: int
) -> float | None:
    """Seconds by the header Retry-After or by the body, the longer of them; None: neither says.

    The body has the exchange's time (Unix ms), which the header Date is of, too; `now_ms` is the
    local time where there is no such header. Of Retry-After only seconds are read: the exchange
    never sends a date.
    """
    waits = []
    if retry_after is not None and retry_after.isascii() and retry_after.isdecimal():
        waits.append(float(retry_after))
    until = _UNTIL.search(body)
    if until and (seconds := (int(until[1]) - _at_the_exchange(date, now_ms)) / 1000) > 0:
        waits.append(seconds)
    return min(max(waits), _LONGEST) if waits else None


def _at_the_exchange(date: str | None, now_ms: int) -> int:
    try:
        there = parsedate_to_datetime(date or "")
    except ValueError:
        return now_ms
    return int(there.replace(tzinfo=there.tzinfo or UTC).timestamp() * 1000)
