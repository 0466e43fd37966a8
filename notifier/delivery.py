"""Sends what waits: grouped, not too often, and again after a failure."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from notifier.news import AlertRow, News, message_of
from notifier.outbox import Outbox, Waiting
from notifier.receivers import Receiver
from spreadlake.backoff import Backoff
from spreadlake.config.sections import NotifySettings

log = logging.getLogger(__name__)


FindAlerts = Callable[[Iterable[int]], Mapping[int, AlertRow]]


class Due(NamedTuple):
    """What waits to be told, with its event as it is now."""

    waiting: Waiting
    news: News


class Delivery:
    """Messages to one receiver, with links to `page` (None: without); waits are of the monotonic
    clock.
    """

    def __init__(
        self,
        receiver: Receiver,
        outbox: Outbox,
        settings: NotifySettings,
        page: str | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.receiver = receiver
        self.failures = 0
        self.error: str | None = None
        self._outbox = outbox
        self._settings = settings
        self._page = page
        self._monotonic = monotonic
        self._backoff = Backoff(first=5.0, cap=300.0)
        self._first_seen: float | None = None
        self._not_before = float("-inf")

    def due(self, find_alerts: FindAlerts) -> list[Due]:
        """What is to be sent now; nothing while more is waited for, or it is too soon.

        What a rebuild took back waits until it is found again, and the end of an event that is
        open again until it has ended.
        """
        ready = self._ready(find_alerts)
        if not ready:
            self._first_seen = None
            return []
        moment = self._monotonic()
        if self._first_seen is None:
            self._first_seen = moment
        begin = max(self._first_seen + self._settings.group_seconds, self._not_before)
        return ready if moment >= begin else []

    def _ready(self, find_alerts: FindAlerts) -> list[Due]:
        waiting = self._outbox.waiting(self.receiver.target)
        alerts = find_alerts([one.event_id for one in waiting]) if waiting else {}
        return [
            Due(one, News(one.what, alert))
            for one in waiting
            if (alert := alerts.get(one.event_id))
            and (alert.closed_at is not None if one.what == "closed" else not alert.withdrawn)
        ]

    def send(self, due: Sequence[Due]) -> int:
        """Sends one message of all that is due; returns how many news that was, 0 if it failed."""
        news = [one.news for one in due]
        if not self.receiver.send(message_of(news, self._page, self.receiver.letters)):
            self._failed()
            return 0
        self._outbox.told(self.receiver.target, [one.waiting for one in due], time.time())
        self._first_seen = None
        self._backoff.reset()
        self._not_before = self._monotonic() + self._settings.interval
        if self.error:
            log.info("%s takes messages again", self.receiver.name)
        self.error = None
        return len(due)

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
