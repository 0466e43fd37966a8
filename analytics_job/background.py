"""A process of its own for what takes long, beside the job and behind its steps."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import TypeVar

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_CLEANED_UP_SECONDS = 5.0

T = TypeVar("T")


class NicedProcess:
    """Computes one thing at a time in a niced process, which is started with the first.

    `what` says in messages what it computes. `closing` is set once the job ends.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()
        self.closing = threading.Event()

    def compute(self, work: Callable[..., T], *arguments: object) -> T | None:
        """What `work` gives; None if the job is ending, or the process did.

        Raises what `work` raises.
        """
        try:
            future = self._submitted(work, arguments)
            if future is None:
                return None
            while not future.done():
                if self.closing.wait(_POLL_SECONDS):
                    return None
        except RuntimeError as error:  # it was given up just now, or ended before
            self._start_again(error)
            return None
        if self.closing.is_set():  # what was cancelled is done as well
            return None
        try:
            return future.result()
        except BrokenExecutor as error:
            self._start_again(error)
            return None

    def _submitted(self, work: Callable[..., T], arguments: Sequence[object]) -> "Future[T] | None":
        # None is started behind the back of `close`, which ends those that it sees: the first
        # thing that is submitted starts the process.
        with self._lock:
            if self.closing.is_set():
                return None
            if self._pool is None:
                self._pool = _pool()
            return self._pool.submit(work, *arguments)

    def _start_again(self, error: RuntimeError) -> None:
        if self.closing.is_set():
            return
        if not isinstance(error, BrokenExecutor):
            raise error
        log.warning("the process of the %s ended; starting another", self._what)
        self._pool = None

    def close(self) -> None:
        """Gives up what is being computed.

        The process is ended, not waited for: on a busy machine it, being niced, could keep the
        job from stopping in time.
        """
        with self._lock:
            self.closing.set()
            pool = self._pool
        if pool is None:
            return
        workers = list((pool._processes or {}).values())
        manager = getattr(pool, "_executor_manager_thread", None)
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        if manager is not None:
            # It has nothing left to wait for; an interpreter that ends while it cleans up prints a
            # traceback of its own.
            manager.join(_CLEANED_UP_SECONDS)


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), initializer=_stand_back)


def _stand_back() -> None:
    """The steps come first, and the job itself says when to stop; its death is the end as well."""
    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_job, daemon=True).start()


def _end_with_job() -> None:
    job = parent_process()
    if job is not None:
        job.join()  # on a pipe whose other end closes when the job dies, however it dies
        os._exit(1)
