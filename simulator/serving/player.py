"""Plays a source to the clients at its pace."""

import asyncio
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from simulator.serving.hub import Hub
from simulator.source import Batch, Play, Source
from spreadlake.errors import InputError

Speed = float | Literal["max"]

# Real time that one batch spans: frames are late by this much at most.
_WINDOW_SECONDS = 0.02


@dataclass(frozen=True)
class Pacing:
    """How fast a source is played, from when to when, and for whom.

    `speed` is exchange time per real time; "max" goes as fast as the slowest subscriber reads.
    A recording, and any source at "max", begins when all `expected` streams have a subscriber
    (of none given: when any stream has one). `hold` makes it pause, too, while that is not so.
    `start_ms` and `end_ms` bound a source that has no bounds of its own.
    """

    speed: Speed = 1.0
    expected: Collection[str] = ()
    hold: bool = False
    start_ms: int | None = None
    end_ms: int | None = None

    def __post_init__(self) -> None:
        if self.speed != "max" and not 0 < self.speed < float("inf"):
            raise InputError(f"speed {self.speed} is not a number above 0, or max")


class Player:
    """Sends the batches of one source when they are due."""

    def __init__(self, source: Source, hub: Hub, pacing: Pacing, now_ms: int) -> None:
        begins = source.start_ms()
        self._source = source
        self._hub = hub
        self._pacing = pacing
        self._waits = begins is not None or pacing.speed == "max"
        self._holds = pacing.hold or (begins is None and pacing.speed == "max")
        starts = (begins, pacing.start_ms, now_ms)
        self._start_ms = next(start for start in starts if start is not None)
        self.clock_ms = self._start_ms
        self.finished = asyncio.Event()

    async def run(self) -> None:
        """Plays the source to its end."""
        if self._waits:
            await self._hub.subscribed(self._pacing.expected)
        play = Play(self._start_ms, self._pacing.end_ms, self._window_ms(), self._hub.streams)
        clock = _PlayClock(self._pacing.speed, self._start_ms)
        with closing(self._source.play(play)) as batches:
            for batch in batches:
                await self._hold(clock, batch)
                await clock.until(batch.due_ms)
                await self._send(batch)
        await self._hub.emptied()
        self.finished.set()

    def _window_ms(self) -> float | None:
        speed = self._pacing.speed
        return None if speed == "max" else 1000 * _WINDOW_SECONDS * speed

    async def _hold(self, clock: "_PlayClock", batch: Batch) -> None:
        if self._holds and not self._hub.has_subscribers(self._pacing.expected):
            await self._hub.subscribed(self._pacing.expected)
            clock.restart(batch.due_ms)

    async def _send(self, batch: Batch) -> None:
        self._hub.send(batch.frames)
        self.clock_ms = batch.clock_ms
        if self._pacing.speed == "max":
            await self._hub.drain()


class _PlayClock:
    """Maps a play's own time to the time of the event loop."""

    def __init__(self, speed: Speed, start_ms: float) -> None:
        self._speed = speed
        self.restart(start_ms)

    def restart(self, play_ms: float) -> None:
        """Makes `play_ms` now."""
        self._play_ms = play_ms
        self._began = asyncio.get_running_loop().time()

    async def until(self, play_ms: float) -> None:
        """Waits until `play_ms` is due; lets others run in any case."""
        if self._speed == "max":
            await asyncio.sleep(0)
            return
        due = self._began + (play_ms - self._play_ms) / 1000.0 / self._speed
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
