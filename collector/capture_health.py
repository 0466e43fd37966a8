"""Whether a capture on this machine leaves signs of life in the log; for health checks."""

import asyncio
import socket

from redis.exceptions import RedisError

from collector.broker.registry import seconds_since_told
from collector.broker.server import Server, check_url
from spreadlake.errors import ServiceError
from spreadlake.service import ServiceContext

_LATE_SECONDS = 15.0


def look(context: ServiceContext) -> None:
    """ServiceError where no capture of this host told of itself lately, or the log is away.

    Option: `to`, the address of the log.
    """
    asyncio.run(_look(context, str(context.options["to"])))


async def _look(context: ServiceContext, url: str) -> None:
    check_url(url, "the address")
    server = Server(url, context.settings.redis)
    try:
        age = await seconds_since_told(server, socket.gethostname())
    except RedisError as error:
        raise ServiceError(f"{server.url} cannot be asked: {error}") from None
    finally:
        await server.close()
    if age is None or age > _LATE_SECONDS:
        since = "" if age is None else f" for {age:.0f} s"
        raise ServiceError(
            f"no capture on {socket.gethostname()} has told {server.url} of itself{since}"
        )
