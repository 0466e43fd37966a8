"""Tasks on the workers of a scheduler of Dask: few in flight, results in order."""

import asyncio
import itertools
import pickle
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from distributed import KilledWorker
from distributed.comm.core import CommClosedError

from spreadlake.cluster.errors import ClusterError
from spreadlake.cluster.fitness import expected_of
from spreadlake.cluster.remote import Packed, forget, run
from spreadlake.cluster.sent import packed
from spreadlake.lake import Lake
from spreadlake.tasks import Item, Progress, Result
from spreadlake.words import count

NO_WORKERS_SECONDS = 60.0
"""How long a cluster may be without any worker."""

_LOOK_SECONDS = 1.0  # between looks at the workers while a result is waited for
_FETCH_SECONDS = 60.0  # for one result that is there; then its worker is looked at again
_AHEAD = 3  # tasks in flight for each that runs

_LOST = (CancelledError, asyncio.CancelledError, CommClosedError, ConnectionError)


class DaskTasks:
    """`spreadlake.tasks.Tasks` on the cluster of a client.

    What a worker that ends was doing, the scheduler gives to others.
    """

    def __init__(self, client: Any, where: str, lake: Lake, tell: Callable[[str], None]) -> None:
        self._client, self._where = client, where
        self._lake, self._tell = lake, tell
        self._threads: dict[str, int] = {}
        self._alone_since: float | None = None
        self._look_due = 0.0
        self.look()

    @property
    def workers(self) -> int:
        """Threads of all workers there are."""
        return max(1, sum(self._threads.values()))

    @property
    def _most(self) -> int:
        """In flight; workers that are lost leave more there than that."""
        return self.workers * _AHEAD

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        advance: Progress | None = None,
    ) -> Iterator[Result]:
        """As `Tasks.map`; ClusterError where the cluster is lost, or a task ends its workers."""
        name = uuid.uuid4().hex
        expected = expected_of(self._lake)
        place = expected.place
        work = pickle.dumps(Packed(name, packed(function, self._lake, place), expected))
        news: queue.SimpleQueue[object] = queue.SimpleQueue()
        flight: deque[Any] = deque()
        rest = enumerate(items)
        counted = _Counted(len(items), advance)
        try:
            while True:
                for number, item in itertools.islice(rest, max(0, self._most - len(flight))):
                    key = f"spreadlake-{name}-{number}"
                    future = self._submit(key, work, packed(item, self._lake, place))
                    future.add_done_callback(news.put)
                    flight.append(future)
                if not flight:
                    break
                self._wait(flight[0], news, counted)
                found = self._fetched(flight[0])
                flight.popleft()
                yield pickle.loads(found)  # noqa: S301 of our own workers
            counted.end()
        finally:
            self._give_up(flight, name)

    def look(self) -> None:
        """At who is there, once a second at most; ClusterError where nobody is for long."""
        now = time.monotonic()
        if now < self._look_due:
            return
        try:
            there: dict[str, int] = self._client.nthreads()
        except (*_LOST, OSError) as error:
            raise self._lost() from error
        self._look_due = time.monotonic() + _LOOK_SECONDS
        if gone := len(self._threads.keys() - there.keys()):
            ended = "what it was doing is" if gone == 1 else "what they were doing is"
            self._tell(f"{count(gone, 'worker')} ended: {ended} done again")
        self._threads = there
        if there:
            self._alone_since = None
            return
        self._alone_since = self._alone_since or now
        if now - self._alone_since > NO_WORKERS_SECONDS:
            raise ClusterError(
                f"the scheduler {self._where} has no workers any more; start some "
                f"(dask worker {self._where}), and run this again"
            )

    def _submit(self, key: str, work: bytes, item: bytes) -> Any:
        """Bytes are sent as they are: nothing looks into them for what it might know."""
        try:
            return self._client.submit(run, work, item, key=key, pure=False)
        except (*_LOST, OSError) as error:
            raise self._lost() from error

    def _wait(self, future: Any, news: "queue.SimpleQueue[object]", counted: "_Counted") -> None:
        """Until a task is done; all that are done meanwhile are counted."""
        while True:
            with suppress(queue.Empty):
                while True:
                    news.get_nowait()
                    counted.one()
            if future.done():
                return
            with suppress(queue.Empty):
                news.get(timeout=_LOOK_SECONDS)
                counted.one()
            self.look()

    def _fetched(self, future: Any) -> bytes:
        while True:
            try:
                found: bytes = future.result(timeout=_FETCH_SECONDS)
            except TimeoutError:
                if future.status == "error":
                    raise
                self.look()  # its worker may have ended: it is done again
            except KilledWorker as error:
                raise ClusterError(
                    "a task ended each of the workers that tried it: they may have had too little "
                    "memory for it; give them more (dask worker --memory-limit), and run this again"
                ) from error
            except _LOST as error:
                raise self._lost() from error
            else:
                return found

    def _lost(self) -> ClusterError:
        return ClusterError(
            f"the scheduler {self._where} went away in the middle; start it again, and then this"
        )

    def _give_up(self, flight: "deque[Any]", name: str) -> None:
        """Nothing of it is done any more, and workers let go of what they read for it."""
        with suppress(Exception):
            if flight:
                self._client.cancel(list(flight), force=True)
            self._client.run(forget, name, on_error="ignore")


class _Counted:
    """How many tasks are done."""

    def __init__(self, total: int, advance: Progress | None) -> None:
        self._total, self._advance, self._done = total, advance, 0
        self._say()

    def one(self) -> None:
        """One more; a task that is done again is not one more."""
        self._done = min(self._done + 1, self._total)
        self._say()

    def end(self) -> None:
        self._done = self._total
        self._say()

    def _say(self) -> None:
        if self._advance is not None:
            self._advance(self._done, self._total)
