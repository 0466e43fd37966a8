"""Which store writes the lake: the one that holds the lease in Redis, with a token that rises.

The lease decides who begins; that there never are two is decided by the lake, which looks at the
token in every transaction (`spreadlake.lake.databases.fence`).
"""

import asyncio
import logging
from contextlib import suppress

from redis.exceptions import RedisError

from collector.broker import scripts
from collector.broker.server import Server
from collector.log_lines import RateLimitedLog
from spreadlake.errors import ServiceError

log = logging.getLogger(__name__)
_RENEWALS = 3  # within the time that the lease lasts


class LeaseLostError(Exception):
    """Another store has the lease now."""


class Lease:
    """Of one store; lasts `seconds` from every renewal. `token` is 0 before it is held."""

    def __init__(self, server: Server, seconds: float) -> None:
        self._server = server
        self._ms = int(seconds * 1000)
        self.interval = seconds / _RENEWALS
        self.token = 0
        self._warn = RateLimitedLog(log.warning, 30.0)

    async def acquire(self, least: int) -> bool:
        """Whether it is held now; by a token greater than `least`, which the lake has seen."""
        names = self._server.names
        keys = [names.lease, names.tokens]
        self.token = int(await self._server.run(scripts.ACQUIRE, keys, self._ms, least))
        return bool(self.token)

    async def keep(self) -> None:
        """Renews it until cancelled; LeaseLostError where another store has it.

        While Redis cannot be asked nothing is lost by going on: whoever takes over tells the lake.
        """
        names = self._server.names
        while True:
            await asyncio.sleep(self.interval)
            try:
                keys = [names.lease, names.tokens]
                held = await self._server.run(scripts.RENEW, keys, self._ms, self.token)
            except RedisError as error:
                if (reason := self._server.refusal(error)) is not None:
                    raise ServiceError(reason) from error
                self._warn("the lease in %s could not be renewed: %s", self._server.url, error)
                continue
            if not held:
                raise LeaseLostError(
                    f"another store has taken over the lease in {self._server.url}"
                )

    async def release(self) -> None:
        """Lets the next store begin at once."""
        with suppress(RedisError):
            await self._server.run(scripts.RELEASE, [self._server.names.lease], self.token)
