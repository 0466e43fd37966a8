"""The job's work, step by step: what the scheduler calls."""

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from analytics_job.archive.damage import (
    archive_trouble,
    compute_again,
    past_damaged_files,
    quarantine,
)
from analytics_job.archive.retention import Retention
from analytics_job.heartbeat import Heartbeat
from analytics_job.history import configuration
from analytics_job.history.backfill import History
from analytics_job.history.klines import KlineHistory
from analytics_job.history.rebuild import begin_rebuild
from analytics_job.history.waiting import Waiting
from analytics_job.pipeline import Pipeline
from analytics_job.screens.following import with_choices
from analytics_job.screens.screener import Screener
from analytics_job.stationarity.worker import Result, StationarityWorker, compute_due, store_results
from analytics_job.ticks.tail import TickTail
from spreadlake.config import Settings
from spreadlake.errors import DamagedFileError, LakeError, ServiceError, UnavailableError
from spreadlake.lake import Lake, open_analytics_writer, open_reader
from spreadlake.lake.databases.errors import explain
from spreadlake.lake.databases.presence import Presence
from spreadlake.lake.databases.wal import WalKeeper
from spreadlake.tasks import HERE, Tasks
from spreadlake.work import Work

log = logging.getLogger(__name__)

_COMPLAINT_SECONDS = 30.0


