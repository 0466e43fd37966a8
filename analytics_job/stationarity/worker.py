"""Computes the slow statistics beside the steps, in a process of its own."""

import queue
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from analytics_job.alerts.store import AlertStore
from analytics_job.background import NicedProcess
from analytics_job.stationarity.closes import DueBatch, read_closes
from analytics_job.stationarity.store import DueTest, StationarityStore, newest_due
from spreadlake.lake import Lake, atomic, open_reader
from spreadlake.quant.stationarity import Stationarity, stationarity_of_pairs
from spreadlake.series import Prices
from spreadlake.tasks import Tasks, spread

_BATCH = 512
_AHEAD = 256  # batches that are known at a time where many compute
_POLL_SECONDS = 0.1

Result = tuple[DueTest, Stationarity]


@dataclass(frozen=True)
class TestsTask:
    """Computes tests, from the closes that it reads by itself."""

    lake: Lake
    prices: Prices

    def __call__(self, due: Sequence[DueTest]) -> list[Result]:
        """In an order of its own."""
        with closing(open_reader(self.lake.analytics_db)) as db:
            batches = read_closes(db, self.lake, due, self.prices)
        return _results(batches, _compute(batches))


def compute_due(
    db: sqlite3.Connection, lake: Lake, prices: Prices, tasks: Tasks, count: int = _BATCH
) -> Iterator[list[Result]]:
    """The tests that are due, some at a time from the newest on; those are to be stored at once."""
    task = TestsTask(lake, prices)
    some = count * spread(_AHEAD, tasks.workers)
    while due := newest_due(db, some):
        yield from tasks.map(task, [due[at : at + count] for at in range(0, len(due), count)])


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
        self._process = NicedProcess("slow statistics")
        self._batches: queue.Queue[_Batch] = queue.Queue()

    def run(self, db: sqlite3.Connection, lake: Lake, store: StationarityStore) -> None:
        """One batch, read through `db`: returns when its results have been stored by a step.

        If the job is ending, or the process did, the tests stay due.
        """
        due = newest_due(db, _BATCH)
        if not due or self._process.closing.is_set():
            return
        store.begin_batch()
        batches = read_closes(db, lake, due, store.prices)
        tests = self._process.compute(_compute, batches)
        if not tests:
            return
        self._batches.put(_Batch(store, _results(batches, tests)))
        while self._batches.unfinished_tasks and not self._process.closing.wait(_POLL_SECONDS):
            pass

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
        """Gives up what is being computed: it stays due."""
        self._process.close()


class _Batch(NamedTuple):
    store: StationarityStore
    results: list[Result]


def _compute(batches: list[DueBatch]) -> list[list[Stationarity]]:
    return [
        stationarity_of_pairs(batch.closes, batch.at_a, batch.at_b, batch.prices)
        for batch in batches
    ]


def _results(batches: list[DueBatch], tests: list[list[Stationarity]]) -> list[Result]:
    return [
        result
        for batch, own in zip(batches, tests, strict=True)
        for result in zip(batch.due, own, strict=True)
    ]
