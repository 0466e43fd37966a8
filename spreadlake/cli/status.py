"""`spreadlake status`: what each service is doing, freshness, gaps, warm-up, open alerts."""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from spreadlake.cli.exporter_probe import probe_exporter
from spreadlake.cli.options import ConfigOption, DataOption
from spreadlake.config import find_config, load_settings
from spreadlake.lake import Lake
from spreadlake.report import LakeReport, report_on

__all__ = ["status"]

_WIDTH_WITHOUT_TERMINAL = 160


def status(
    data: DataOption = Path("data"),
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Tell how a lake and its services are.

    What each service is doing, freshness, gaps, warm-up of every pair, open alerts.
    """
    settings = load_settings(find_config(config))
    lake = Lake(data)
    report = report_on(lake, time.time())
    exporter = probe_exporter(settings.exporter.host, settings.exporter.port, lake)
    report = replace(report, services=[*report.services, exporter])
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=1, allow_nan=False))
    else:
        _print(report)


def _print(report: LakeReport) -> None:
    from rich.console import Console  # noqa: PLC0415 slow to import

    from spreadlake.report.text import as_tables  # noqa: PLC0415

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_WITHOUT_TERMINAL)
    console.print(as_tables(report))
