"""`spreadlake backtests`: which results of back-tests are kept, and forgetting one."""

import json
from pathlib import Path
from typing import Annotated

import typer

from launcher.commands.options import DataOption
from spreadlake.lake import Lake
from spreadlake.lake.backtests import KeptBacktest, forget_backtest, kept_backtests
from spreadlake.status import require_lake
from spreadlake.times import iso_utc
from spreadlake.words import count, fixed


def backtests(
    forget: Annotated[
        str | None,
        typer.Option("--forget", metavar="NAME", help="Remove this one instead, for good."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The list as JSON.")] = False,
    data: DataOption = Path("data"),
) -> None:
    """List the back-tests kept for Grafana, or forget one.

    The newest comes first. spreadlake backtest --keep NAME keeps one. They take room until they
    are forgotten: that of a year of 1m bars takes some 35 MB.
    """
    lake = Lake(data)
    require_lake(lake)
    if forget is not None:
        forget_backtest(lake, forget)
        typer.echo(f"forgot {forget}")
        return
    kept = kept_backtests(lake)
    if as_json:
        told = {"lake": str(lake.root), "backtests": [one._asdict() for one in kept]}
        typer.echo(json.dumps(told, indent=1, allow_nan=False))
    elif not kept:
        typer.echo("no back-test is kept; spreadlake backtest --keep NAME keeps one")
    for one in () if as_json else kept:
        typer.echo(_told(one))


def _told(one: KeptBacktest) -> str:
    net = fixed(one.net)
    series = f"{_bars(one.window_bars)}/{_bars(one.lookback_bars)}"
    return (
        f"{one.name}: {one.pair} {one.timeframe} {series}, {count(one.trades, 'trade')}, net {net},"
        f" kept at {iso_utc(one.kept_at)}"
    )


def _bars(bars: int | None) -> str:
    return "various" if bars is None else str(bars)
