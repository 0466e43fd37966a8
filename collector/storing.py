"""The store as a service: writes a lake out of the log that captures publish to.

Any number of stores may be started on a lake: one holds the lease and writes, the others wait.
"""

import asyncio
import logging
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Self

from redis.exceptions import RedisError

from collector.broker.claims import claim_of
from collector.broker.lease import Lease, LeaseLostError, OtherLakeError, Owner
from collector.broker.log_source import LogSource
from collector.broker.server import Server, check_url, in_words
from collector.keeping import keep_lake, origin_of, venue_name
from collector.log_lines import RateLimitedLog
from collector.timing import set_within
from spreadlake.errors import InputError, LakeError, ServiceError, UnavailableError
from spreadlake.lake import Lake, open_reader, open_ticks_writer, writer_lock
from spreadlake.lake.databases.errors import explain, passes
from spreadlake.lake.databases.fence import FencedError, read_token, take_over
from spreadlake.lake.databases.lake_id import given_lake_id, lake_id
from spreadlake.service import ServiceContext

log = logging.getLogger(__name__)
_OF_ANOTHER_LOG = (
    "%s, and it does not read %s, of which we hold the lease: a lake has one log; end the stores "
    "that read another server, database or redis.prefix, or this one"
)


async def serve_store(context: ServiceContext, stopped: asyncio.Event) -> None:
    """Writes the lake whenever the lease is ours, until `stopped` is set.

    LakeError while a collector writes the lake directly.
    """
    url = str(context.options["from"])
    check_url(url, "--from")
    server = Server(url, context.settings.redis)
    fails = RateLimitedLog(log.warning, 60.0)
    try:
        with _shared_lock(context.lake):
            while not stopped.is_set():
                await _serve_once(context, server, stopped, fails)
    finally:
        await server.close()


@contextmanager
def _shared_lock(lake: Lake) -> Iterator[None]:
    """Stores settle among themselves who writes; whoever captures directly keeps them all out."""
    with ExitStack() as stack:
        try:
            stack.enter_context(writer_lock(lake, "collector", shared=True))
        except LakeError as error:
            raise LakeError(
                f"{error}. A store takes trades from a log, and a collector that captures into the "
                "same lake is not to run beside it"
            ) from None
        yield


async def _serve_once(
    context: ServiceContext, server: Server, stopped: asyncio.Event, fails: RateLimitedLog
) -> None:
    """Waits for the lease, and keeps the lake until it is lost or `stopped` is set."""
    claim = claim_of(context.settings.exchange.trades, origin_of(context), venue_name(context))
    lease = Lease(server, context.settings.redis.lease_seconds)
    if not await _acquired(context.lake, server, claim, lease, stopped):
        return
    try:
        with closing(open_ticks_writer(context.lake)) as db, RollTurn(context.lake) as turn:
            take_over(db, lease.token)
            await lease.own(Owner(given_lake_id(db), _place(context.lake)))
            log.info("writing the lake, with token %d of %s", lease.token, server.url)
            await keep_lake(
                context,
                db,
                stopped,
                lambda resources, _: LogSource(resources, server, claim, lease),
                turn.is_ours,
            )
    except LeaseLostError as error:
        log.warning("%s; waiting until it ends", error)
    except FencedError as error:
        if lease.owned and await lease.is_ours():
            # No lease keeps the two from taking over from each other; so each reads for a while.
            fails(_OF_ANOTHER_LOG, error, server.url)
            await lease.release()
            await set_within(stopped, context.settings.redis.lease_seconds)
        else:
            log.warning("%s; waiting until it ends", error)
    except RedisError as error:
        fails("%s cannot be reached (%s); tried again", server.url, in_words(error))
        await set_within(stopped, lease.interval)
    except (UnavailableError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.Error) and not passes(error):
            raise explain(error, context.lake.ticks_db) from error
        # Say, a store that sleeps within a transaction keeps it locked.
        fails("the lake cannot be written now (%s); tried again", error)
        await set_within(stopped, lease.interval)
    finally:
        await lease.release()


async def _acquired(
    lake: Lake, server: Server, claim: str, lease: Lease, stopped: asyncio.Event
) -> bool:
    """Whether the lease is ours; False once `stopped` is set."""
    waits = RateLimitedLog(log.info, 600.0)
    fails = RateLimitedLog(log.warning, 30.0)
    while not stopped.is_set():
        try:
            await server.look(claim)
            token, own_id = _known(lake)
            if await lease.acquire(token, own_id):
                return True
            waits("another store reads %s; waiting to take over when it ends", server.url)
        except OtherLakeError as error:
            if _known(lake)[1] == own_id:  # else another store has just made the lake
                raise InputError(_of_another(server, error)) from None
        except RedisError as error:
            if (reason := server.refusal(error)) is not None:
                raise ServiceError(reason) from error
            fails("%s cannot be reached (%s); tried again", server.url, in_words(error))
        await set_within(stopped, lease.interval)
    return False


class RollTurn:
    """Whether this process may write and remove partitions: files know no fence.

    A store that was thought dead and only slept may go on in the middle of a file. Until it has
    ended, what is finished stays in ticks.db.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._held = ExitStack()
        self._ours = False
        self._warn = RateLimitedLog(log.warning, 600.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()

    def is_ours(self) -> bool:
        """Takes the turn, where nobody has it; it is kept to the end."""
        if not self._ours:
            try:
                self._held.enter_context(writer_lock(self._lake, "roll"))
            except LakeError as error:
                self._warn("finished hours are not rolled now: %s", error)
                return False
            self._ours = True
        return True


def _known(lake: Lake) -> tuple[int, str]:
    """The greatest token that the lake has seen, and its id; 0 and nothing where it is new.

    A token of a Redis that lost its own is greater than this one.
    """
    if not lake.ticks_db.exists():
        return 0, ""
    with closing(open_reader(lake.ticks_db)) as db:
        try:
            return read_token(db), lake_id(db) or ""
        except sqlite3.OperationalError:  # its tables are yet to be made
            return 0, ""


def _place(lake: Lake) -> str:
    return f"{lake.root.resolve()} on {socket.gethostname()}"


def _of_another(server: Server, place: object) -> str:
    return (
        f"the log in {server.url} is of another lake ({place}), which has not read it to its end: "
        "what this one took out of it would be missing there. Choose that lake with --data; or "
        "give this one a log of its own, by another redis.prefix here and for its captures; or, "
        f"where that lake is gone for good, forget it: {server.client} DEL {server.names.lake}"
    )
