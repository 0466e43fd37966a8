"""When the job works: every so many seconds of the monotonic clock, and at once when called.

APScheduler calls the work, on its threads. When, is not left to it: its times are those of the
wall clock, which NTP and a machine that wakes up set back and forward. A step back would stop
everything for as long, and after a step forward every run that was missed would be listed.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from spreadlake.service import StopSignal

# As wall-clock times: due in any case, and not due in any case.
_DUE = datetime(1900, 1, 1, tzinfo=UTC)
_NOT_DUE = datetime(9999, 1, 1, tzinfo=UTC)
# Between two looks at the clock and at what may call the work early.
_LOOK_SECONDS = 0.02


class _WhenCalled(BaseTrigger):  # type: ignore[misc]
    """Never fires by itself, whatever the wall clock says."""

    def get_next_fire_time(self, *_: Any) -> datetime:
        return _NOT_DUE


@dataclass
class _Work:
    seconds: float
    early: Callable[[], bool]
    due: float = float("-inf")  # of the monotonic clock
    idle: bool = True


class Scheduler:
    """Runs each work when it is due and its last run has ended; one that is late runs once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._works: dict[str, _Work] = {}
        self._failure: BaseException | None = None
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"misfire_grace_time": None}
        )
        self._scheduler.add_listener(self._on_end, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)

    def add(
        self,
        name: str,
        run: Callable[[], object],
        seconds: float,
        thread: str = "default",
        early: Callable[[], bool] = lambda: False,
    ) -> None:
        """Runs `run` every `seconds`, and earlier where `early` says so.

        Works of the same `thread` take turns. `early` is asked often, and only between two runs.
        """
        if all(job.executor != thread for job in self._scheduler.get_jobs()):
            self._scheduler.add_executor(ThreadPoolExecutor(1), thread)
        self._scheduler.add_job(run, _WhenCalled(), id=name, executor=thread)
        self._works[name] = _Work(seconds, early)

    def run(self, stop: StopSignal, on_end: Callable[[], None]) -> None:
        """Works until `stop` is set or a run has failed; raises what it failed with.

        Runs that are under way are waited for, once `on_end` has told them to end.
        """
        self._scheduler.start()
        try:
            while self._failure is None and not stop.wait(_LOOK_SECONDS):
                for name, work in self._works.items():
                    self._call_if_due(name, work)
        finally:
            on_end()
            self._scheduler.shutdown(wait=True)
        if self._failure is not None:
            raise self._failure

    def _call_if_due(self, name: str, work: _Work) -> None:
        if not work.idle or not (self._clock() >= work.due or work.early()):
            return
        work.idle, work.due = False, self._clock() + work.seconds
        self._scheduler.modify_job(name, next_run_time=_DUE)

    def _on_end(self, event: JobExecutionEvent) -> None:
        self._works[event.job_id].idle = True
        if event.exception is not None:
            self._failure = event.exception
