"""What a user is told at the start: where things are, and what to type next."""

import shlex
from typing import TYPE_CHECKING

from spreadlake.called import command_name
from spreadlake.config import Settings
from spreadlake.lake import Lake

if TYPE_CHECKING:
    from launcher.dashboards import Observability


def hints(
    title: str, lake: Lake, settings: Settings, url: str, watch: "Observability | None" = None
) -> str:
    """Lines that name the page, the lake, the metrics, and the commands that look at them.

    `url` is the address of the metrics; the page is beside them.
    """
    lines = [
        f"{title}; Ctrl-C stops it",
        f"  charts   {page_beside(url)}",
        f"  lake     {lake.root}",
        f"  metrics  {url}",
        *(f"  {command}" for command in commands(lake, settings)),
    ]
    if watch is not None:
        lines.append(f"  grafana  {watch.grafana_url}   (admin: {watch.password_file})")
    return "\n".join(lines)


def page_beside(metrics_url: str) -> str:
    """The address of the exporter's page."""
    return metrics_url.removesuffix("metrics")


def commands(lake: Lake, settings: Settings) -> list[str]:
    """What can be typed to look at the lake, now and when all is over."""
    command, data = command_name(), shlex.quote(str(lake.root))
    lines = [f"status   {command} status --data {data}"]
    if settings.symbols == "all":
        lines.append(f"symbols  {command} symbols --data {data}")
    if settings.pairs == "screen":
        lines.append(f"pairs    {command} pairs --data {data}")
    if (s := settings.first_series) is not None:
        series = f"--pair {s.pair} --timeframe {s.timeframe} --window {s.window}"
        lines.append(f"csv      {command} csv --data {data} {series}")
    return lines
