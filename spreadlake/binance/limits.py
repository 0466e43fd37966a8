"""What Binance limits, and how long it asks clients to wait, by what it answers with. Pure.

Source: Binance open platform, USDⓈ-M futures, "General info", limits.
"""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from spreadlake.binance.errors import BANNED, TOO_MANY_REQUESTS, Code, error_code
from spreadlake.venue import Headers, Refusal

WEIGHT_PER_MINUTE = 2400
USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"
RETRY_AFTER = "Retry-After"

_BANNED_UNTIL = "IP banned until {}"
# As in "Way too many requests; IP banned until 1700000000000. Please use the websocket …".
_UNTIL = re.compile(_BANNED_UNTIL.format(r"(\d{13})\b").encode())
# No ban of Binance lasts longer; what says so is not understood rather than obeyed for years.
_LONGEST = 3 * 86_400.0
# Used where the exchange limits us without saying for how long.
_UNSAID = 60.0


def used_weight(headers: Headers) -> int | None:
    """What is used of this minute's weight by this address; None where the answer does not say."""
    used = headers.get(USED_WEIGHT, "")
    return int(used) if used.isascii() and used.isdecimal() else None


def refusal(status: int, headers: Headers, body: bytes, now_ms: int) -> Refusal:
    """What an answer other than HTTP 200 means."""
    if status in (BANNED, TOO_MANY_REQUESTS):
        seconds = seconds_to_wait(headers, body, now_ms)
        return Refusal(wait=_UNSAID if seconds is None else seconds)
    # Other refusals (a proxy, a firewall, "try again") say nothing of what was asked for.
    code = error_code(body)
    if code == Code.BAD_SYMBOL:
        return Refusal(of="symbol")
    if code == Code.INVALID_SYMBOL_STATUS:
        return Refusal(of="status")
    return Refusal(answered=status == 400 and code is not None)


def seconds_to_wait(headers: Headers, body: bytes, now_ms: int) -> float | None:
    """Seconds by the header Retry-After or by the body, the longer of them; None: neither says.

    The body has the exchange's time (Unix ms), which the header Date is of, too; `now_ms` is the
    local time where there is no such header. Of Retry-After only seconds are read: the exchange
    never sends a date.
    """
    waits = []
    retry_after = headers.get(RETRY_AFTER)
    if retry_after is not None and retry_after.isascii() and retry_after.isdecimal():
        waits.append(float(retry_after))
    until = _UNTIL.search(body)
    there_ms = _at_the_exchange(headers.get("Date"), now_ms)
    if until and (seconds := (int(until[1]) - there_ms) / 1000) > 0:
        waits.append(seconds)
    return min(max(waits), _LONGEST) if waits else None


def banned_until(until_ms: int) -> str:
    """How the exchange says so."""
    return _BANNED_UNTIL.format(until_ms)


def _at_the_exchange(date: str | None, now_ms: int) -> int:
    try:
        there = parsedate_to_datetime(date or "")
    except ValueError:
        return now_ms
    return int(there.replace(tzinfo=there.tzinfo or UTC).timestamp() * 1000)
