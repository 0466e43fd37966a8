"""Opens what tasks run on: this process, or a cluster that is looked at before it is given work."""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spreadlake.cluster.address import ClusterAddress
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.tasks import InProcess, Tasks

Tell = Callable[[str], None]


@contextmanager
def open_tasks(cluster: str | None, lake: Lake, tell: Tell | None = None) -> Iterator[Tasks]:
    """Tasks over a lake, on `cluster` (`local`, `local:N`, `tcp://host:port`) or in this process.

    `tell` is told what somebody should know meanwhile. InputError for a cluster that is none, or
    where Dask is not installed; ClusterError for one that cannot be reached or has no workers;
    UnfitWorkerError for workers that would give other results or do not see the lake.
    """
    if cluster is None:
        yield InProcess()
        return
    address = ClusterAddress.parse(cluster)
    _require_dask(cluster)
    from spreadlake.cluster.connected import connected  # noqa: PLC0415 it imports Dask

    with connected(address, lake, tell or _silent) as tasks:
        yield tasks


def _silent(_: str) -> None:
    pass


def _require_dask(cluster: str) -> None:
    if importlib.util.find_spec("distributed") is None:
        raise InputError(
            f"a cluster ({cluster}) needs Dask, which is not installed here: "
            "pip install 'spreadlake[cluster]'"
        )
