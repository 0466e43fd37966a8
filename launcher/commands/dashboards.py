"""`spreadlake dashboards`: Grafana and Prometheus over a lake as it is, finished or growing."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from launcher.commands.options import ConfigOption, DataOption, DurationOption
from launcher.supervisor.specs import LOOPBACK, Launcher
from spreadlake.called import command_name
from spreadlake.config import Settings, find_config, load_settings
from spreadlake.lake import Lake, writer_lock
from spreadlake.ports import check_listen, free_port, is_listening
from spreadlake.status import BarSpan, bar_span, report_on, require_lake
from spreadlake.times import iso_utc

if TYPE_CHECKING:
    from launcher.dashboards import Observability
    from launcher.supervisor.child import ChildSpec

_DEFAULT_RANGE = 900  # seconds that a dashboard shows when it is opened
_SHOWN_BARS = 3600
_EXECUTE_ALERTS = "GF_UNIFIED_ALERTING_EXECUTE_ALERTS"


def dashboards(
    data: DataOption = Path("data"), config: ConfigOption = None, duration: DurationOption = None
) -> None:
    """Show a lake in Grafana as it is.

    Nothing is captured and no table of the lake is written: for a replay, an import, an old lake,
    or one that runs without --grafana.
    """
    lake, path = Lake(data), find_config(config)
    require_lake(lake)
    settings = load_settings(path)
    with writer_lock(lake, "grafana"):
        _show(lake, path, settings, duration)


def _show(lake: Lake, path: Path | None, settings: Settings, duration: float | None) -> None:
    from launcher.dashboards import plan_observability  # noqa: PLC0415 seldom wanted
    from launcher.supervisor.pipeline import PipelineRun, run_pipeline  # noqa: PLC0415 slow: rich

    port = _metrics_port(settings.exporter.port)
    watch = plan_observability(lake, f"{LOOPBACK}:{port}")
    alerting = _EXECUTE_ALERTS in os.environ or _is_running(lake)
    span = bar_span(lake)
    url = home_url(watch.grafana_url, span, time.time())
    variables = {"SPREADLAKE_EXPORTER__HOST": LOOPBACK, "SPREADLAKE_EXPORTER__PORT": str(port)}
    launcher = Launcher(lake, path, variables)
    called = settings.exporter.command or command_name()
    exporter = launcher.exporter(settings.exporter.dashboards or watch.grafana_url, called)
    specs = [exporter, *_watching(watch.specs, alerting=alerting)]
    facts = [f"{url}   (admin: {watch.password_file})"]
    pipeline = PipelineRun("spreadlake dashboards", lake, settings, specs, facts)
    typer.echo(_text(lake, span, url, watch, alerting=alerting))
    try:
        typer.echo(run_pipeline(pipeline, duration))
    finally:
        launcher.forget(["exporter"])


def home_url(grafana_url: str, span: BarSpan | None, now: float) -> str:
    """The address of the pair dashboard; with the newest bars' time range if they are old."""
    url = f"{grafana_url}/d/spreadlake-pair"
    if span is None or span.end >= now - _DEFAULT_RANGE:
        return url
    start = max(span.first, span.end - _SHOWN_BARS * span.length)
    return f"{url}?from={start * 1000}&to={span.end * 1000}"


def _metrics_port(wanted: int) -> int:
    """The configured port, or a free one where an exporter of a running pipeline has it."""
    if wanted == 0 or is_listening(LOOPBACK, wanted):
        return free_port(LOOPBACK)
    check_listen(LOOPBACK, wanted)
    return wanted


def _is_running(lake: Lake) -> bool:
    report = report_on(lake, time.time(), sizes=False)
    return any(service.state == "running" for service in report.services)


def _watching(specs: Sequence["ChildSpec"], *, alerting: bool) -> list["ChildSpec"]:
    """The specs; of a lake that nobody feeds, Grafana then sends no alarm that nobody does."""
    if alerting:
        return list(specs)
    off = {_EXECUTE_ALERTS: "false"}
    return [
        replace(spec, environment={**spec.environment, **off}) if spec.name == "grafana" else spec
        for spec in specs
    ]


def _text(
    lake: Lake, span: BarSpan | None, url: str, watch: "Observability", *, alerting: bool
) -> str:
    bars = "no bars yet"
    if span is not None:
        bars = f"bars from {iso_utc(span.first)} to {iso_utc(span.end)}"
    lines = [
        "spreadlake dashboards; Ctrl-C stops them",
        f"  lake     {lake.root}: {bars}",
        f"  grafana  {url}",
        f"  admin    the password is in {watch.password_file}",
    ]
    if not alerting:
        lines.append("  alerts   off, because no service runs on this lake")
    return "\n".join(lines)
