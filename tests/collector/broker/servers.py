"""A real Redis server on loopback, and captures and stores beside it."""

import asyncio
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from collector.capture import serve_capture
from collector.storing import serve_store
from spreadlake.config import Settings
from spreadlake.lake import Lake
from spreadlake.service import ServiceContext
from tests.collector.live import FAST
from tests.patience import PATIENCE, Deadline

STREAM = "spreadlake:trades"


# One of a cluster takes the port 10,000 above its own as well.
_HIGHEST = 55_000


class RedisServer:
    """A server with its data in `folder`, that can be killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _HIGHEST
        while self.port >= _HIGHEST:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = int(free.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client: Any = redis.Redis(port=self.port, protocol=2, socket_timeout=PATIENCE)

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._folder.mkdir(exist_ok=True)
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--dir", str(self._folder), "--save", "", "--appendonly", "yes"]
        command += ["--logfile", "redis.log", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = Deadline()
        while self._process.poll() is not None or not self._answers():
            assert self._process.poll() is None, (self._folder / "redis.log").read_text()
            assert not deadline.passed, "the server does not answer"
            time.sleep(0.02)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its process, while it runs."""
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """Ends it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.client.connection_pool.disconnect()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It is there and says nothing, within."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def entries(self) -> int:
        """Entries in the log."""
        return int(self.client.xlen(STREAM))

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A running server; skips the test where there is none on this machine."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
        server.client.close()


@asynccontextmanager
async def capturing(
    server: RedisServer, settings: Settings, **options: Any
) -> AsyncIterator[asyncio.Task[None]]:
    """A running capture; at the end it is told to stop, and publishes what is left."""
    options = {"to": server.url, **options}
    async with _serving(serve_capture, Lake(Path("/nowhere")), settings, options) as task:
        yield task


@asynccontextmanager
async def storing(
    server: RedisServer, lake: Lake, settings: Settings, **options: Any
) -> AsyncIterator[asyncio.Task[None]]:
    """A running store; at the end it is told to stop, and stores what is in the log."""
    options = {"from": server.url, **options}
    async with _serving(serve_store, lake, settings, options) as task:
        yield task


@asynccontextmanager
async def _serving(
    serve: Any, lake: Lake, settings: Settings, options: dict[str, Any]
) -> AsyncIterator[asyncio.Task[None]]:
    stopped = asyncio.Event()
    context = ServiceContext(settings, lake, options={"timing": FAST, **options})
    task = asyncio.create_task(serve(context, stopped))
    try:
        yield task
    finally:
        stopped.set()
        await task
