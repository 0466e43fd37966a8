"""`spreadlake status`: what each service is doing, freshness, gaps, warm-up, open alerts."""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from launcher.commands.exporter_probe import probe_exporter
from launcher.commands.options import ConfigOption, DataOption
from spreadlake.config import AcceptedCopy, find_config, watch_config
from spreadlake.errors import ConfigError
from spreadlake.lake import Lake
from spreadlake.status import LakeReport, ServiceReport, report_on, watched

_WIDTH_WITHOUT_TERMINAL = 160


def status(
    data: DataOption = Path("data"),
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Tell how a lake and its services are.

    What each service is doing, freshness, gaps, warm-up of every pair, open alerts.
    """
    lake = Lake(data)
    report = watched(lambda heartbeats: report_on(lake, time.time(), heartbeats=heartbeats))
    report = replace(report, services=[*report.services, _exporter(config, lake)])
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=1, allow_nan=False))
    else:
        _print(report)


def _exporter(config: Path | None, lake: Lake) -> ServiceReport:
    """The exporter by its own answer; a wrong configuration hides its address, not the lake."""
    path = find_config(config)
    try:
        copy = AcceptedCopy(lake.accepted_config("exporter"))
        settings = watch_config(path, copy, restarted=False, alone=True, keep=False).settings
    except ConfigError as error:
        reason = "; ".join(str(error).splitlines())
        return ServiceReport("exporter", "unknown", f"its address is not known: {reason}")
    return probe_exporter(settings.exporter.host, settings.exporter.port, lake)


def _print(report: LakeReport) -> None:
    from rich.console import Console  # noqa: PLC0415 slow to import

    from launcher.commands.status_tables import as_tables  # noqa: PLC0415

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)
    console.print(as_tables(report))
