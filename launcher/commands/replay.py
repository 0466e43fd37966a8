"""`spreadlake replay`: recorded frames through the real collector and the real job."""

import json
import logging
import math
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.commands.options import DataOption, SpeedOption
from launcher.commands.simulate import check_kind
from launcher.supervisor.specs import LOOPBACK, Launcher, exchange_variables
from spreadlake.called import command_name
from spreadlake.config import Settings, load_settings
from spreadlake.errors import InputError
from spreadlake.lake import Lake, check_claim
from spreadlake.logs import configure_logs
from spreadlake.ports import free_port
from spreadlake.service import StopSignal
from spreadlake.status import last_trade_ms, totals_of
from spreadlake.times import iso_utc
from spreadlake.words import duration

if TYPE_CHECKING:
    from launcher.supervisor.replay import ReplayProgress
    from simulator import Recording

_log = logging.getLogger(__name__)

_FARTHEST_MS = 86_400_000
_REPORT_SECONDS = 10.0


def replay(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Recordings, gzip'd or plain.")
    ],
    data: DataOption = Path("data"),
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Configuration; without it every pair of the recording's symbols.",
        ),
    ] = None,
    speed: SpeedOption = math.inf,
    kind: Annotated[
        str | None,
        typer.Option("--kind", metavar="aggTrade|trade", help="Where a recording has both."),
    ] = None,
) -> None:
    """Replay recordings, then end.

    The simulated exchange serves the frames; the real collector and the real job take them.
    """
    from simulator import Recording  # noqa: PLC0415 slow to import

    recording = Recording(files, kind=check_kind(kind))
    if recording.coin_margined:
        typer.echo(
            f"{', '.join(recording.coin_margined)}: trades of COIN-M contracts are left out, whose "
            "quantities are contracts and not coins",
            err=True,
        )
    port = free_port()
    variables = _variables(recording, config, port)
    os.environ.update(variables)
    settings = load_settings(config)
    if settings.symbols == "all":  # of a recording that is all of its symbols, whatever the rules
        variables["SPREADLAKE_SYMBOLS"] = json.dumps(recording.symbols)
        os.environ.update(variables)
        settings = load_settings(config)
    symbols = _replayed(settings, recording, config)
    lake = Lake(data)
    check_claim(lake, recording.kind, "exchange")
    _check_times(lake, recording)
    market: list[object] = [
        *_absolute(files),
        "--kind",
        recording.kind,
        "--speed",
        "max" if math.isinf(speed) else speed,
    ]
    for symbol in symbols:
        market += ["--expect", symbol]
    first = settings.first_series
    _run(Launcher(lake, config, variables), port, market, first.pair if first else None)


def _variables(recording: "Recording", config: Path | None, port: int) -> dict[str, str]:
    variables = exchange_variables(port, recording.kind)
    # History before the recording is not in it, and must not be asked of anybody.
    variables["SPREADLAKE_COLLECTOR__WARM_START_MINUTES"] = "0"
    if config is None:
        variables["SPREADLAKE_SYMBOLS"] = json.dumps(recording.symbols)
        variables["SPREADLAKE_PAIRS"] = "all"
    return variables


def _replayed(settings: Settings, recording: "Recording", config: Path | None) -> list[str]:
    found = [symbol for symbol in settings.symbol_list if symbol in recording.symbols]
    if not found:
        raise InputError(
            f"{config} captures {', '.join(settings.symbol_list)}, and the recording has none of "
            f"them; it has {', '.join(recording.symbols)}"
        )
    return found


def _check_times(lake: Lake, recording: "Recording") -> None:
    last = last_trade_ms(lake)
    if last is None:
        return
    if not recording.first_ms - _FARTHEST_MS <= last <= recording.last_ms + _FARTHEST_MS:
        first, end, held = (
            iso_utc(ms // 1000) for ms in (recording.first_ms, recording.last_ms, last)
        )
        raise InputError(
            f"the recording is from {first} to {end}, and the latest trade in lake {lake.root} "
            f"is from {held}: they are more than a day apart; choose another folder with --data"
        )


def _absolute(files: list[Path]) -> list[str]:
    return [str(path.absolute()) for path in files]


def _run(launcher: Launcher, port: int, market: list[object], pair: str | None) -> None:
    from launcher.supervisor.child import LogLines  # noqa: PLC0415
    from launcher.supervisor.replay import ReplayRun, run_replay  # noqa: PLC0415

    started = time.monotonic()
    lines = LogLines(sys.stderr)
    configure_logs("replay", stream=lines)
    run = ReplayRun(
        lake=launcher.lake,
        host=LOOPBACK,
        port=port,
        simulator=launcher.simulator(port, lambda: market),
        collector=launcher.collector(),
        job=launcher.job(),
        last_pass=launcher.job("--once", "--lateness", 0),
        stop=StopSignal(),
        on_line=lines.add,
        on_progress=_Reporter(),
    )
    try:
        run_replay(run)
    finally:
        launcher.forget()
    typer.echo(_summary(launcher.lake, time.monotonic() - started, pair))


class _Reporter:
    """Says now and then how far a replay that takes its time has come."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _REPORT_SECONDS

    def __call__(self, progress: "ReplayProgress") -> None:
        if time.monotonic() >= self._next:
            self._next += _REPORT_SECONDS
            _log.info(progress.text)


def _summary(lake: Lake, seconds: float, pair: str | None) -> str:
    totals = totals_of(lake)
    ticks = ", ".join(f"{count:,} of {symbol}" for symbol, count in totals.ticks.items())
    data, choice = shlex.quote(str(lake.root)), f" --pair {pair}" if pair else ""
    bars = ", ".join(f"{count:,} of {timeframe}" for timeframe, count in totals.bars.items())
    return "\n".join(
        [
            f"replayed in {duration(seconds)}; lake {lake.root} holds now",
            f"  ticks        {sum(totals.ticks.values()):,} ({ticks})",
            f"  bars         {sum(totals.bars.values()):,} ({bars})",
            f"  pair rows    {totals.rows:,}",
            f"  alert events {totals.events:,}",
            f"  csv          {command_name()} csv --data {data}{choice}",
            f"  dashboards   {command_name()} dashboards --data {data}",
        ]
    )
