"""Computes the slow statistics beside the steps, in a process of its own."""

import os
import queue
import signal
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from analytics_job.mean_reversion import PairTests, pair_tests
from analytics_job.pipeline import Pipeline
from analytics_job.rolling import Floats
from analytics_job.tests_store import DueTest, closes, take
from spreadlake.lake import atomic

__all__ = ["SlowTests", "compute_due", "store_results"]

_BATCH = 64
_POLL_SECONDS = 0.1

Result = tuple[DueTest, PairTests]


def compute_due(db: sqlite3.Connection, count: int = _BATCH) -> list[Result]:
    """The newest tests that are due, computed here and now."""
    return [(due, pair_tests(*closes(db, due))) for due in take(db, count)]


def store_results(db: sqlite3.Connection, pipeline: Pipeline, results: Sequence[Result]) -> None:
    """Writes results, and lets rules that are gated by them look again."""
    with atomic(db):
        for due, tests in results:
            pipeline.tests.put(due, tests)
            pipeline.alerts.regate(due.pair, due.timeframe, due.lookback, due.time)


class SlowTests:
    """Takes what is due on a thread, computes in a niced process, and hands results to the step."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_stand_back)
        self._results: queue.Queue[list[Result]] = queue.Queue()
        self._closing = threading.Event()

    def run(self, db: sqlite3.Connection) -> None:
        """One batch, read through `db`: returns when its results have been stored by a step."""
        due = take(db, _BATCH)
        if not due or self._closing.is_set():
            return
        future = self._pool.submit(_compute, [closes(db, one) for one in due])
        while not future.done():
            if self._closing.wait(_POLL_SECONDS):
                return
        self._results.put(list(zip(due, future.result(), strict=True)))
        while self._results.unfinished_tasks and not self._closing.wait(_POLL_SECONDS):
            pass

    def finished(self) -> list[Result]:
        """Results that wait to be stored; `stored` is called when they are."""
        try:
            return self._results.get_nowait()
        except queue.Empty:
            return []

    def stored(self) -> None:
        """What `finished` gave has been stored."""
        self._results.task_done()

    def close(self) -> None:
        """Gives up what is being computed: it stays due."""
        self._closing.set()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _compute(legs: list[tuple[Floats, Floats]]) -> list[PairTests]:
    return [pair_tests(a, b) for a, b in legs]


def _stand_back() -> None:
    """The steps come first, and the job itself says when to stop."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
