"""The commands that run one service in this process, as docker-compose does."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from launcher.commands.options import (
    ClusterOption,
    ConfigOption,
    DataOption,
    DurationOption,
    parse_seconds,
)
from launcher.commands.work_shown import rebuilding
from spreadlake.config import (
    AcceptedCopy,
    ConfigWatch,
    Settings,
    find_config,
    load_settings,
    watch_config,
)
from spreadlake.errors import InputError, ServiceError, SpreadlakeError
from spreadlake.lake import Lake
from spreadlake.logs import configure_logs
from spreadlake.service import RESTARTED, SUPERVISED, ServiceContext
from spreadlake.status import require_lake
from spreadlake.times import parse_time

_GROUP = "spreadlake.services"


def load_service(name: str) -> Callable[[ServiceContext], None]:
    """The service that an installed distribution offers under `name`."""
    found = entry_points(group=_GROUP, name=name)
    if not found:
        raise ServiceError(
            f"no service {name!r} is installed (entry points {_GROUP}); install spreadlake again: "
            "make install"
        )
    service: Callable[[ServiceContext], None] = next(iter(found)).load()
    return service


OriginOption = Annotated[str, typer.Option("--origin", hidden=True)]


def collect(
    context: typer.Context,
    data: DataOption = Path("data"),
    config: ConfigOption = None,
    duration: DurationOption = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", help="Keep the raw frames (.jsonl.gz) as well."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URL",
            help="Publish to a log (redis://host:6379/0) instead; a store writes the lake.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="N/M", help="With --to: only this share, such as 1/2."),
    ] = None,
    origin: OriginOption = "exchange",
) -> None:
    """Capture trades into the lake, or into a log."""
    options: dict[str, Any] = {"record": record, "origin": _known(origin)}
    if to is not None:
        given = context.get_parameter_source("data")
        if given is not None and given.name == "COMMANDLINE":
            raise InputError(
                "--to publishes trades and writes no lake; leave out --data, which belongs to "
                "spreadlake store --from"
            )
        options |= {"to": to, "shard": shard}
    elif shard is not None:
        raise InputError(f"--shard {shard} needs --to: a lake is written by one collector")
    follow_service("collector", data, config, duration, options, keep=to is None)


def store(
    source: Annotated[
        str,
        typer.Option("--from", metavar="URL", help="The log that captures publish to (--to)."),
    ],
    data: DataOption = Path("data"),
    config: ConfigOption = None,
    duration: DurationOption = None,
    origin: OriginOption = "exchange",
) -> None:
    """Write the lake out of the log that captures publish to.

    It repairs gaps and rolls finished hours. Of several on one lake one writes, the others wait.
    """
    options = {"from": source, "origin": _known(origin)}
    follow_service("collector", data, config, duration, options, signed="store")


def _known(origin: str) -> str:
    if origin not in ("exchange", "demo"):
        raise InputError(f"--origin {origin!r} is neither exchange nor demo")
    return origin


def analyse(
    data: DataOption = Path("data"),
    config: ConfigOption = None,
    duration: DurationOption = None,
    once: Annotated[bool, typer.Option("--once", help="Analyse what is there, then end.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Compute everything again from the trades.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="T", help="With --rebuild: only from this time on."),
    ] = None,
    lateness: Annotated[
        float | None, typer.Option("--lateness", parser=parse_seconds, hidden=True)
    ] = None,
    cluster: ClusterOption = None,
) -> None:
    """Compute bars, analytics and alerts.

    With --once or --rebuild, --cluster computes the slow statistics on many processes of this
    machine, with the same results.
    """
    if start is not None and not rebuild:
        raise InputError(f"--from {start} needs --rebuild: without it only what is new is analysed")
    if cluster is not None and not (once or rebuild):
        raise InputError(f"--cluster {cluster} is for long work that ends: add --rebuild or --once")
    options: dict[str, Any] = {
        "once": once,
        "rebuild": rebuild,
        "from": None if start is None else parse_time(start),
    }
    if cluster is not None:
        options["cluster"] = cluster
    if once and not rebuild:
        # A job that stays may be there before the collector; one that ends has nothing to do.
        require_lake(Lake(data))
    if not (once or rebuild):
        follow_service("analytics-job", data, config, duration, options, lateness)
    elif os.environ.get(SUPERVISED):  # the supervisor says what it did by itself
        run_service("analytics-job", data, config, duration, options, lateness)
    else:
        with rebuilding(Lake(data), options["from"], once=not rebuild) as tell:
            options["tell"] = tell
            run_service("analytics-job", data, config, duration, options, lateness)


def export_metrics(
    data: DataOption = Path("data"), config: ConfigOption = None, duration: DurationOption = None
) -> None:
    """Serve the page with charts, and metrics to Prometheus."""
    follow_service("exporter", data, config, duration, {})


def notify(
    data: DataOption = Path("data"), config: ConfigOption = None, duration: DurationOption = None
) -> None:
    """Tell people about alerts, without Grafana.

    Whom, and how often, the section [notify] of the configuration says.
    """
    follow_service("notifier", data, config, duration, {})


def roll(
    data: DataOption = Path("data"),
    config: ConfigOption = None,
    before: Annotated[
        str | None,
        typer.Option("--before", metavar="T", help="Only hours that end at or before this time."),
    ] = None,
) -> None:
    """Roll finished hours to Parquet now.

    Finished days are compacted as well, and klines older than two days go to their files.
    """
    before_ms = None if before is None else int(parse_time(before) * 1000)
    run_service("collector-roll", data, config, None, {"before": before_ms})


def run_service(
    name: str,
    data: Path,
    config: Path | None,
    duration: float | None,
    options: Mapping[str, Any],
    lateness: float | None = None,
) -> None:
    """Runs a service to its end, with the settings as they are now."""
    path = find_config(config)
    settings = load_settings(path)
    if lateness is not None:
        settings = _with_lateness(settings, lateness)
    configure_logs(name)
    load_service(name)(ServiceContext(settings, Lake(data), path, duration, options))


def follow_service(
    name: str,
    data: Path,
    config: Path | None,
    duration: float | None,
    options: Mapping[str, Any],
    lateness: float | None = None,
    *,
    keep: bool = True,
    signed: str | None = None,
) -> None:
    """Runs a service that stays, and takes on what is edited meanwhile.

    What it accepted it keeps in the lake, where there is one. Its log is `signed` by its name, or
    by the command's where one service has two.
    """
    path, lake = find_config(config), Lake(data)
    configure_logs(signed or name)
    with following(name, lake, path, keep=keep) as watch:
        settings = watch.settings
        if lateness is not None:
            settings = _with_lateness(settings, lateness)
        load_service(name)(
            ServiceContext(settings, lake, path, duration, options, watch, is_restarted())
        )


def _with_lateness(settings: Settings, lateness: float) -> Settings:
    job = settings.job.model_copy(update={"lateness": lateness})
    return settings.model_copy(update={"job": job})


_MISTAKE = 2  # exit code of what somebody has to change before it can go on


def is_restarted() -> bool:
    """Whether a supervisor started this process after one before it had died."""
    return bool(os.environ.get(RESTARTED))


@contextmanager
def following(
    service: str, lake: Lake, path: Path | None, *, keep: bool = True
) -> Iterator[ConfigWatch]:
    """Yields the watch over the file at `path`, with the settings to start with.

    Where the service then ends in any way but by being told to, or by a mistake that somebody has
    to mend, its next start goes on with what it had accepted, if the file is wrong by then. Under a
    supervisor it does so however it ended: the supervisor says when all is over.
    """
    alone = not os.environ.get(SUPERVISED)
    # A reader by itself makes no lake.
    kept = keep and (not alone or service != "exporter" or lake.root.exists())
    copy = AcceptedCopy(lake.accepted_config(service) if kept else None)
    watch = watch_config(path, copy, restarted=is_restarted(), alone=alone)
    try:
        yield watch
    except SpreadlakeError as error:
        if alone and error.exit_code == _MISTAKE:
            watch.forget()
        raise
    if alone:
        watch.forget()
