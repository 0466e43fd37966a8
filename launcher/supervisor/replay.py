"""Replays a recording through the real collector and the real job, and knows when all is done.

The frames that the simulated exchange sent and the frames that the collector counted, in the
same transaction as the trades in them, tell that everything is stored; `seq` tells that
everything stored is analysed.
"""

import http.client
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from launcher.supervisor.child import Child, ChildSpec
from launcher.supervisor.stopping import require_alive, require_success, stop_children
from spreadlake.errors import ServiceError
from spreadlake.lake import Lake, read_counters
from spreadlake.lake.ticks.rolls import newest_seq
from spreadlake.service import StopSignal
from spreadlake.status import read_progress, snapshot

_POLL_SECONDS = 0.1


class ReplayProgress(NamedTuple):
    """`moved` changes whenever something went on; `text` says it in words."""

    done: bool
    moved: object
    text: str


class ReplayInterruptedError(ServiceError):
    """The user stopped a replay before its end."""

    exit_code = 130


@dataclass(frozen=True)
class ReplayRun:
    """The children of a replay, and where to ask the simulated exchange how far it is.

    `last_pass` analyses what the job leaves to wait for late trades, which can no longer come.
    """

    lake: Lake
    host: str
    port: int
    simulator: ChildSpec
    collector: ChildSpec
    job: ChildSpec
    last_pass: ChildSpec
    stop: StopSignal
    on_line: Callable[[str], None]
    on_progress: Callable[[ReplayProgress], None] = lambda _: None
    stall_seconds: float = 180.0  # a process may take a minute to start on a busy machine


def run_replay(run: ReplayRun) -> None:
    """Blocks until every frame is stored and every trade analysed; then all children have ended.

    Raises ServiceError if a child dies or nothing moves any more, ChildMistakeError for what a
    child tells its user, and ReplayInterruptedError when told to stop.
    """
    simulator, job, collector = (
        Child(spec, run.on_line) for spec in (run.simulator, run.job, run.collector)
    )
    try:
        simulator.start()
        _wait(run, [simulator], lambda: _readiness(run.simulator), "the simulated exchange")
        stored = all_stored(run.lake, run.host, run.port)
        job.start()
        collector.start()
        _wait(run, [collector, job, simulator], stored, "the collector to store every frame")
        stop_children([collector], run.stop)
        _wait(run, [job, simulator], all_analysed(run.lake), "the job to analyse every trade")
        stop_children([job, simulator], run.stop)
    finally:
        stop_children([child for child in (collector, job, simulator) if child.alive], run.stop)
    for child in (collector, job):
        require_success(child)
    _run_to_end(run)


def _wait(
    run: ReplayRun, children: Sequence[Child], look: Callable[[], ReplayProgress], what: str
) -> None:
    moved: object = None
    deadline = 0.0
    while not (progress := look()).done:
        run.on_progress(progress)
        if progress.moved != moved or not deadline:
            moved, deadline = progress.moved, time.monotonic() + run.stall_seconds
        if time.monotonic() > deadline:
            raise ServiceError(
                f"replay: waiting for {what}, and nothing has moved for {run.stall_seconds:g} s: "
                f"{progress.text}"
            )
        if run.stop.wait(_POLL_SECONDS):
            raise ReplayInterruptedError(f"replay interrupted: {progress.text}")
        require_alive(children)
    run.on_progress(progress)


def _readiness(spec: ChildSpec) -> ReplayProgress:
    return ReplayProgress(spec.ready(), None, "it does not answer yet")


def _run_to_end(run: ReplayRun) -> None:
    child = Child(run.last_pass, run.on_line)
    child.start()
    try:
        while not child.wait(_POLL_SECONDS):
            if run.stop.is_set():
                raise ReplayInterruptedError("replay interrupted in its last pass")
    finally:
        stop_children([child], run.stop)
    require_success(child)


_SECONDS = 10.0


def frames_counted(lake: Lake) -> int:
    """Frames that the collector counted in this lake, in all its runs."""
    with snapshot(lake.ticks_db) as db:
        return 0 if db is None else int(read_counters(db).get(("frames", ""), 0))


def all_stored(lake: Lake, host: str, port: int) -> Callable[[], ReplayProgress]:
    """ReplayProgress up to the point where every frame sent from now on is counted in the lake."""
    before = frames_counted(lake)

    def look() -> ReplayProgress:
        status = _simulator_status(host, port)
        sent, counted = int(status["frames_sent"]), frames_counted(lake) - before
        # Quiet stretches of a recording send nothing, but its clock goes on.
        moved = (sent, counted, None if status["finished"] else status["clock_ms"])
        text = f"{sent:,} frames sent, {counted:,} received"
        return ReplayProgress(status["finished"] and counted >= sent, moved, text)

    return look


def all_analysed(lake: Lake) -> Callable[[], ReplayProgress]:
    """ReplayProgress up to the point where the job has seen every trade that is stored now."""
    with snapshot(lake.ticks_db) as db:
        stored = 0 if db is None else newest_seq(db)

    def look() -> ReplayProgress:
        with snapshot(lake.analytics_db) as db:
            progress = {} if db is None else read_progress(db)
        seen = progress.get("read_seq", 0)
        # A long step has read its trades at once, and then works through their time.
        moved = (seen, progress.get("final_time"), progress.get("seq"))
        return ReplayProgress(seen >= stored, moved, f"trade {seen:,} of {stored:,}")

    return look


def _simulator_status(host: str, port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/simulator/status")
        status: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ServiceError(f"the simulated exchange does not answer: {error}") from error
    finally:
        connection.close()
    return status
