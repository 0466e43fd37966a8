"""What happens at the simulated exchange, and when: listings, halts, deliveries, bursts. Pure.

A script is a TOML file of events:

    [[event]]
    at = 60                 # seconds of the exchange's time after its start
    do = "list"             # or pend, halt, resume, announce, deliver, remove, burst
    symbol = "SIM042USDT"   # whose; a burst has none

`pend` lists a contract that trades in `seconds`, `announce` tells that it ends in `seconds`, and
`burst` makes all trade `factor` times as often for `seconds`. A contract whose first event is
`list` or `pend` is not there before it.
"""

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, Protocol

import msgspec

from simulator.serving.listing import Facts
from simulator.synthetic.bursts import Burst
from spreadlake.binance.listings import NEVER_TRADED, OVER, TRADING
from spreadlake.errors import InputError

HALTED = "TRADING_HALT"
Action = Literal["list", "pend", "halt", "resume", "announce", "deliver", "remove", "burst"]
_STATUSES = {"halt": HALTED, "resume": TRADING, "deliver": OVER[2]}
_Positive = Annotated[float, msgspec.Meta(gt=0)]


class Event(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One thing that happens `at` seconds after the start, in the exchange's time."""

    at: Annotated[float, msgspec.Meta(ge=0)]
    do: Action
    symbol: str = ""
    seconds: _Positive = 60.0
    factor: _Positive = 10.0


class _File(msgspec.Struct, forbid_unknown_fields=True):
    event: list[Event]


class Exchange(Protocol):
    """What a script changes."""

    def clock_ms(self) -> int:
        """The exchange's time."""

    def set_status(self, symbol: str, status: str) -> None:
        """Gives a contract another status now."""

    def set_facts(self, symbol: str, **changes: object) -> None:
        """Changes what is listed of a contract now."""


def read_script(path: Path, symbols: Iterable[str]) -> list[Event]:
    """The events of a file in order of time; InputError for what is none."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).event
    except OSError as error:
        raise InputError(f"script {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InputError(f"script {path} is not one: {error}") from None
    known = set(symbols)
    for event in found:
        if event.do != "burst" and event.symbol not in known:
            raise InputError(
                f"script {path}: {event.do} at {event.at:g} is of {event.symbol or 'no symbol'!r}, "
                "which the market does not have"
            )
    return sorted(found, key=lambda event: event.at)


def facts_before(events: Sequence[Event]) -> dict[str, Facts]:
    """What is listed before the first event: not those that are to come."""
    first: dict[str, Action] = {}
    for event in events:
        first.setdefault(event.symbol, event.do)
    return {symbol: Facts(listed=False) for symbol, do in first.items() if do in ("list", "pend")}


def bursts(events: Sequence[Event], start_ms: int) -> list[Burst]:
    """The bursts of a play that begins at `start_ms`."""
    start_s = start_ms // 1000
    return [
        Burst(start_s + round(event.at), start_s + round(event.at + event.seconds), event.factor)
        for event in events
        if event.do == "burst"
    ]


def happen(event: Event, exchange: Exchange) -> None:
    """Does it now; a burst comes by itself."""
    soon_ms = exchange.clock_ms() + round(event.seconds * 1000)
    if event.do in _STATUSES:
        exchange.set_status(event.symbol, _STATUSES[event.do])
    elif event.do == "announce":
        exchange.set_facts(event.symbol, delivery_ms=soon_ms)
    elif event.do == "remove":
        exchange.set_facts(event.symbol, listed=False)
    elif event.do == "pend":
        exchange.set_status(event.symbol, NEVER_TRADED)
        exchange.set_facts(event.symbol, listed=True, onboard_ms=soon_ms)
    elif event.do == "list":
        exchange.set_status(event.symbol, TRADING)
        exchange.set_facts(event.symbol, listed=True)
