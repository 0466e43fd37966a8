"""The analytics job as a service: APScheduler calls a step every `job.interval` seconds."""

import logging
import math
import time
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from analytics_job.job import AnalyticsJob
from analytics_job.watch import ConfigWatch
from spreadlake.errors import ServiceError
from spreadlake.lake import writer_lock
from spreadlake.service import ServiceContext, StopSignal

__all__ = ["run"]

log = logging.getLogger(__name__)

_COMMIT_SECONDS = 0.1  # from a trade to its commit, with room for a slow disk
_SLOW_SECONDS = 1.0  # between looks at what slow statistics are due
_ROLL_SECONDS = 2.0  # between pieces of old analytics that roll to Parquet


def run(context: ServiceContext) -> None:
    """Runs the job until told to stop.

    Options: `once` takes in what there is and ends; `rebuild` computes everything again from
    the trades, from the Unix second `from` on where that is given, and ends.
    """
    options = context.options
    with writer_lock(context.lake, "analytics-job"):
        job = AnalyticsJob(context.lake, context.settings)
        try:
            if options.get("rebuild"):
                start = options.get("from")
                job.rebuild(None if start is None else int(start))
            if options.get("once") or options.get("rebuild"):
                job.step()
                if job.error:
                    raise ServiceError(f"not all could be analysed: {job.error}")
                job.finish_tests()
                while job.roll_piece():
                    pass
            else:
                _run_scheduled(job, context)
        finally:
            job.close()


def _run_scheduled(job: AnalyticsJob, context: ServiceContext) -> None:
    stop = StopSignal(context.duration)
    failures: list[BaseException] = []

    def failed(event: JobExecutionEvent) -> None:
        failures.append(event.exception)
        stop.set()

    job.start_slow_tests()
    scheduler = _scheduler(job, context)
    scheduler.add_listener(failed, EVENT_JOB_ERROR)
    scheduler.start()
    log.info("analysing every %g s", context.settings.job.interval)
    try:
        stop.wait()
    finally:
        job.stop_slow_tests()
        scheduler.shutdown(wait=True)
    if failures:
        raise failures[0]
    job.step()  # what came since the last one


def _first_step(interval: float, lateness: float) -> datetime:
    """In step with the second: just after the trades that make a bar final were committed.

    Where the interval divides a second this saves half of it, on average, between the end of a
    bar and its analytics; elsewhere, or where clocks differ, it costs nothing.
    """
    begin = math.ceil(time.time() / interval) * interval + (lateness + _COMMIT_SECONDS) % interval
    return datetime.fromtimestamp(begin, UTC)


def _scheduler(job: AnalyticsJob, context: ServiceContext) -> BackgroundScheduler:
    watch = ConfigWatch(context.config, context.settings)

    def step() -> None:
        edited = watch.edited()
        if edited is not None:
            job.configure(edited)
        job.step()

    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={"default": ThreadPoolExecutor(1), "slow": ThreadPoolExecutor(1)},
        # A step that comes late still runs, once: it takes in all that waited.
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    interval, lateness = context.settings.job.interval, context.settings.job.lateness
    scheduler.add_job(
        step, "interval", seconds=interval, start_date=_first_step(interval, lateness), id="step"
    )
    scheduler.add_job(
        job.run_slow_tests, "interval", seconds=_SLOW_SECONDS, id="slow", executor="slow"
    )
    # On the step's own thread, a piece at a time, so that steps go on in between.
    scheduler.add_job(job.roll_piece, "interval", seconds=_ROLL_SECONDS, id="roll")
    return scheduler
