"""Runs the tasks of a service until it is told to stop, or the first of them fails."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


class _StoppedError(Exception):
    """Ends the tasks because the service was told to stop."""


class Tasks:
    """Tasks that run together; more may be started while they run. Made inside the event loop."""

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()

    def start(self, work: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Runs more beside the others."""
        for one in work:
            self._group.create_task(one)

    async def run(self, work: Iterable[Coroutine[Any, Any, None]], stop: asyncio.Event) -> None:
        """Ends all of the work at `stop`, or at its first failure, which is raised as it is."""
        try:
            async with self._group:
                self.start(work)
                await stop.wait()
                raise _StoppedError
        except ExceptionGroup as ended:
            first, stopped = ended.exceptions[0], ended.subgroup(_StoppedError)
        if not stopped:
            raise first
