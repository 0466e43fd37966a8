"""What runs on a worker: one task, by a function that stays for the next ones of its kind.

Imports nothing of Dask but to ask who the worker is.
"""

import pickle
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from spreadlake.cluster.fitness import Expected, UnfitWorkerError, unfit
from spreadlake.cluster.sent import unpacked

# By thread, with its name: a function may hold what it has read, and is no other thread's.
_held: dict[int, tuple[str, Callable[[Any], Any]]] = {}


class Packed(NamedTuple):
    """A function as it was pickled, by a name that it has once."""

    name: str
    data: bytes
    expected: Expected


def run(packed: bytes, item: bytes) -> bytes:
    """The result of a task, pickled; UnfitWorkerError from a worker that would give another."""
    function = _function(pickle.loads(packed))  # noqa: S301 who can send it may run anything here
    return pickle.dumps(function(unpacked(item)))


def _function(packed: Packed) -> Callable[[Any], Any]:
    """The function of the task before, or else this one: a thread holds one at a time."""
    thread = threading.get_ident()
    name, function = _held.get(thread, ("", None))
    if function is None or name != packed.name:
        function = None
        _held.pop(thread, None)  # not two at a time
        # A worker that came later was not looked at when the work began.
        if why := unfit(packed.expected):
            raise UnfitWorkerError(f"worker {own_address()} {why}")
        loaded: Callable[[Any], Any] = unpacked(packed.data)
        _held[thread] = packed.name, loaded
        return loaded
    return function


def forget(name: str) -> None:
    """Lets go of a function, with all that it holds."""
    for thread, (held, _) in list(_held.items()):
        if held == name:
            _held.pop(thread, None)


def own_address() -> str:
    """Of the worker that this runs on."""
    from distributed import get_worker  # noqa: PLC0415 only here is a worker

    return str(get_worker().address)
