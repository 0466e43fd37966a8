"""The options that commands share, and how their values are read."""

import math
import re
from pathlib import Path
from typing import Annotated

import typer

from spreadlake.times import MOST_BARS

_MOST_SYMBOLS = 2000
_LAST_MS = 253_402_300_799_999
_LARGEST_WHOLE = 10**9  # what counts bars and rows has room for it
_LONGEST_SECONDS = 1e8  # three years; timers cannot count much further
_ELSEWHERE = re.compile(r"[^/]+:")  # s3://bucket/prefix, user@host:/folder


def parse_seconds(text: str) -> float:
    """A number of seconds that is not negative; anything else is a usage error."""
    value = _number(text)
    if value is None or not 0 <= value <= _LONGEST_SECONDS:
        raise typer.BadParameter(f"{text!r} is not a number of seconds, such as 60")
    return value


def parse_speed(text: str | float) -> float:
    """Times faster than real time, infinity for `max`; anything else is a usage error.

    A default comes as the number that it is.
    """
    if text in ("max", math.inf):
        return math.inf
    value = _number(text)
    if value is None or value <= 0:
        raise typer.BadParameter(f"{text!r} is neither a number above 0, such as 20, nor max")
    return value


def parse_factor(text: str) -> float:
    """A number above 0; anything else is a usage error."""
    value = _number(text)
    if value is None or value <= 0:
        raise typer.BadParameter(f"{text!r} is not a number above 0, such as 20")
    return value


def parse_not_negative(text: str | float) -> float:
    """A number from 0 on; anything else is a usage error. A default comes as the number it is."""
    value = _number(text)
    if value is None or value < 0:
        raise typer.BadParameter(f"{text!r} is not a number from 0 on, such as 5")
    return value


def parse_number(text: str | float) -> float:
    """A finite number; anything else is a usage error. A default comes as the number it is."""
    value = _number(text)
    if value is None:
        raise typer.BadParameter(f"{text!r} is not a number, such as 2")
    return value


def parse_whole(text: str | int) -> int:
    """A whole number; anything else is a usage error."""
    try:
        value = int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number") from None
    if abs(value) > _LARGEST_WHOLE:
        raise typer.BadParameter(f"{text!r} is larger than any whole number that is asked for here")
    return value


def parse_time_ms(text: str | int) -> int:
    """A time in Unix ms, to the year 9999; anything else is a usage error."""
    try:
        time_ms = int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time in Unix ms") from None
    if not 0 <= time_ms <= _LAST_MS:
        raise typer.BadParameter(f"{text!r} is not a time in Unix ms, from 1970 to 9999")
    return time_ms


def parse_bars(text: str | int) -> int:
    """A number of bars, as long as a window can be; anything else is a usage error."""
    bars = parse_whole(text)
    if not 2 <= bars <= MOST_BARS:
        raise typer.BadParameter(f"{bars} is not a number of bars from 2 to {MOST_BARS:,}")
    return bars


def parse_port(text: str | int) -> int:
    """A port, 0 for a free one; anything else is a usage error."""
    port = parse_whole(text)
    if not 0 <= port <= 65535:
        raise typer.BadParameter(
            f"{port} is not a port; ports are 1 to 65535, and 0 for a free one"
        )
    return port


def parse_many(text: str | int) -> int:
    """A number of symbols, as many as can be simulated; anything else is a usage error."""
    number = parse_whole(text)
    if not 1 <= number <= _MOST_SYMBOLS:
        raise typer.BadParameter(f"{number} is not a number of symbols from 1 to {_MOST_SYMBOLS:,}")
    return number


def was_typed(context: typer.Context, name: str) -> bool:
    """Whether an option was given on the command line, and not left to its default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def refuse_before_word(context: typer.Context, command: str) -> None:
    """A usage error where options stand before the word of a command that has words."""
    if any(was_typed(context, name) for name in context.params):
        word = context.invoked_subcommand
        raise typer.BadParameter(f"options come after the word {word}: {command} {word} --data …")


def _number(text: str | float) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def parse_folder(text: str | Path) -> Path:
    """A folder; a place in object storage is a usage error."""
    if "://" in str(text):
        raise typer.BadParameter(
            f"{text} is no folder: of a lake in object storage there are screen, backtest, csv and "
            "verify, and spreadlake.open in Python; this command needs the lake's own folder"
        )
    return Path(text)


def parse_folder_to_write(text: str | Path) -> Path:
    """A folder of this machine; what is meant as a place on another one is a usage error.

    It would be taken for folders of that name, and whoever wrote it believe that it is elsewhere.
    """
    if _ELSEWHERE.match(str(text)):
        raise typer.BadParameter(
            f"{text} is no folder of this machine; name one here, which may be a mounted one, and "
            "send it on from there with rclone, rsync or the like (./ before a name with a colon)"
        )
    return Path(text)


DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        metavar="DIR",
        envvar="SPREADLAKE_DATA",
        parser=parse_folder,
        help="Folder of the lake.",
    ),
]
PlaceOption = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DIR|s3://…",
        envvar="SPREADLAKE_DATA",
        help="Folder of the lake, or s3://bucket/prefix.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Configuration; ./spreadlake.toml where it is there."
    ),
]
TimeframeOption = Annotated[
    str, typer.Option("--timeframe", metavar="1m", help="Length of the bars.")
]
FeeOption = Annotated[
    float,
    typer.Option(
        "--fee-bps", metavar="BPS", parser=parse_not_negative, help="Fee of each fill, in bps."
    ),
]
SlippageOption = Annotated[
    float,
    typer.Option(
        "--slippage-bps",
        metavar="BPS",
        parser=parse_not_negative,
        help="Slippage of each fill, in bps.",
    ),
]
MarketOption = Annotated[
    int | None,
    typer.Option(
        "--symbols",
        metavar="N",
        parser=parse_many,
        help="A simulated market of so many symbols, as busy as a real one, and all captured.",
    ),
]
ScriptOption = Annotated[
    Path | None,
    typer.Option(
        "--script",
        metavar="FILE",
        help="What happens at the simulated exchange: listings, halts, deliveries, bursts (TOML).",
    ),
]
DurationOption = Annotated[
    float | None,
    typer.Option(
        "--duration",
        metavar="S",
        parser=parse_seconds,
        help="Seconds to run; then everything is flushed and the command ends.",
    ),
]
SpeedOption = Annotated[
    float,
    typer.Option(
        "--speed",
        metavar="X|max",
        parser=parse_speed,
        show_default=False,
        help="Times faster than real time, or max.",
    ),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="local|tcp://…",
        help="Compute on a cluster: local, local:N processes, or a scheduler of Dask.",
    ),
]
