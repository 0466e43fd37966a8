"""What captures and the store tell each other beside trades: who is there, whom to capture."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from collector.broker import scripts
from collector.broker.server import LIVES_MS, Server
from spreadlake.decoding import UNREADABLE
from spreadlake.lake import seconds_since

# A capture tells of itself every second.
_LATE_SECONDS = 15.0
_FORGOTTEN_SECONDS = 600.0


async def tell_capture(server: Server, name: str, status: Mapping[str, Any]) -> None:
    """Leaves a sign of life of a capture; each is to differ from the one before."""
    names = server.names
    keys = [names.captures, names.claim, names.living]
    sign = json.dumps(status)
    await server.run(scripts.TELL, keys, name, sign, server.claim or "", LIVES_MS)


async def forget_capture(server: Server, name: str) -> None:
    """A capture has ended as it was told to."""
    names = server.names
    keys = [names.captures, names.living]
    await server.run(scripts.FORGET, keys, name, server.claim or "")


async def seconds_since_told(server: Server, host: str) -> float | None:
    """Seconds since a capture on `host`, this machine, told of itself; None where none does."""
    found: Any = await server.ask(server.redis.hgetall(server.names.captures))
    signs = (
        _read(text)
        for name, text in found.items()
        if name.decode(errors="replace").partition(":")[0] == host
    )
    ages = [seconds_since(sign.get("beat")) for sign in signs if sign is not None]
    return min((age for age in ages if age is not None), default=None)


async def choose_symbols(server: Server, symbols: Sequence[str]) -> None:
    """Tells captures whose rules choose who is captured."""
    await server.ask(server.redis.set(server.names.symbols, json.dumps(list(symbols))))


async def chosen_symbols(server: Server) -> list[str] | None:
    """Who is to be captured, as the store says; None where it never did."""
    text = await server.ask(server.redis.get(server.names.symbols))
    try:
        return None if text is None else msgspec.json.decode(text, type=list[str])
    except UNREADABLE:  # not written by a store
        return None


def uncarried(
    symbols: Sequence[str], captures: Mapping[str, Mapping[str, Any]]
) -> list[str] | None:
    """Those of `symbols` that none of the captures carries; None where one does not say what."""
    carried: set[str] = set()
    for capture in captures.values():
        if not isinstance(carries := capture.get("carries"), list):
            return None
        carried.update(map(str, carries))
    return sorted(set(symbols) - carried)


class _Sign(msgspec.Struct):
    """What a store takes of a capture as it is."""

    connections: int = 0
    symbols: int = 0
    waiting: int = 0
    dropped: int = 0
    sessions: list[dict[str, Any]] = msgspec.field(default_factory=list)


def _read(text: bytes) -> dict[str, Any] | None:
    """A sign of life as it was left; None where it is none."""
    try:
        msgspec.json.decode(text, type=_Sign)
        return msgspec.json.decode(text, type=dict[str, Any])
    except UNREADABLE:
        return None


class Captures:
    """The captures that are there, over the looks of one store.

    Clocks of machines differ: a capture is alive whose sign changes.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[bytes, float]] = {}

    async def look(self, server: Server) -> dict[str, dict[str, Any]]:
        """What each that is alive tells of itself, by name; who is long gone is forgotten."""
        now, names = time.monotonic(), server.names
        found: Any = await server.ask(server.redis.hgetall(names.captures))
        alive = {}
        for name, text in ((key.decode(errors="replace"), one) for key, one in found.items()):
            seen = self._seen.get(name)
            if seen is None or seen[0] != text:
                seen = self._seen[name] = (text, now)
            if now - seen[1] < _LATE_SECONDS:
                if (sign := _read(text)) is not None:
                    alive[name] = sign
            elif now - seen[1] > _FORGOTTEN_SECONDS:
                await forget_capture(server, name)
        there = {key.decode(errors="replace") for key in found}
        self._seen = {name: seen for name, seen in self._seen.items() if name in there}
        return alive
