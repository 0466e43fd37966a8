"""Addresses of views of the exporter's page. Pure."""

from urllib.parse import urlencode

from spreadlake.series import Prices, SeriesKey
from spreadlake.times import iso_utc, timeframe_seconds

_BEFORE, _AFTER = 600, 300  # bars beside the one that is looked at


def pair_page(page: str, key: SeriesKey, time: int, threshold: float, prices: Prices) -> str:
    """Where a browser sees a pair at the bar `time` (s), and what was before and after it.

    `page` is the address of the page itself, without a slash at its end.
    """
    length = timeframe_seconds(key.timeframe)
    view = {
        "a": key.legs.a,
        "b": key.legs.b,
        "timeframe": key.timeframe,
        "window": key.window,
        "lookback": key.lookback,
        "threshold": f"{threshold:g}",
        "prices": prices,
        "from": iso_utc(max(0, time - _BEFORE * length)),
        "to": iso_utc(time + _AFTER * length),
    }
    return f"{page}/?{urlencode(view, safe=':')}"
