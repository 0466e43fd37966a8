"""What the page says of rules: whether one can watch what is shown, and the line that sets it.

The page only reads: who is to be alerted at the threshold of a chart pastes that line.
"""

from typing import Any

from exporter.page.parameters import OF_EXPORT, parse_query, view_request
from spreadlake.lake import Lake
from spreadlake.lake.analytics.definition import lake_prices
from spreadlake.status import snapshot
from spreadlake.status.watchable import command_to_set, watchable


def rule_of_view(lake: Lake, query: str, program: str) -> dict[str, Any]:
    """`commands` to paste, or why there is none in `refused`; InputError for a wrong value.

    `program` is how spreadlake is called where commands are run.
    """
    request = view_request(parse_query(query, OF_EXPORT))
    key = request.key
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return {"refused": "no pair is analysed yet", "commands": []}
        kept = lake_prices(db) or "raw"
        if request.prices not in (None, kept):
            told = f"rules watch what the lake keeps, which is on {kept} prices"
            return {"refused": told, "commands": []}
        can = watchable(db, key.legs, key.timeframe, key.window, key.lookback)
    if can.refused:
        return {"refused": can.refused, "commands": []}
    series = (key.timeframe, key.window, key.lookback)
    lines = command_to_set(key.legs, series, request.threshold, can, lake.root, program)
    return {"refused": "", "commands": lines}
