"""Sends what waits: grouped, not too often, and again after a failure."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from notifier.news import AlertRow, News, message_of
from notifier.outbox import Outbox, Waiting
from notifier.receivers import Receiver
from spreadlake.backoff import Backoff
from spreadlake.config.sections import NotifySettings

log = logging.getLogger(__name__)


class Delivery:
    """Messages to one receiver; waits are of the monotonic clock."""

    def __init__(
        self,
        receiver: Receiver,
        outbox: Outbox,
        settings: NotifySettings,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.receiver = receiver
        self.failures = 0
        self.error: str | None = None
        self._outbox = outbox
        self._settings = settings
        self._monotonic = monotonic
        self._backoff = Backoff(first=5.0, cap=300.0)
        self._first_seen: float | None = None
        self._not_before = float("-inf")

    def due(self) -> list[Waiting]:
        """What is to be sent now; nothing while more is waited for, or it is too soon."""
        waiting = self._outbox.waiting(self.receiver.target)
        if not waiting:
            self._first_seen = None
            return []
        moment = self._monotonic()
        if self._first_seen is None:
            self._first_seen = moment
        begin = max(self._first_seen + self._settings.group_seconds, self._not_before)
        return waiting if moment >= begin else []

    def send(self, waiting: Sequence[Waiting], alerts: Mapping[int, AlertRow]) -> int:
        """Sends one message of all that waits; returns of how many news it told, 0 if it failed.

        What is not among `alerts` was taken back by a rebuild; it waits to be found again.
        """
        there = [one for one in waiting if one.event_id in alerts]
        if not there:
            return 0
        news = [News(one.what, alerts[one.event_id]) for one in there]
        if not self.receiver.send(message_of(news)):
            self._failed()
            return 0
        self._outbox.told(self.receiver.target, there, time.time())
        self._first_seen = None
        self._backoff.reset()
        self._not_before = self._monotonic() + self._settings.interval
        if self.error:
            log.info("%s takes messages again", self.receiver.name)
        self.error = None
        return len(news)

    def _failed(self) -> None:
        self.failures += 1
        delay = self._backoff.next()
        self._not_before = self._monotonic() + delay
        self.error = f"{self.receiver.name} did not take the last message"
        log.warning(
            "%s did not take a message; it waits, and is sent again in %.0f s",
            self.receiver.name,
            delay,
        )
