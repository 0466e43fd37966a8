"""The notifier as a service: reads `alert_events`, tells the addresses of `[notify]`."""

import logging
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial

from notifier.delivery import Delivery, Due
from notifier.outbox import Outbox
from notifier.receivers import receivers_of
from spreadlake.errors import ConfigError, LakeError
from spreadlake.lake import add_counters, atomic, beat, open_notify_writer, set_status, writer_lock
from spreadlake.service import ServiceContext, StopSignal
from spreadlake.status import snapshot

log = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_FORGET_SECONDS = 3600.0


def run(context: ServiceContext) -> None:
    """Tells of alerts until told to stop; the lake may come later than the notifier.

    Raises ConfigError where there is nobody to tell, or an address cannot be understood.
    """
    settings = context.settings.notify
    if not settings.urls:
        raise ConfigError(
            "nobody is to be told of alerts: notify.urls is empty; name an address there, "
            'such as urls = ["json://127.0.0.1:8000/alerts"]'
        )
    receivers = receivers_of(settings.urls)
    stop = StopSignal(context.duration)
    with (
        writer_lock(context.lake, "notifier"),
        closing(open_notify_writer(context.lake)) as db,
    ):
        targets = [receiver.target for receiver in receivers]
        outbox = Outbox(db, targets, settings.max_age_minutes * 60)
        page = context.settings.exporter.browser_url
        deliveries = [Delivery(receiver, outbox, settings, page) for receiver in receivers]
        names = ", ".join(receiver.name for receiver in receivers)
        log.info("telling of alerts: %s", names)
        _Notifier(context, db, outbox, deliveries).run(stop)


class _Notifier:
    def __init__(
        self,
        context: ServiceContext,
        db: sqlite3.Connection,
        outbox: Outbox,
        deliveries: Sequence[Delivery],
    ) -> None:
        self._lake = context.lake
        self._closings = context.settings.notify.closings
        self._db = db
        self._outbox = outbox
        self._deliveries = deliveries
        self._started_ms = time.time_ns() // 1_000_000
        self._unreadable = ""
        self._forgot = float("-inf")

    def run(self, stop: StopSignal) -> None:
        self._step()  # before the analytics job, which starts too, may find events anew
        self._say("running")
        while not stop.wait(_POLL_SECONDS):
            self._step()
            self._say("running")
        self._step()  # what opened since
        self._say("stopped")

    def _step(self) -> None:
        try:
            due = self._look()
        except LakeError as error:
            if str(error) != self._unreadable:
                log.warning("alerts cannot be read: %s", error)
            self._unreadable = str(error)
            return
        self._unreadable = ""
        for delivery, news in due:  # with no transaction open: a receiver may take its time
            self._send(delivery, news)

    def _look(self) -> list[tuple[Delivery, list[Due]]]:
        """What is to be sent now, with the events as they are now."""
        with snapshot(self._lake.analytics_db) as analytics:
            if analytics is None:
                return []
            # The local clock, since trade times are those of a clock as well.
            self._outbox.take_in(analytics, time.time(), self._closings)
            if time.monotonic() - self._forgot > _FORGET_SECONDS:
                self._outbox.forget_old(analytics, time.time())
                self._forgot = time.monotonic()
            find = partial(self._outbox.alerts, analytics)
            due = [(delivery, delivery.due(find)) for delivery in self._deliveries]
            return [(delivery, news) for delivery, news in due if news]

    def _send(self, delivery: Delivery, due: Sequence[Due]) -> None:
        failures = delivery.failures
        told = delivery.send(due)
        counts = {("told", ""): told, ("messages", ""): int(told > 0)}
        counts["failures", ""] = delivery.failures - failures
        with atomic(self._db):
            add_counters(self._db, counts)

    def _say(self, state: str) -> None:
        errors = [delivery.error for delivery in self._deliveries if delivery.error]
        status = {
            "pid": os.getpid(),
            "beat": beat(),
            "started_ms": self._started_ms,
            "state": state,
            "waiting": sum(len(self._outbox.waiting(d.receiver.target)) for d in self._deliveries),
            "error": "; ".join(errors) or self._unreadable or None,
        }
        with atomic(self._db):
            set_status(self._db, time.time_ns() // 1_000_000, {"notifier": status})
