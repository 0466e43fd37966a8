"""Reads the log as the one store of its group: each entry until it was acknowledged."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from collector.broker import scripts
from collector.broker.entry import EntryError, decoded
from collector.broker.server import Server, is_of_another_type
from collector.log_lines import RateLimitedLog
from collector.storage.batch import PAUSED, Batch
from spreadlake.decoding import UNREADABLE

log = logging.getLogger(__name__)

# Entries that are read at once, and acknowledged in one script.
_AT_ONCE = 64
_BLOCK_MS = 500
# Entries that could not be understood are kept so many, and of each field so many bytes, for
# whoever looks: they are not what the bound of the log counts.
_SET_ASIDE = 20
_SET_ASIDE_BYTES = 4096
_SET_ASIDE_FIELDS = 16
# Answers where somebody deleted the group, or the stream, before or while we waited for entries.
_GONE = ("NOGROUP", "UNBLOCKED", "no such key")
_GONE_MS = 3_600_000  # consumers of stores that ended are not kept for ever


class Read(NamedTuple):
    """Entries by their ids; those that could not be understood have no batch."""

    ids: list[bytes]
    batches: list[Batch]
    malformed: int
    caught_up: bool  # nothing was left in the log when it was asked
    lost: bool = False  # entries were let go, or the log was deleted, before they were read


class LogLook(NamedTuple):
    """What the log is like: entries not delivered yet (`lag`), and not acknowledged (`pending`)."""

    entries: int = 0
    lag: int = 0
    pending: int = 0
    oldest_seconds: float = 0.0
    bytes: int = 0
    dropped: int = 0


class LogConsumer:
    """The consumer of the store with the lease's `token`.

    What a store before it left unacknowledged, and what an answer was lost of, comes again.
    """

    def __init__(self, server: Server, token: int) -> None:
        self._server = server
        self._name = f"store-{token}"
        self._again: bytes | None = b"0"  # entries of ours after this id are read once more
        self._dropped: int | None = None
        self._lost = False
        self._warn = RateLimitedLog(log.error, 60.0)
        self.unacknowledged: list[bytes] = []

    def look_back(self) -> None:
        """Everything that is not acknowledged, whoever read it, comes again with the next read."""
        self._again = b"0"

    async def read(self) -> Read:
        """The next entries; none where none came in a moment. RedisError where it cannot be read.

        After such an error everything of ours that is not acknowledged comes again.
        """
        try:
            return await self._read()
        except RedisError as error:
            self._again = b"0"
            if isinstance(error, ResponseError) and str(error).startswith(_GONE):
                await self._create_group()
                return Read([], [], 0, caught_up=False, lost=True)
            raise

    async def acknowledge(self, ids: Sequence[bytes]) -> None:
        """Their trades are durable: they, and all before them, leave the log."""
        self.unacknowledged += ids
        names = self._server.names
        while self.unacknowledged:
            some = self.unacknowledged[:_AT_ONCE]
            acked = "ACKED" if self._server.trims_acked else ""
            arguments = [names.GROUP, acked, *(one.decode() for one in some)]
            await self._server.run(scripts.ACKNOWLEDGE, [names.stream], *arguments)
            del self.unacknowledged[: len(some)]

    async def dropped_since(self) -> bool:
        """Whether captures let go of trades in the log since it was asked before."""
        names = self._server.names
        try:
            asked = self._server.redis.hmget(names.dropped, ["trades", "told"])
            trades, told = map(_count, await self._server.ask(asked))
        except ResponseError as error:
            if not is_of_another_type(error):
                raise
            return False  # somebody else's; whoever knows ids does without
        before = told if self._dropped is None else self._dropped
        self._dropped = trades
        if trades != before:
            # In a server that is full this has to wait, and making room has not.
            with suppress(OutOfMemoryError):
                await self._server.ask(self._server.redis.hset(names.dropped, "told", str(trades)))
        return trades > before

    async def look(self) -> LogLook:
        """What the log is like now."""
        names = self._server.names
        answer = await self._server.run(scripts.LOOK, [names.stream, names.dropped])
        seconds, size, entries, first, groups, dropped = answer
        oldest = int(seconds) - _numbers(first)[0] / 1000 if first else 0.0
        group = next((g for g in map(_fields, groups) if g["name"] == names.GROUP.encode()), {})
        lag = group.get("lag")
        return LogLook(
            entries,
            entries - int(group.get("pending", 0)) if lag is None else int(lag),
            int(group.get("pending", 0)),
            max(0.0, oldest),
            size,
            _count(dropped),
        )

    async def _read(self) -> Read:
        if self._again == b"0":
            await self._take_from_others()
        if self._again is None:
            answer = await self._group_read(">", _BLOCK_MS)
            entries = _entries(answer)
            return await self._decoded(entries, caught_up=len(entries) < _AT_ONCE)
        entries = _entries(await self._group_read(self._again.decode(), None))
        self._again = entries[-1][0] if entries else None
        done = set(self.unacknowledged)
        left = [one for one in entries if one[0] not in done]
        return await self._decoded(left, caught_up=False)

    async def _group_read(self, after: str, block: int | None) -> Any:
        names = self._server.names
        streams: Any = {names.stream: after}
        return await self._server.ask(
            self._server.redis.xreadgroup(
                names.GROUP, self._name, streams, count=_AT_ONCE, block=block
            )
        )

    async def _take_from_others(self) -> None:
        """What stores before this one had read and did not acknowledge is ours."""
        names, start = self._server.names, b"0-0"
        while True:
            answer = await self._server.ask(
                self._server.redis.xautoclaim(
                    names.stream, names.GROUP, self._name, 0, start, count=_AT_ONCE, justid=False
                )
            )
            start = answer[0]
            self._lost |= any(answer[2:])  # Redis 7 and later tell which of them are gone
            if start == b"0-0":
                break
        for consumer in await self._server.ask(
            self._server.redis.xinfo_consumers(names.stream, names.GROUP)
        ):
            long_gone = consumer["idle"] > _GONE_MS and not consumer["pending"]
            if long_gone and consumer["name"] != self._name.encode():
                await self._server.ask(
                    self._server.redis.xgroup_delconsumer(
                        names.stream, names.GROUP, consumer["name"]
                    )
                )

    async def _create_group(self) -> None:
        names = self._server.names
        await self._server.run(scripts.CREATE_GROUP, [names.stream], names.GROUP)

    async def _decoded(self, entries: list[tuple[bytes, Any]], *, caught_up: bool) -> Read:
        read = Read([one for one, _ in entries], [], 0, caught_up)
        malformed = 0
        for number, fields in entries:
            if not fields:
                self._lost = True  # it was dropped from the log after it was delivered
                continue
            try:
                read.batches.append(self._batch(fields))
            except (EntryError, *UNREADABLE) as error:
                malformed += 1
                await self._set_aside(number, fields, str(error))
        lost, self._lost = self._lost, False
        return read._replace(malformed=malformed, lost=lost)

    def _batch(self, fields: dict[bytes, bytes]) -> Batch:
        batch = decoded(fields.get(b"b", b""))
        of, claim = fields.get(b"of"), self._server.claim
        if claim is not None and of != claim.encode():
            said = (
                "does not say what it holds"
                if of is None
                else f"holds {of.decode(errors='replace')}"
            )
            raise EntryError(f"it {said}, and this is for {claim}")
        lost = msgspec.msgpack.decode(fields.get(b"lost", b"\x90"), type=list[str])
        batch.interrupted |= dict.fromkeys(lost, PAUSED)
        return batch

    async def _set_aside(self, number: bytes, fields: dict[Any, Any], reason: str) -> None:
        """Keeps the newest of what is no entry of ours, and says so; it holds nothing up."""
        names = self._server.names
        self._warn(
            "entry %s of the log is set aside in %s: %s", number.decode(), names.refused, reason
        )
        # One that comes again is there already; and in a server that is full there is no room.
        with suppress(ResponseError):
            await self._server.ask(
                self._server.redis.xadd(
                    names.refused,
                    {**_cut(fields), "refused": reason[:_SET_ASIDE_BYTES]},
                    id=number.decode(),
                    maxlen=_SET_ASIDE,
                    approximate=False,
                )
            )


def _cut(fields: dict[Any, Any]) -> dict[Any, Any]:
    some = list(fields.items())[:_SET_ASIDE_FIELDS]
    return {key[:_SET_ASIDE_BYTES]: value[:_SET_ASIDE_BYTES] for key, value in some}


def _entries(answer: Any) -> list[tuple[bytes, Any]]:
    return list(answer[0][1]) if answer else []


def _count(value: bytes | str | None) -> int:
    return int(value) if value is not None and value.isdigit() else 0


def _numbers(entry_id: bytes) -> tuple[int, int]:
    time_ms, _, number = entry_id.partition(b"-")
    return int(time_ms), int(number or 0)


def _fields(flat: Sequence[Any]) -> dict[str, Any]:
    return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}
