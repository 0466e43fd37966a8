"""A cluster of Dask with fit workers: processes of this machine, or those of a scheduler."""

import logging
import multiprocessing
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import Any

import dask
import distributed

from spreadlake.cluster.address import ClusterAddress
from spreadlake.cluster.dask_tasks import NO_WORKERS_SECONDS, DaskTasks
from spreadlake.cluster.errors import ClusterError
from spreadlake.cluster.fitness import (
    Expected,
    UnfitWorkerError,
    expected_of,
    rounding_facts,
    unfit,
)
from spreadlake.cluster.opened import Tell
from spreadlake.lake import Lake

_DASK: Any = distributed  # not all of it has types
_CONNECT_SECONDS = 10.0
_GUARD = "in a script of your own, open the cluster under if __name__ == '__main__'"
# Dask has its workers give freed memory back at once, and so each of our arrays costs page faults:
# a third of the processor time of a grid.
_MEMORY = {
    f"distributed.nanny.pre-spawn-environ.{name}": 2**28
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
}
_TOLD = 5  # workers named in a message
# Text, and no function of ours: a worker may have another version of us, or none.
_VERSION = "__import__('importlib.metadata').metadata.version('spreadlake')"


@contextmanager
def connected(address: ClusterAddress, lake: Lake, tell: Tell) -> Iterator[DaskTasks]:
    """Tasks on it; its workers are looked at first. What was not done is cancelled at the end."""
    expected = expected_of(lake)
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        where = address.url or stack.enter_context(_local(address.local))
        client = stack.enter_context(_client(where))
        _wait_for_workers(client, where, address.local)
        _require_fit(client, expected, tell)
        yield DaskTasks(client, where, lake, tell)


@contextmanager
def _local(processes: int) -> Iterator[str]:
    """The address of a scheduler with so many workers, on ports of their own of the loopback."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise ClusterError(f"a worker process runs the script that starts it: {_GUARD}")
    # Who starts it hears a Ctrl-C from then on: that is not to be a thread below.
    resource_tracker.ensure_running()
    with dask.config.set(_MEMORY):
        # The workers come once it is there: what is interrupted until then is only a scheduler.
        with _interrupts_held_back():
            local = _DASK.LocalCluster(
                n_workers=0,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
        with local as cluster:
            cluster.scale(processes)
            yield cluster.scheduler_address


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Threads that begin within it, and processes that these start, hear no Ctrl-C.

    A terminal sends it to workers too: they would complain, and this process is to end them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _client(where: str) -> Iterator[Any]:
    client = None
    try:
        # One that is cut off while it is made complains when it is forgotten.
        with _interrupts_held_back():
            client = _connected_to(where)
        yield client
    finally:
        if client is not None:
            client.close(timeout=_CONNECT_SECONDS)


def _connected_to(where: str) -> Any:
    try:
        return _DASK.Client(where, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no scheduler of Dask answers at {where}: {_cause(error)}; start one there "
            "(dask scheduler), or look at the address and at firewalls"
        ) from error


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).partition("\n")[0] or type(error).__name__


def _wait_for_workers(client: Any, where: str, local: int) -> None:
    try:
        client.wait_for_workers(max(1, local), timeout=NO_WORKERS_SECONDS)
    except TimeoutError:
        if local:
            raise ClusterError(f"{local} worker processes could not be started; {_GUARD}") from None
        raise ClusterError(
            f"the scheduler {where} has no workers; start one on each machine: dask worker {where}"
        ) from None


def _require_fit(client: Any, expected: Expected, tell: Tell) -> None:
    """UnfitWorkerError where a worker has another version, or does not see the lake."""
    from spreadlake import __version__  # noqa: PLC0415 it is told as it is

    found = client.run(eval, _VERSION, on_error="return")
    _refuse(
        {
            worker: f"has no spreadlake; install version {__version__} there"
            if isinstance(version, Exception)
            else f"has spreadlake {version} and this process {__version__}; install the same there"
            for worker, version in found.items()
            if version != __version__
        }
    )
    looked = client.run(unfit, expected, on_error="return")
    _refuse({worker: _told(why) for worker, why in looked.items() if why})
    own, theirs = rounding_facts(), client.run(rounding_facts, on_error="return")
    for worker, facts in theirs.items():
        other = facts if isinstance(facts, Exception) else _other(own, facts)
        if other:
            tell(f"worker {worker} has {other}: the last bits of results may differ")


def _told(why: str | Exception) -> str:
    """An error says that code of the same version differs."""
    return why if isinstance(why, str) else f"has other code than this process: {why}"


def _other(own: dict[str, str], theirs: dict[str, str]) -> str:
    return ", ".join(
        f"{name} {theirs.get(name)} (here {value})"
        for name, value in own.items()
        if theirs.get(name) != value
    )


def _refuse(faults: dict[str, str]) -> None:
    if faults:
        told = [f"worker {worker} {why}" for worker, why in sorted(faults.items())]
        more = len(told) - _TOLD
        raise UnfitWorkerError(
            "; ".join(told[:_TOLD]) + (f"; and {more:,} more workers" if more > 0 else "")
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """What of Dask's own words matters is told in ours."""
    loggers = [logging.getLogger(name) for name in ("distributed", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"distributed\..*")
        try:
            yield
        except KeyboardInterrupt:
            raise  # what is cut off in its loop complains until the process ends
        except BaseException:
            _restore(loggers, levels)
            raise
    _restore(loggers, levels)


def _restore(loggers: Sequence[logging.Logger], levels: Sequence[int]) -> None:
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
