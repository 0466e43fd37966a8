"""File names of Binance's public dumps, which say what is in the file. Pure.

Source: Binance public data, `data/futures/um/daily|monthly/aggTrades|klines|fundingRate`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

from spreadlake.errors import InputError
from spreadlake.pairs import check_symbol, is_coin_margined

DumpKind = Literal["trades", "klines", "funding"]

_NAME = re.compile(
    r"(?P<symbol>.+?)-(?P<kind>[A-Za-z0-9]+)-(?P<period>\d{4}-\d\d(?:-\d\d)?)\.(?:csv|csv\.gz|zip)"
)
# What a dump calls its records → what they are in a lake.
_KINDS: Mapping[str, DumpKind] = {
    "aggTrades": "trades",
    "1m": "klines",
    "fundingRate": "funding",
}
_EXPECTED = (
    "a dump is named as Binance names it: BTCUSDT-aggTrades-2024-08-08.zip, "
    "BTCUSDT-aggTrades-2024-08.csv, BTCUSDT-1m-2024-08-08.zip or BTCUSDT-fundingRate-2024-08.zip"
)


@dataclass(frozen=True)
class DumpFile:
    """A dump, by its name: one symbol's records of the days `first` to `last`, both included."""

    path: Path
    symbol: str
    kind: DumpKind
    first: date
    last: date

    @property
    def start_ms(self) -> int:
        """Start of the first day, Unix ms."""
        return _midnight_ms(self.first)

    @property
    def end_ms(self) -> int:
        """End of the last day, Unix ms."""
        return _midnight_ms(self.last + timedelta(days=1))


def parse_name(path: Path) -> DumpFile:
    """What the name of a dump says; InputError where it says nothing, or what cannot be used."""
    match = _NAME.fullmatch(path.name)
    if path.suffix == ".CHECKSUM":
        raise InputError(f"{path} is the checksum of a dump; leave it out, as in *.zip")
    if match is None:
        raise InputError(f"{path}: the name does not tell what is in the file; {_EXPECTED}")
    try:
        symbol = check_symbol(match["symbol"])
        first, last = _days(match["period"])
    except ValueError as error:
        raise InputError(f"{path}: {error}; {_EXPECTED}") from None
    if is_coin_margined(symbol):
        raise InputError(
            f"{path}: {symbol} is a COIN-M contract, whose quantities are contracts and not coins; "
            "a lake takes USDⓈ-M symbols such as BTCUSDT: download the dump under futures/um"
        )
    return DumpFile(path, symbol, _kind(path, match["kind"]), first, last)


def _kind(path: Path, kind: str) -> DumpKind:
    if kind in _KINDS:
        return _KINDS[kind]
    if kind == "trades":
        raise InputError(
            f"{path} holds single trades, whose ids count differently from the aggregate trades "
            "of a lake; download the aggTrades of the same days"
        )
    raise InputError(
        f"{path} holds {kind} records; aggTrades and 1m klines can be imported "
        "(longer bars are made of these), and fundingRate"
    )


def _days(period: str) -> tuple[date, date]:
    if len(period) == len("2024-08-08"):
        day = date.fromisoformat(period)
        return day, day
    first = date.fromisoformat(f"{period}-01")
    next_month = (first + timedelta(days=31)).replace(day=1)
    return first, next_month - timedelta(days=1)


def _midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
