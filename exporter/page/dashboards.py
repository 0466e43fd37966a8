"""The way from the page to Grafana's dashboards, each with what is chosen on the page. Pure."""

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from spreadlake.times import length_of

if TYPE_CHECKING:
    from spreadlake.research.pair_view import ViewRequest

Link = tuple[str, str]  # a title, and an address

PAIR, SCREEN, BACKTEST = "spreadlake-pair", "spreadlake-screen", "spreadlake-backtest"


def dashboards_of_view(request: "ViewRequest", grafana: str) -> list[Link]:
    """Titles and addresses; `grafana` is where a browser finds it, without a slash at its end."""
    key = request.key
    series = {
        "var-symbol_a": key.legs.a,
        "var-symbol_b": key.legs.b,
        "var-timeframe": key.timeframe,
        "var-window": key.window,
        "var-lookback": key.lookback,
        "var-threshold": f"{request.threshold:.12g}",
    }
    if request.prices is not None:
        series["var-prices"] = request.prices
    return [
        ("Pair", f"{grafana}/d/{PAIR}?{urlencode(series | _times(request))}"),
        ("Screen of pairs", f"{grafana}/d/{SCREEN}?{urlencode(_times(request))}"),
        ("Back-tests of it", f"{grafana}/d/{BACKTEST}?{urlencode({'var-pair': key.pair})}"),
    ]


def _times(request: "ViewRequest") -> dict[str, object]:
    if request.start is not None and request.end is not None:
        return {"from": round(request.start * 1000), "to": round(request.end * 1000)}
    return {"from": f"now-{request.bars * length_of(request.key.timeframe)}s", "to": "now"}
