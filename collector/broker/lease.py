"""Which store writes the lake: the one that holds the lease in Redis, with a token that rises.

The lease decides who begins; that there never are two is decided by the lake, which looks at the
token in every transaction (`spreadlake.lake.databases.fence`).
"""

import asyncio
import logging
from contextlib import suppress
from typing import NamedTuple

from redis.exceptions import RedisError

from collector.broker import scripts
from collector.broker.server import Server, in_words
from collector.log_lines import RateLimitedLog
from spreadlake.errors import ServiceError

log = logging.getLogger(__name__)
_RENEWALS = 3  # within the time that the lease lasts
_RELEASE_SECONDS = 1.0


class LeaseLostError(Exception):
    """Another store has the lease now."""


class OtherLakeError(Exception):
    """The log is another lake's, which is called as the message says."""


class Owner(NamedTuple):
    """The lake that a log is for: its id, and where it is, for messages."""

    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.id} {self.name}"


class Lease:
    """Of one store; lasts `seconds` from every renewal. `token` is 0 before it is held.

    With it goes the log: to one lake, until there is nothing in it that this lake has not stored.
    """

    def __init__(self, server: Server, seconds: float) -> None:
        self._server = server
        self._ms = int(seconds * 1000)
        self.interval = seconds / _RENEWALS
        self.token = 0
        self.owned = False  # the lake was taken over with it
        self._owner = Owner("", "")
        self._warn = RateLimitedLog(log.warning, 30.0)

    async def acquire(self, least: int, lake: str) -> bool:
        """Whether it is held now, for the lake of that id, which is empty for one without any yet.

        By a token greater than `least`, which the lake has seen. OtherLakeError where the log is
        another lake's.
        """
        names = self._server.names
        keys = [names.lease, names.tokens, names.lake, names.stream]
        answer = await self._server.run(scripts.ACQUIRE, keys, self._ms, least, lake)
        if isinstance(answer, bytes):
            raise OtherLakeError(answer.decode(errors="replace").partition(" ")[2])
        self.token = int(answer)
        return bool(self.token)

    async def own(self, owner: Owner) -> None:
        """Writes down whose log it is; LeaseLostError where the lease was lost meanwhile."""
        self._owner = owner
        if not await self._renew():
            raise self._lost()
        self.owned = True

    async def keep(self) -> None:
        """Renews it until cancelled; LeaseLostError where another store has it.

        While Redis cannot be asked nothing is lost by going on: whoever takes over tells the lake.
        """
        while True:
            await asyncio.sleep(self.interval)
            try:
                held = await self._renew()
            except RedisError as error:
                if (reason := self._server.refusal(error)) is not None:
                    raise ServiceError(reason) from error
                self._warn(
                    "the lease in %s could not be renewed: %s", self._server.url, in_words(error)
                )
                continue
            if not held:
                raise self._lost()

    async def _renew(self) -> bool:
        names = self._server.names
        keys = [names.lease, names.tokens, names.lake]
        return bool(await self._server.run(scripts.RENEW, keys, self._ms, self.token, self._owner))

    def _lost(self) -> LeaseLostError:
        return LeaseLostError(f"another store has taken over the lease in {self._server.url}")

    async def is_ours(self) -> bool:
        """Whether it is held still, as far as can be told."""
        try:
            return await self._renew()
        except RedisError:
            return False

    async def release(self) -> None:
        """Lets the next store begin at once; where Redis says nothing, when the lease is over."""
        with suppress(RedisError, TimeoutError):
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._release()

    async def _release(self) -> None:
        await self._server.run(scripts.RELEASE, [self._server.names.lease], self.token)
