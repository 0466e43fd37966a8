"""`spreadlake simulate`: the simulated exchange alone."""

import logging
import math
import time
from pathlib import Path
from typing import Annotated

import typer

from launcher.commands.options import (
    ConfigOption,
    DurationOption,
    MarketOption,
    ScriptOption,
    SpeedOption,
    parse_factor,
    parse_port,
    parse_time_ms,
    parse_whole,
)
from spreadlake.binance.decode import KINDS
from spreadlake.binance.streams import stream_name
from spreadlake.config import Settings, find_config, load_settings
from spreadlake.errors import InputError
from spreadlake.logs import configure_logs
from spreadlake.service import StopSignal

_log = logging.getLogger(__name__)
_MARKET = 50  # symbols of the market where rules choose them


def simulate(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]", help="Recordings to play; none: a synthetic market."),
    ] = None,
    config: ConfigOption = None,
    duration: DurationOption = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", parser=parse_port, help="0: a free one.")
    ] = 9443,
    speed: SpeedOption = 1.0,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="N", parser=parse_whole, help="Of the synthetic market."),
    ] = 1,
    symbols: MarketOption = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            parser=parse_factor,
            help="Trades a second of each symbol of the synthetic market; 5 to 15 without it. With "
            "--symbols it is that of all together, about 1 each without it.",
        ),
    ] = None,
    script: ScriptOption = None,
    start_ms: Annotated[
        int | None,
        typer.Option(
            "--start-ms",
            metavar="MS",
            parser=parse_time_ms,
            help="Simulated time at the start, Unix ms.",
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="aggTrade or trade, where a recording has both.")
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", help="Play once these symbols are subscribed.", hidden=True),
    ] = None,
) -> None:
    """Run the simulated exchange alone.

    It serves a synthetic market, or recordings, in the wire format of the real exchange.
    """
    from simulator import (  # noqa: PLC0415
        Event,
        Recording,
        SyntheticMarket,
        bursts,
        facts_before,
        read_script,
        run_simulator,
    )

    configure_logs("simulator")
    stop = StopSignal(duration)
    source: Recording | SyntheticMarket
    expected: list[str] = []
    events: list[Event] = []
    if recordings and script:
        raise InputError("--script is of a synthetic market; leave out the recordings or it")
    if recordings:
        source = Recording(recordings, kind=check_kind(kind))
        expected = [stream_name(symbol, source.kind) for symbol in expect or []]
    else:
        start_ms = start_ms or time.time_ns() // 1_000_000
        names, rates = _market(symbols, rate, load_settings(find_config(config)))
        events = read_script(script, names) if script else []
        source = SyntheticMarket(seed, names, rates, bursts(events, start_ms))
    run_simulator(
        source,
        stop,
        on_ready=_announce,
        host=host,
        port=port,
        speed="max" if math.isinf(speed) else speed,
        expected=expected,
        hold=bool(expected),
        start_ms=start_ms,
        events=events,
        facts=facts_before(events),
    )


def _market(
    count: int | None, rate: float | None, settings: Settings
) -> tuple[list[str], float | dict[str, float] | None]:
    """The symbols of the settings, or a whole market of `count`, and how often they trade."""
    from simulator import market_rates, market_symbols  # noqa: PLC0415

    if count is None and settings.symbols != "all":
        return settings.symbol_list, rate
    symbols = market_symbols(_MARKET if count is None else count)
    total = float(len(symbols)) if rate is None else rate
    return symbols, market_rates(symbols, total)


def check_kind(kind: str | None) -> str | None:
    """The kind of trades as typed by a user."""
    if kind not in (None, *KINDS):
        raise InputError(f"--kind {kind!r} is neither {' nor '.join(KINDS)}")
    return kind


def _announce(ws_url: str, rest_url: str) -> None:
    _log.info("simulated exchange on %s and %s", ws_url, rest_url)
