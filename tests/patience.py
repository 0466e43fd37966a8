"""How long the tests wait for what must come: a bound on hanging, never a measure of speed.

One unit for all of them. `TESTS_PATIENCE=3 make test` waits three times as long, where a machine
needs it; what comes sooner is never waited for.
"""

import asyncio
import os
import sys
import time
import traceback

FACTOR = float(os.environ.get("TESTS_PATIENCE", "1"))
# Seconds for any one thing to happen: a process to end, a server to answer, a row to be there.
PATIENCE = 240.0 * FACTOR
# Seconds for a test as a whole, which may wait for several.
TEST_SECONDS = 900.0 * FACTOR
# The same for one that is long by its nature: twenty processes killed start twenty times.
SOAK_SECONDS = 7200.0 * FACTOR

# A machine may stand still for minutes. What did not run cannot have happened in that time.
_LONGEST_PAUSE = 1.0


class Deadline:
    """How long a poll goes on: `seconds` of its own running, looked at between two looks."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self._left = seconds
        self._looked = time.monotonic()

    @property
    def passed(self) -> bool:
        """Whether it has waited for so long."""
        now = time.monotonic()
        self._left -= min(now - self._looked, _LONGEST_PAUSE)
        self._looked = now
        return self._left <= 0


def doings() -> str:
    """Where every thread and every task of the running event loop is, for a test that gave up."""
    threads = [
        f"thread {number}: " + "".join(traceback.format_stack(frame)[-3:])
        for number, frame in sys._current_frames().items()
    ]
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        tasks = set()
    waiting = [f"task {task.get_name()}: {_place(task)}" for task in tasks]
    return "\n".join(threads + waiting)


def _place(task: "asyncio.Task[object]") -> str:
    places = (f"{frame.f_code.co_qualname}:{frame.f_lineno}" for frame in task.get_stack())
    return " < ".join(places)
