"""What a capture does with entries of which the log took some."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError

from collector.broker.entry import decoded
from collector.broker.publisher import Publisher
from collector.broker.server import Names, Server
from collector.storage.batch import Batch
from collector.timing import Timing
from spreadlake.config import load_settings
from spreadlake.errors import ServiceError
from spreadlake.trades import TradeEvent
from tests.collector.broker.servers import redis_server


class Log:
    """Stands in for a server that refuses the entries of `refused` once each."""

    names = Names("log")
    url = "redis://nowhere"

    def __init__(self, *refused: int) -> None:
        self.refused = set(refused)
        self.taken: list[int] = []
        self.redis = SimpleNamespace(pipeline=lambda **_: Pipeline(self))

    async def look(self, *_: object, **__: object) -> None:
        pass

    async def ask(self, question: Awaitable[Any]) -> Any:
        return await question

    async def run(self, *_: object) -> tuple[int, int, int]:
        return 0, 0, 0

    def refusal(self, _: Exception) -> None:
        return None


class Pipeline:
    def __init__(self, log: Log) -> None:
        self.log, self.ids = log, list[int]()

    def xadd(self, stream: str, fields: dict[str, Any]) -> None:
        assert stream == self.log.names.stream
        self.ids.append(decoded(fields["b"]).events[0].trade_id)

    async def execute(self, *, raise_on_error: bool) -> list[object]:
        assert not raise_on_error
        return [self._answer(number) for number in self.ids]

    def _answer(self, number: int) -> object:
        if number in self.log.refused:
            self.log.refused.remove(number)
            return OutOfMemoryError("OOM command not allowed")
        self.log.taken.append(number)
        return b"1-1"


def test_what_the_log_did_not_take_is_sent_again_and_nothing_else() -> None:
    async def play() -> None:
        log = Log(2, 4)
        publisher = Publisher(log, "trades", 1_000, 2**20, Timing())  # type: ignore[arg-type]
        for number in range(1, 6):
            publisher.put(Batch([TradeEvent("AUSDT", number, number, 1.0, 1.0, False)]))
        running = asyncio.create_task(publisher.run())
        await asyncio.wait_for(publisher.flush(), 60)
        running.cancel()
        assert sorted(log.taken) == [1, 2, 3, 4, 5]
        assert (publisher.published, publisher.dropped, publisher.waiting) == (5, 0, 0)
        assert publisher.trouble is None

    asyncio.run(play())


def test_what_refuses_it_for_good_is_its_trouble(tmp_path: Path) -> None:
    """Whoever ends for it says so beside the trades that it has."""

    async def play(url: str) -> None:
        server = Server(url, load_settings(None).redis)
        publisher = Publisher(server, "trades", 1_000, 2**20, Timing())
        publisher.put(Batch([TradeEvent("AUSDT", 1, 1, 1.0, 1.0, False)]))
        try:
            with pytest.raises(ServiceError, match="does not let us in"):
                await publisher.run()
        finally:
            await server.close()
        assert publisher.waiting == 1
        assert "does not let us in" in str(publisher.trouble)

    with redis_server(tmp_path / "redis", "--requirepass", "another") as redis:
        asyncio.run(play(redis.url))
