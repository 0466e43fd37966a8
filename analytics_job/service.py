"""The analytics job as a service.

APScheduler calls a step every `job.interval` seconds, and when a bar has become final.
"""

import logging
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from analytics_job.followed_settings import FollowedSettings
from analytics_job.job import AnalyticsJob
from analytics_job.scheduler import Scheduler
from analytics_job.ticks.arrivals import Arrivals
from spreadlake.cluster import open_tasks
from spreadlake.errors import ServiceError
from spreadlake.lake import Lake, writer_lock
from spreadlake.service import ServiceContext, StopSignal
from spreadlake.work import Work

log = logging.getLogger(__name__)

# What is read once: by the job, by the exporter and by the notifier.
_AT_NEXT_START = ("job.interval", "exporter.", "notify.")
_SLOW_SECONDS = 1.0  # between looks at what slow statistics, and screens, are due
_HISTORY_SECONDS = 0.2  # for imported hours and late rows, after what is new in a step
_ROLL_SECONDS = 2.0  # between pieces of old analytics that roll to Parquet


def run(context: ServiceContext) -> None:
    """Runs the job until told to stop.

    Options: `once` takes in what there is and ends; `rebuild` computes everything again from
    the trades, from the Unix second `from` on where that is given, and ends. Their slow statistics
    are computed on a `cluster` where one is named. `tell` is told how far such long work is.
    """
    options = context.options
    runs_once = options.get("once") or options.get("rebuild")
    # Before the job writes that it is there: who reads that may tell it to stop at once.
    stop = None if runs_once else StopSignal(context.duration)
    with writer_lock(context.lake, "analytics-job"):
        watch = None if runs_once else context.config_watch()
        if watch is not None:
            watch.at_next_start = _AT_NEXT_START
        followed = FollowedSettings(context.lake, context.settings, watch)
        job = AnalyticsJob(context.lake, followed.settings)
        work = job.heartbeat.work
        work.tell = options.get("tell", work.tell)
        try:
            if stop is None:
                _run_once(job, context.lake, options)
            else:
                _run_scheduled(job, context, followed, stop)
        finally:
            job.close()


def _run_once(job: AnalyticsJob, lake: Lake, options: Mapping[str, Any]) -> None:
    with open_tasks(options.get("cluster"), lake, log.warning) as tasks:
        if options.get("rebuild"):
            start = options.get("from")
            job.rebuild(None if start is None else int(start))
        job.step()
        if job.error:
            raise ServiceError(f"not all could be analysed: {job.error}")
        job.finish_tests(tasks)
    while job.roll_piece():
        job.heartbeat.work.take(Work("moving to Parquet", "piece", None))


def _run_scheduled(
    job: AnalyticsJob, context: ServiceContext, followed: FollowedSettings, stop: StopSignal
) -> None:
    job.history_seconds = _HISTORY_SECONDS
    settings = context.settings

    def step() -> None:
        changed = followed.changed()
        job.heartbeat.refused = followed.refused
        if changed is not None:
            job.configure(changed)
        job.step()

    with closing(Arrivals(context.lake, lambda: job.next_final_ms)) as arrivals:
        scheduler = Scheduler()
        scheduler.add("step", step, settings.job.interval, early=arrivals)
        scheduler.add("slow", job.run_slow_tests, _SLOW_SECONDS, thread="slow")
        scheduler.add("screens", job.run_screens, _SLOW_SECONDS, thread="screens")
        # On the step's own thread, a piece at a time, so that steps go on in between.
        scheduler.add("roll", job.roll_piece, _ROLL_SECONDS)
        job.start_beside()
        log.info("analysing every %g s, and when a bar has become final", settings.job.interval)
        scheduler.run(stop, on_end=job.stop_beside)
    job.step()  # what came since the last one
