"""The tasks of the running collector: more may join, and the first failure ends them all."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Crew:
    """Tasks that run until one of them fails or all are told to stop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs more work beside the others."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def until(self, stop: asyncio.Event) -> None:
        """Waits until `stop` is set; raises the first failure of the work before that."""
        stopping = asyncio.create_task(stop.wait())
        try:
            waits: list[asyncio.Future[Any]] = [stopping, self._failed]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done() and not stopping.done():
                self._failed.result()
        finally:
            stopping.cancel()

    async def end(self) -> None:
        """Cancels what still runs, and waits for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._failed.done():
            self._failed.exception()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or self._failed.done():
            return
        if (error := task.exception()) is not None:
            self._failed.set_exception(error)
