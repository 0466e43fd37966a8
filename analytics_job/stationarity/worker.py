"""Computes the slow statistics beside the steps, in a process of its own."""

import logging
import os
import queue
import signal
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import NamedTuple

from analytics_job.alerts.store import AlertStore
from analytics_job.stationarity.closes import DueBatch, read_closes
from analytics_job.stationarity.store import DueTest, StationarityStore, newest_due
from spreadlake.lake import Lake, atomic
from spreadlake.quant.stationarity import Stationarity, stationarity_of_pairs

log = logging.getLogger(__name__)

_BATCH = 512
_POLL_SECONDS = 0.1
_CLEANED_UP_SECONDS = 5.0

Result = tuple[DueTest, Stationarity]


def compute_due(db: sqlite3.Connection, lake: Lake, count: int = _BATCH) -> list[Result]:
    """The newest tests that are due, computed here and now."""
    batches = read_closes(db, lake, newest_due(db, count))
    return _results(batches, _compute(batches))


def store_results(
    db: sqlite3.Connection,
    store: StationarityStore,
    alerts: AlertStore,
    results: Sequence[Result],
) -> None:
    """Writes results, and lets rules that are gated by them look again."""
    with atomic(db):
        for due, tests in results:
            store.put(due, tests)
            alerts.test_changed(due.key, due.time)


class StationarityWorker:
    """Takes what is due on a thread, computes in a niced process, and hands results to the step."""

    def __init__(self) -> None:
        self._pool = _pool()
        self._batches: queue.Queue[_Batch] = queue.Queue()
        self._closing = threading.Event()

    def run(self, db: sqlite3.Connection, lake: Lake, store: StationarityStore) -> None:
        """One batch, read through `db`: returns when its results have been stored by a step."""
        due = newest_due(db, _BATCH)
        if not due or self._closing.is_set():
            return
        store.begin_batch()
        batches = read_closes(db, lake, due)
        tests = self._computed(batches)
        if not tests:
            return
        self._batches.put(_Batch(store, _results(batches, tests)))
        while self._batches.unfinished_tasks and not self._closing.wait(_POLL_SECONDS):
            pass

    def _computed(self, batches: list[DueBatch]) -> list[list[Stationarity]]:
        """Nothing if the job is ending, or the process did: the tests stay due."""
        try:
            future = self._pool.submit(_compute, batches)
            while not future.done():
                if self._closing.wait(_POLL_SECONDS):
                    return []
            return future.result()
        except RuntimeError as error:  # the process ended, or was given up just now
            if not self._closing.is_set():
                if not isinstance(error, BrokenExecutor):
                    raise
                log.warning("the process of the slow statistics ended; starting another")
                self._pool = _pool()
            return []

    @contextmanager
    def finished(self, store: StationarityStore) -> Iterator[list[Result]]:
        """Results to store; the next batch begins when they have been, or could not be.

        What was changed since the batch was read, and all of it if another store has taken
        over since, is left out and stays due.
        """
        try:
            batch = self._batches.get_nowait()
        except queue.Empty:
            yield []
            return
        try:
            changed = store.changed_in_batch
            same = batch.store is store
            yield [result for result in batch.results if same and result[0] not in changed]
        finally:
            self._batches.task_done()

    def close(self) -> None:
        """Gives up what is being computed: it stays due.

        The process is ended, not waited for: on a busy machine it, being niced, could keep the
        job from stopping in time.
        """
        self._closing.set()
        workers = list((self._pool._processes or {}).values())
        manager = getattr(self._pool, "_executor_manager_thread", None)
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        if manager is not None:
            # It has nothing left to wait for; an interpreter that ends while it cleans up prints a
            # traceback of its own.
            manager.join(_CLEANED_UP_SECONDS)


class _Batch(NamedTuple):
    store: StationarityStore
    results: list[Result]


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), initializer=_stand_back)


def _compute(batches: list[DueBatch]) -> list[list[Stationarity]]:
    return [stationarity_of_pairs(batch.closes, batch.at_a, batch.at_b) for batch in batches]


def _results(batches: list[DueBatch], tests: list[list[Stationarity]]) -> list[Result]:
    return [
        result
        for batch, own in zip(batches, tests, strict=True)
        for result in zip(batch.due, own, strict=True)
    ]


def _stand_back() -> None:
    """The steps come first, and the job itself says when to stop; its death is the end as well."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_job, daemon=True).start()


def _end_with_job() -> None:
    job = parent_process()
    if job is not None:
        job.join()  # on a pipe whose other end closes when the job dies, however it dies
        os._exit(1)
