"""The analytics job as a service: APScheduler calls a step every `job.interval` seconds."""

import logging

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from analytics_job.job import AnalyticsJob
from spreadlake.lake import writer_lock
from spreadlake.service import ServiceContext, StopSignal

__all__ = ["run"]

log = logging.getLogger(__name__)


def run(context: ServiceContext) -> None:
    """Runs the job until told to stop; with the option `once`, takes in what there is and ends.

    Options: `once`; `lateness` 0 also makes those bars final that nothing more will come for.
    """
    stop = StopSignal(context.duration)
    with writer_lock(context.lake, "analytics-job"):
        job = AnalyticsJob(context.lake, context.settings)
        try:
            if not context.options.get("once"):
                _schedule(job, context, stop)
            job.step()
            if context.options.get("lateness") == 0:
                job.settle()
        finally:
            job.close()


def _schedule(job: AnalyticsJob, context: ServiceContext, stop: StopSignal) -> None:
    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={"default": ThreadPoolExecutor(1)},
        # A step that comes late still runs, once: it takes in all that waited.
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    failures: list[BaseException] = []

    def failed(event: JobExecutionEvent) -> None:
        failures.append(event.exception)
        stop.set()

    scheduler.add_listener(failed, EVENT_JOB_ERROR)
    scheduler.add_job(job.step, "interval", seconds=context.settings.job.interval, id="step")
    scheduler.start()
    log.info("analysing every %g s", context.settings.job.interval)
    try:
        stop.wait()
    finally:
        scheduler.shutdown(wait=True)
    if failures:
        raise failures[0]