class AnalyticsJob:
    """Holds the writer's connection to `analytics.db` and does one step after another."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        self._lake = lake
        self._open()
        self._tail = TickTail(lake)
        self._slow: StationarityWorker | None = None
        self._screener: Screener | None = None
        self._damage: DamagedFileError | None = None
        self._not_rolled, self._rolls_failed = "", False
        self._complaint_due, self._error, self._waiting = 0.0, "", Waiting()
        self.heartbeat = Heartbeat()
        self.history_seconds: float | None = None  # in each step; None: all it takes
        self._taking = False  # new trades in, just now
        self._settings = settings
        past_damaged_files(self._db, lake, self._prepare)

    def _open(self) -> None:
        self._db = open_analytics_writer(self._lake)
        self._presence = Presence(self._lake.analytics_db)
        self._wal = WalKeeper(self._db, self._lake.analytics_db)

    def _open_again(self) -> None:
        """What is written to a file without a name is lost: everything is computed anew."""
        if not self._lake.root.is_dir():
            raise ServiceError(
                f"the folder of the lake, {self._lake.root}, was moved or deleted while the "
                "analytics job worked on it; what is computed from now on goes to a new one"
            )
        log.error(
            "%s was deleted or moved away while the analytics job wrote it; all of it is computed "
            "again from the trades",
            self._lake.analytics_db,
        )
        self._ready = False
        self._db.close()
        self._open()

    def configure(self, settings: Settings) -> None:
        """Takes on edited settings; the next step tries again where they cannot be stored now."""
        self._settings = settings
        self._ready = False
        self._guarded(self._prepare)

    def _prepare(self) -> None:
        """Brings the tables in line with the settings, and reads where the work stands."""
        settings = with_choices(self._db, self._settings)
        self._ready = False
        self._pipeline = Pipeline(self._db, self._lake, settings)
        hours = settings.storage.analytics_hours
        self._history = History(self._db, self._lake, self._pipeline, settings.storage)
        self._pipeline.on_commit = self._on_commit
        self._retention = Retention(
            self._db, self._lake, hours, settings.storage.removed_days, settings.storage.alert_days
        )
        configuration.sync_page(self._db, settings.exporter)
        configuration.sync_breaks(self._db, self._pipeline)
        configuration.sync_timeframes(self._db, self._pipeline)
        due, new = configuration.sync_series(self._db, self._pipeline, settings)
        if due:
            self._history.newest()
        configuration.sync_rules(self._db, self._pipeline, settings, new)
        self._klines = KlineHistory(self._db, self._tail, self._pipeline)
        self._ready, self._may_be_due = True, True

    def step(self) -> None:
        """Takes in everything that is new.

        A database that is locked or out of room is told and tried again: what the failed
        transaction had in memory is read again from the lake.
        """
        begin = time.perf_counter()
        self._guarded(self._work)
        while not (self._ready or self._error):  # a damaged file is out of the way
            self._guarded(self._work)
        self.heartbeat.count_step(time.perf_counter() - begin)
        self._report()

    def rebuild(self, start: int | None) -> None:
        """Computes everything from the second `start` on (None: all) again from the trades."""
        begin_rebuild(self._db, self._lake, self._pipeline, start)
        past_damaged_files(self._db, self._lake, self._prepare)
        self._history.work()

    def roll_piece(self) -> bool:
        """Rolls one piece of old analytics to Parquet; False when there is none left for now."""
        try:
            more = self._retention.roll_piece(self._pipeline.position.watermark_ms)
        except (OSError, LakeError) as error:
            # The other pieces can be rolled all the same.
            self._rolls_failed = True
            self._not_rolled = self._quarantine(error)
            return True
        except sqlite3.Error as error:
            self._complain(error)
            return False
        if not more:
            self._not_rolled = self._not_rolled if self._rolls_failed else ""
            self._rolls_failed = False
        return more

    def start_beside(self) -> None:
        """From now on slow statistics and screens are computed, in processes of their own."""
        self._slow, self._screener = StationarityWorker(), Screener(self._lake)

    def run_slow_tests(self) -> None:
        """One batch of slow statistics; called on a thread of its own."""
        if self._slow is None:
            return
        try:
            with closing(open_reader(self._lake.analytics_db)) as db:
                self._slow.run(db, self._lake, self._pipeline.stationarity)
        except DamagedFileError as error:
            self._damage = error
        except (sqlite3.Error, LakeError):
            return  # the step, which meets the same, tells it

    def run_screens(self) -> None:
        """Takes the screen that is due; called on a thread of its own."""
        if self._screener is None:
            return
        settings, final = self._settings, self._pipeline.position.final
        try:
            with closing(open_reader(self._lake.analytics_db)) as db:
                self._screener.run(db, settings, settings.symbols, final)
        except (sqlite3.Error, LakeError):
            return  # the step, which meets the same, tells it
        self.heartbeat.screen = self._screener.message

    def finish_tests(self, tasks: Tasks = HERE) -> None:
        """Computes all slow statistics that are due, here and now or where `tasks` run."""
        try:
            self._tell_tests()
            for results in compute_due(self._db, self._lake, self._pipeline.plan.prices, tasks):
                self._store_results(results)
                self._tell_tests()
                self._report()
        except DamagedFileError as error:
            if self._quarantine(error):
                raise
            self.step()
            self.finish_tests(tasks)

    def stop_beside(self) -> None:
        """Ends the processes beside the steps; what they had not finished stays due."""
        for one in (self._slow, self._screener):
            if one is not None:
                one.close()

    def close(self) -> None:
        """Leaves a last status and closes the databases."""
        self.heartbeat.due = 0.0
        self._report(state="stopped")
        self._tail.close()
        self._wal.empty()
        self._db.close()

    @property
    def next_final_ms(self) -> int | None:
        """The trade time with which the next second becomes final; None before the first one."""
        return self._pipeline.next_final_ms

    @property
    def error(self) -> str:
        """What kept the last step from its work; empty where nothing did."""
        return self._error

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except DamagedFileError as error:
            self._ready = False
            self._error = self._quarantine(error)
        except (sqlite3.Error, UnavailableError) as error:
            self._ready = False
            self._complain(error)
        else:
            self._error = self._waiting.reason

    def _quarantine(self, error: OSError | LakeError) -> str:
        """Sets a damaged file aside; says what is left to say."""
        if isinstance(error, DamagedFileError) and quarantine(self._db, self._lake, error):
            self._ready = False
            return ""
        self._tell(str(error))
        return f"{error}; trying again"

    def _work(self) -> None:
        if self._presence.lost:
            self._open_again()
        if self._damage is not None:
            damage, self._damage = self._damage, None
            raise damage
        if not self._ready:
            self._prepare()
        if self._may_be_due:
            compute_again(self._db, self._lake, self._pipeline)
            self._may_be_due = False
        self._take_in_all()
        self._store_slow_results()
        if self._screener is not None and self._screener.store(self._db, self._settings):
            self._ready = False  # the pairs are others now, before anything else is taken in
        self._wal.keep()

    def _take_in_all(self) -> None:
        """What is new first; then of history as much as there is time for."""
        end = self._tail.source_end()  # before the trades, which are then all that it speaks of
        more = True
        while more:
            new = self._tail.read(self._pipeline.read_seq, self._pipeline.bars.stops.seq)
            self._pipeline.bars.stops.take(new.changes)
            self._taking = new.trades.height > 0
            self._pipeline.ingest(new.trades, new.seq, new.hours)
            self._taking, more = False, new.more
        for _ in range(2):  # the end of a source makes bars, and those rows
            self._waiting.run(self._klines.take, self.history_seconds)
            self._waiting.run(self._history.work, self.history_seconds)
            self._pipeline.finish(end)

    def _store_slow_results(self) -> None:
        if self._slow is not None:
            with self._slow.finished(self._pipeline.stationarity) as results:
                if results:
                    self._store_results(results)

    def _store_results(self, results: Sequence[Result]) -> None:
        store_results(self._db, self._pipeline.stationarity, self._pipeline.alerts, results)

    def _complain(self, error: Exception) -> None:
        """Tells what passes; raises what does not."""
        if isinstance(error, sqlite3.Error):
            error = explain(error, self._lake.analytics_db)
            if not isinstance(error, UnavailableError):
                raise error
        what = error.reason if isinstance(error, UnavailableError) else str(error)
        self._error = f"{what}; trying again"
        self._tell(what)

    def _tell(self, what: str) -> None:
        if time.monotonic() >= self._complaint_due:
            self._complaint_due = time.monotonic() + _COMPLAINT_SECONDS
            log.error("%s; trying again", what)

    def _tell_tests(self) -> None:
        if left := self._pipeline.stationarity.count:
            self.heartbeat.work.take(Work("slow statistics", "row", left))

    def _on_commit(self) -> None:
        self._history.tell(self.heartbeat.work, taking=self._taking)
        self._report()

    def _report(self, state: str = "running") -> None:
        if not self.heartbeat.is_due:
            return
        archive = archive_trouble(self._db, self._lake, self._not_rolled)
        try:
            self.heartbeat.write(self._db, self._pipeline, state, self._error, archive)
        except sqlite3.Error as error:
            self._complain(error)
