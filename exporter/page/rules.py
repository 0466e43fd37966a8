"""What the page says of rules: whether one can watch what is shown, and the line that sets it.

The page only reads: who is to be alerted at the threshold of a chart pastes that line.
"""

from typing import TYPE_CHECKING, Any

from exporter.page.dashboards import dashboards_of_view
from exporter.page.parameters import OF_EXPORT, parse_query, view_request
from spreadlake.lake import Lake
from spreadlake.lake.analytics.definition import lake_prices
from spreadlake.lake.analytics.events import watching_rules
from spreadlake.status import snapshot
from spreadlake.status.watchable import command_to_set, watchable

if TYPE_CHECKING:
    from spreadlake.research.pair_view import ViewRequest


def beside_view(
    lake: Lake, query: str, program: str = "spreadlake", grafana: str | None = None
) -> dict[str, Any]:
    """What stands beside a view: its rules, and links to the dashboards; InputError as of a view.

    `commands` are lines to paste, none for a rule that has this threshold already, or `refused`
    says why there is none. `program` is how spreadlake
    is called where commands are run, and `grafana` its address, where it is known.
    """
    request = view_request(parse_query(query, OF_EXPORT))
    links = dashboards_of_view(request, grafana.rstrip("/")) if grafana else []
    return _rule(lake, request, program) | {"dashboards": links}


def _rule(lake: Lake, request: "ViewRequest", program: str) -> dict[str, Any]:
    key = request.key
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return {"refused": "no pair is analysed yet", "commands": []}
        kept = lake_prices(db) or "raw"
        if request.prices not in (None, kept):
            told = f"rules watch what the lake keeps, which is on {kept} prices"
            return {"refused": told, "commands": []}
        can = watchable(db, key.legs, key.timeframe, key.window, key.lookback)
        set_already = {
            one.rule for one in watching_rules(db, key) if one.threshold == request.threshold
        }
    if can.refused:
        return {"refused": can.refused, "commands": []}
    series = (key.timeframe, key.window, key.lookback)
    lines = command_to_set(key.legs, series, request.threshold, can, lake.root, program)
    if can.rules:
        named = zip(can.rules, lines, strict=True)
        lines = [line for rule, line in named if rule not in set_already]
    return {"refused": "", "commands": lines}
