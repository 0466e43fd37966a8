"""A scheduler of Dask and its workers, as processes on ports of their own of the loopback."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import distributed

from tests.paths import ROOT
from tests.running import environment, until

DASK: Any = distributed


@dataclass
class Cluster:
    """What was started, by the address of each worker."""

    folder: Path
    scheduler: subprocess.Popen[bytes]
    address: str
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def add(self, **variables: str) -> str:
        """One more worker of one thread; its address."""
        log = (self.folder / f"worker-{len(self.workers)}.log").open("wb")
        process = _python(
            "distributed.cli.dask_worker", self.address, "--no-nanny", "--nthreads", "1",
            "--host", "127.0.0.1", "--no-dashboard", log=log, **variables,
        )  # fmt: skip
        with self.client() as client:
            new: set[str] = until(
                lambda: set(client.nthreads()) - set(self.workers), "a worker of its own"
            )
        (address,) = new
        self.workers[address] = process
        return address

    def kill(self, address: str) -> None:
        """As a loss of power would end it."""
        process = self.workers.pop(address)
        process.send_signal(signal.SIGKILL)
        process.wait()

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Whom to ask about the cluster."""
        with DASK.Client(self.address, set_as_default=False) as client:
            yield client

    def processing(self) -> dict[str, list[str]]:
        """Tasks of each worker."""
        with self.client() as client:
            return {worker: list(tasks) for worker, tasks in client.processing().items()}


@contextmanager
def cluster_of(folder: Path, workers: int) -> Iterator[Cluster]:
    """A scheduler with so many workers, which all end with it."""
    facts = folder / "scheduler.json"
    log = (folder / "scheduler.log").open("wb")
    scheduler = _python(
        "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
        "--scheduler-file", str(facts), "--no-dashboard", log=log,
    )  # fmt: skip
    found = Cluster(folder, scheduler, "")
    try:
        found.address = until(lambda: _address(facts), "a scheduler")
        for _ in range(workers):
            found.add()
        yield found
    finally:
        for process in [*found.workers.values(), scheduler]:
            process.kill()
            process.wait()


def _address(facts: Path) -> str | None:
    try:
        return str(json.loads(facts.read_text())["address"])
    except (OSError, ValueError):
        return None


def _python(*command: str, log: Any, **variables: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join([*variables.pop("PYTHONPATH", "").split(os.pathsep), str(ROOT)])
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT.parent,
            env=environment(**variables, PYTHONPATH=path.strip(os.pathsep)),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


@dataclass(frozen=True)
class Held:
    """A task that leaves a file when it begins, and ends once the file `go` is there."""

    folder: Path

    def __call__(self, item: int) -> int:
        """Its item."""
        (self.folder / f"begun-{item}-{os.getpid()}").touch()
        while not (self.folder / "go").exists():
            time.sleep(0.01)
        return item

    def begun(self) -> dict[int, list[int]]:
        """Processes that began each item."""
        found: dict[int, list[int]] = {}
        for path in sorted(self.folder.glob("begun-*")):
            item, process = map(int, path.name.split("-")[1:])
            found.setdefault(item, []).append(process)
        return found
