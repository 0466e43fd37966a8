"""How far a replay is: what the simulated exchange sent, what is stored, what is analysed."""

import http.client
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from spreadlake.errors import ServiceError
from spreadlake.lake import Lake, read_counters
from spreadlake.lake.ticks.rolls import newest_seq
from spreadlake.status import read_progress, snapshot

_SECONDS = 10.0


class Progress(NamedTuple):
    """`moved` changes whenever something went on; `text` says it in words."""

    done: bool
    moved: object
    text: str


def frames_counted(lake: Lake) -> int:
    """Frames that the collector counted in this lake, in all its runs."""
    with snapshot(lake.ticks_db) as db:
        return 0 if db is None else int(read_counters(db).get(("frames", ""), 0))


def all_stored(lake: Lake, host: str, port: int) -> Callable[[], Progress]:
    """Progress up to the point where every frame sent from now on is counted in the lake."""
    before = frames_counted(lake)

    def look() -> Progress:
        status = _simulator_status(host, port)
        sent, counted = int(status["frames_sent"]), frames_counted(lake) - before
        # Quiet stretches of a recording send nothing, but its clock goes on.
        moved = (sent, counted, None if status["finished"] else status["clock_ms"])
        text = f"{sent:,} frames sent, {counted:,} received"
        return Progress(status["finished"] and counted >= sent, moved, text)

    return look


def all_analysed(lake: Lake) -> Callable[[], Progress]:
    """Progress up to the point where the job has seen every trade that is stored now."""
    with snapshot(lake.ticks_db) as db:
        stored = 0 if db is None else newest_seq(db)

    def look() -> Progress:
        with snapshot(lake.analytics_db) as db:
            progress = {} if db is None else read_progress(db)
        seen = progress.get("read_seq", 0)
        # A long step has read its trades at once, and then works through their time.
        moved = (seen, progress.get("final_time"), progress.get("seq"))
        return Progress(seen >= stored, moved, f"trade {seen:,} of {stored:,}")

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
