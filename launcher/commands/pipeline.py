"""`spreadlake demo` and `spreadlake up`: the whole pipeline under one supervisor."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from launcher.commands.hints import commands, hints, page_beside
from launcher.commands.options import (
    ConfigOption,
    DataOption,
    DurationOption,
    MarketOption,
    ScriptOption,
    parse_factor,
    parse_folder,
    parse_whole,
)
from launcher.supervisor.specs import Launcher, exchange_variables
from spreadlake import binance
from spreadlake.called import command_name
from spreadlake.config import AcceptedCopy, Settings, find_config, load_settings
from spreadlake.errors import ConfigError
from spreadlake.lake import Lake, Origin, check_claim, writer_lock
from spreadlake.ports import address, check_listen, free_port
from spreadlake.status import last_trade_ms

if TYPE_CHECKING:
    from launcher.dashboards import Observability

GrafanaOption = Annotated[
    bool,
    typer.Option("--grafana", help="Grafana and Prometheus as well, where they are installed."),
]


_A_FILE = "named with --config (make demo ARGS='--config FILE')"

# A day's listings and deliveries may come within minutes there.
_WHOLE_MARKET = {
    "SPREADLAKE_SYMBOLS": "all",
    "SPREADLAKE_PAIRS": "[]",
    "SPREADLAKE_UNIVERSE__LOOK_MINUTES": "0.25",
}


def demo(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            parser=parse_folder,
            help="Folder of the lake.  [default: ./data/demo]",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Configuration; without it the defaults."),
    ] = None,
    duration: DurationOption = None,
    speed: Annotated[
        float,
        typer.Option(
            "--speed", metavar="X", parser=parse_factor, help="Times faster than real time."
        ),
    ] = 1.0,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="N", parser=parse_whole, help="Of the simulated market."),
    ] = 1,
    symbols: MarketOption = None,
    script: ScriptOption = None,
    grafana: GrafanaOption = False,
) -> None:
    """Run everything on a simulated exchange.

    No network is needed, and no trade in it is real.
    """
    lake = Lake(_demo_data() if data is None else data)
    settings = load_settings(config)
    if symbols is not None and settings.symbols != "all":
        os.environ.update(_WHOLE_MARKET)
        settings = load_settings(config)
    notes = []
    if config is None and (own := find_config(None)):
        notes.append(f"the demo takes no notice of {own}, unless told: {_told(own)}")
    port = free_port()
    launcher = Launcher(lake, config, exchange_variables(port, binance.REST_KIND))

    def market() -> list[object]:
        # It starts at the present, by its own clock; but a fast one that starts again goes on,
        # and never back to before what is stored.
        last_ms = last_trade_ms(lake) or 0
        ahead = ["--start-ms", last_ms] if last_ms > time.time() * 1000 else []
        many: list[object] = [] if symbols is None else ["--symbols", symbols]
        many += [] if script is None else ["--script", script.absolute()]
        return ["--speed", speed, "--seed", seed, *many, *ahead]

    title = "spreadlake demo, a simulated market"
    _run(title, launcher, settings, duration, port, market, grafana=grafana, notes=notes)


def up(
    data: DataOption = Path("data"),
    config: ConfigOption = None,
    duration: DurationOption = None,
    grafana: GrafanaOption = False,
) -> None:
    """Run everything on the live exchange."""
    path = find_config(config)
    _run("spreadlake", Launcher(Lake(data), path), load_settings(path), duration, grafana=grafana)


def _told(config: Path) -> str:
    return f"--config {config} (with make: make demo ARGS='--config {config}')"


def _demo_data() -> Path:
    return Path(os.environ.get("SPREADLAKE_DATA") or "data") / "demo"


def _run(
    title: str,
    launcher: Launcher,
    settings: Settings,
    duration: float | None,
    simulator_port: int | None = None,
    market: Callable[[], Sequence[object]] = list,
    *,
    grafana: bool,
    notes: Sequence[str] = (),
) -> None:
    from launcher.supervisor.pipeline import PipelineRun, run_pipeline  # noqa: PLC0415 slow: rich

    lake = launcher.lake
    origin: Origin = "exchange" if simulator_port is None else "demo"
    kind = settings.exchange.trades if simulator_port is None else binance.REST_KIND
    # Before anything starts: the job, with other settings, would change what such a lake holds.
    exchange = settings.exchange
    venue = binance.venue_of(exchange.ws_url, exchange.rest_url) if simulator_port is None else None
    check_claim(lake, kind, origin, venue)
    with _by_what_counts(launcher, origin):
        _check_first(lake, settings, grafana=grafana)
    with _to_itself(lake), writer_lock(lake, "grafana") if grafana else nullcontext():
        with _by_what_counts(launcher, origin):
            url, launcher = _with_metrics_address(launcher, settings)
        watch = _observability(lake, url, notifier=bool(settings.notify.urls)) if grafana else None
        linked = settings.exporter.dashboards or (watch.grafana_url if watch else None)
        called = settings.exporter.command or command_name()
        specs = [launcher.collector(origin), launcher.job(), launcher.exporter(linked, called)]
        specs += [launcher.notifier()] if settings.notify.urls else []
        specs += [launcher.uploader()] if settings.storage.cold else []
        if simulator_port is not None:
            specs.append(_steadily(launcher).simulator(simulator_port, market))
        specs += watch.specs if watch else ()
        for note in notes:
            typer.echo(note, err=True)
        typer.echo(hints(title, lake, settings, url, watch))
        facts = [f"charts {page_beside(url)}", f"{lake.root}   {url}"]
        if watch:
            facts.append(f"dashboards {watch.grafana_url}   (admin: {watch.password_file})")
        foot = [*notes, *commands(lake, settings)]
        pipeline = PipelineRun(title, lake, settings, specs, facts, foot)
        try:
            typer.echo(run_pipeline(pipeline, duration))
        finally:
            launcher.forget()


@contextmanager
def _by_what_counts(launcher: Launcher, origin: Origin) -> Iterator[None]:
    """Within it a mistake in the settings of a demo without a file is told with where they are."""
    try:
        yield
    except ConfigError as error:
        if origin == "demo" and launcher.config is None:
            raise ConfigError(f"{error}; a demo reads a file only where it is {_A_FILE}") from None
        raise


def _check_first(lake: Lake, settings: Settings, *, grafana: bool) -> None:
    """What can keep a pipeline from starting, so that one that cannot leaves no folder behind."""
    if settings.storage.cold and find_spec("boto3") is None:
        raise ConfigError("storage.cold needs a package more: pip install 'spreadlake[s3]'")
    if grafana:
        from launcher.dashboards import find_executables  # noqa: PLC0415 seldom wanted

        find_executables()
    if not lake.root.exists():  # else the port may be that of another pipeline on it: told first
        check_listen(settings.exporter.host, settings.exporter.port)


@contextmanager
def _to_itself(lake: Lake) -> Iterator[None]:
    """Within it no other pipeline runs on `lake`; LakeError where one does already.

    Without it the services of the other one would be taken for those that are about to start.
    """
    with writer_lock(lake, "pipeline"):
        for service in ("collector", "analytics-job"):
            with writer_lock(lake, service):
                pass  # nobody runs it by itself
        yield


def _steadily(launcher: Launcher) -> Launcher:
    """The launcher of a child that starts again as it was, whatever was edited meanwhile."""
    path = launcher.config
    if path is None or not path.is_file():
        return launcher
    copy = AcceptedCopy(launcher.lake.accepted_config("simulator"))
    return replace(launcher, config=copy.path) if copy.keep(path.read_bytes()) else launcher


def _observability(lake: Lake, url: str, *, notifier: bool) -> "Observability":
    from launcher.dashboards import plan_observability  # noqa: PLC0415 seldom wanted

    return plan_observability(lake, urlsplit(url).netloc, notifier=notifier)


def _with_metrics_address(launcher: Launcher, settings: Settings) -> tuple[str, Launcher]:
    """The address of the metrics, found free, and the launcher that hands it to the exporter."""
    host, port = settings.exporter.host, settings.exporter.port
    check_listen(host, port)
    if port == 0:
        port = free_port(host)
    variables = {**launcher.variables, "SPREADLAKE_EXPORTER__PORT": str(port)}
    return f"http://{address(host, port)}/metrics", replace(launcher, variables=variables)
