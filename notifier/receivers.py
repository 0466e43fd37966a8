"""The addresses of `[notify]`, as apprise sends to them."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apprise

from notifier.news import MOST_LETTERS, Message
from spreadlake.errors import ConfigError

_TITLE = 100  # letters of a title, about
_HELP = "see https://appriseit.com for how each receiver's address is written"


@dataclass(frozen=True)
class Receiver:
    """One address. `name` hides its secrets; `target` tells it from others, and holds none.

    A body of more than `letters` it may not take: Discord has 2,000, Telegram 4,096.
    """

    name: str
    target: str
    letters: int
    _sender: apprise.Apprise

    def send(self, message: Message) -> bool:
        """Whether the receiver has taken the message; blocks for some seconds at most."""
        return bool(
            self._sender.notify(
                title=message.title,
                body=message.body,
                notify_type=apprise.NotifyType.WARNING,
                body_format=apprise.NotifyFormat.TEXT,
            )
        )


def receivers_of(urls: Sequence[str]) -> list[Receiver]:
    """A receiver for each address; ConfigError for one that cannot be understood."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # what it says may hold the address
    return [_receiver(number, url) for number, url in enumerate(urls, 1)]


def _receiver(number: int, url: str) -> Receiver:
    sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="spreadlake", app_desc=""))
    if not sender.add(url):
        # Not the address itself: it may hold a password.
        scheme = url.split("://", 1)[0] if "://" in url else "no scheme"
        raise ConfigError(
            f"notify.urls: address {number} ({scheme}) is not one that apprise understands; {_HELP}"
        )
    target = hashlib.blake2b(url.encode(), digest_size=8).hexdigest()
    name = str(sender[0].url(privacy=True))  # type: ignore[no-untyped-call]
    return Receiver(name.split("?", maxsplit=1)[0], target, _letters(sender[0]), sender)


def _letters(service: Any) -> int:
    """What the service takes, less the title where that is a part of it, and what is escaped."""
    if service.overflow_mode != apprise.OverflowMode.UPSTREAM:
        return MOST_LETTERS  # the address says that apprise splits or cuts it
    taken = int(service.body_maxlen) * 9 // 10
    return min(MOST_LETTERS, taken - (_TITLE if int(service.title_maxlen) <= 0 else 0))
