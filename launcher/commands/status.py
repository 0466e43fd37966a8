"""`spreadlake status`: what each service is doing, freshness, gaps, warm-up, open alerts."""

import http.client
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from launcher.commands.options import ConfigOption, DataOption
from launcher.commands.output import new_console
from spreadlake.config import AcceptedCopy, find_config, watch_config
from spreadlake.errors import ConfigError
from spreadlake.lake import Lake
from spreadlake.lake.databases.meta import read_meta
from spreadlake.ports import address, reachable
from spreadlake.status import LakeReport, ServiceReport, look_until_sure, report_on, snapshot


def status(
    data: DataOption = Path("data"),
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Every symbol and pair in the tables, however many.")
    ] = False,
) -> None:
    """Tell how a lake and its services are.

    What each service is doing, freshness, gaps, warm-up of every pair, open alerts.
    """
    lake = Lake(data)
    report = look_until_sure(lambda heartbeats: report_on(lake, time.time(), heartbeats=heartbeats))
    report = replace(report, services=[*report.services, _exporter(config, lake)])
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=1, allow_nan=False))
    else:
        _print(report, every=every)


def _exporter(config: Path | None, lake: Lake) -> ServiceReport:
    """The exporter by its own answer, on the first address of those on record that has one.

    The configuration comes last: it may have been edited since, or be another's.
    """
    silent = []
    for host, port in _on_record(lake):
        report = probe_exporter(host, port, lake)
        if report.state == "running":
            return report
        silent.append(report)
    report = _configured_exporter(config, lake)
    return report if report.state == "running" or not silent else silent[0]


def _on_record(lake: Lake) -> list[tuple[str, int]]:
    """Where the exporter said that it listens, and where its page is by the job's configuration."""
    said = AcceptedCopy(lake.exporter_address).read()
    urls = [None if said is None else said.decode(errors="replace")]
    with snapshot(lake.analytics_db) as db:
        urls += [None if db is None else read_meta(db, "page_url")]
    return list(dict.fromkeys(place for url in urls if (place := _place(url)) is not None))


def _place(url: str | None) -> tuple[str, int] | None:
    """Host and port, where it has both: one without a port is that of a proxy before it."""
    try:
        parts = urlsplit(url or "")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host, port) if host and port else None


def _configured_exporter(config: Path | None, lake: Lake) -> ServiceReport:
    """By the configuration; a wrong one hides its address, not the lake."""
    path = find_config(config)
    try:
        copy = AcceptedCopy(lake.accepted_config("exporter"))
        settings = watch_config(path, copy, restarted=False, alone=True, keep=False).settings
    except ConfigError as error:
        reason = "; ".join(str(error).splitlines())
        return ServiceReport("exporter", "unknown", f"its address is not known: {reason}")
    return probe_exporter(settings.exporter.host, settings.exporter.port, lake)


def _print(report: LakeReport, *, every: bool) -> None:
    from launcher.commands.status_tables import as_tables  # noqa: PLC0415

    new_console().print(as_tables(report, every))


_SECONDS = 1.0
_NAME = "exporter"


def probe_exporter(host: str, port: int, lake: Lake) -> ServiceReport:
    """Whether an exporter of this lake answers on the configured address."""
    where = address(host, port)
    connection = http.client.HTTPConnection(reachable(host), port, timeout=_SECONDS)
    try:
        connection.request("GET", "/healthz")
        served = json.loads(connection.getresponse().read())["lake"]
    except OSError:
        return ServiceReport(_NAME, "stopped", f"nothing answers on {where}")
    except (http.client.HTTPException, ValueError, KeyError, TypeError):
        return ServiceReport(_NAME, "stopped", f"something else than an exporter is on {where}")
    finally:
        connection.close()
    if served != str(lake.root.resolve()):
        return ServiceReport(_NAME, "stopped", f"the exporter on {where} serves {served}")
    return ServiceReport(_NAME, "running", f"http://{where}/metrics")
