"""What a worker must be to give the same results as this process: its code, and what it sees.

Runs on the workers, so it imports nothing of Dask.
"""

import hashlib
import platform
import sqlite3
import time
from contextlib import closing
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import spreadlake
from spreadlake.cluster.sent import opened
from spreadlake.errors import SpreadlakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.places import place_of
from spreadlake.locks import try_lock

# Of databases that tasks read.
_WRITERS = ("analytics-job", "collector", "uploader")
_LOOKS, _BETWEEN = 3, 0.02
_ROOMS = ("spreadlake", "analytics_job")
_ROUNDING = ("numpy", "scipy", "polars", "statsmodels")


class Expected(NamedTuple):
    """What this process works with.

    code: of spreadlake. place: of the lake, `final` the second up to which its bars are final, and
    `bars` a digest of which symbols have them. kernel: which one runs this machine; `written`:
    whether a service is writing the lake now.
    """

    code: str
    place: str
    final: int
    bars: str
    kernel: str
    written: bool


class UnfitWorkerError(SpreadlakeError):
    """A worker that would give other results, or none."""

    exit_code = 1


def expected_of(lake: Lake) -> Expected:
    """Of this process and a lake that it can read."""
    with closing(open_reader(lake.analytics_db)) as db:
        final = _final(db)
        bars = _bars(db, final)
    written = _is_written(lake.root)
    return Expected(code_digest(), place_of(lake), final, bars, _kernel(), written)


def unfit(expected: Expected) -> str:
    """Why this process cannot do the work, with the remedy; empty where it can."""
    if code_digest() != expected.code:
        return (
            f"has spreadlake {spreadlake.__version__} with other code than this process; install "
            "the same build of spreadlake on all of them"
        )
    try:
        lake = opened(expected.place)
    except (ImportError, SpreadlakeError) as error:
        return f"does not see the lake {expected.place}: {error}"
    if expected.written and _kernel() != expected.kernel:
        return (
            f"is on another machine, and a service is writing the lake {expected.place}: SQLite "
            "cannot be read across machines while it is written; stop the service, or work on a "
            "copy of the lake that all machines see"
        )
    return _other_lake(lake, expected)


def _other_lake(lake: Lake, expected: Expected) -> str:
    try:
        with closing(open_reader(lake.analytics_db)) as db:
            final, bars = _final(db), _bars(db, expected.final)
    except (sqlite3.Error, SpreadlakeError) as error:
        return f"cannot read the lake {expected.place}: {error}"
    if final < expected.final or bars != expected.bars:
        return (
            f"sees another lake at {expected.place}, or an older copy of it; it has to see the same"
        )
    return ""


def _final(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT value FROM progress WHERE key = 'final_time'").fetchone()
    return 0 if row is None else int(row[0])


def _bars(db: sqlite3.Connection, final: int) -> str:
    """Of whom there were bars when those before `final` became final."""
    rows = db.execute(
        "SELECT symbol, timeframe, time FROM first_bars WHERE time < ? ORDER BY symbol, timeframe",
        (final,),
    ).fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


@cache
def code_digest() -> str:
    """Of the sources that compute: two builds of one version may differ."""
    digest = hashlib.sha256(spreadlake.__version__.encode())
    root = Path(spreadlake.__file__).parent.parent
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def rounding_facts() -> dict[str, str]:
    """What the last bits of results depend on, besides our own code."""
    facts = {name: version(name) for name in _ROUNDING}
    return {**facts, "python": platform.python_version(), "processor": platform.machine()}


def _kernel() -> str:
    """Of the machine and its start; containers of one machine have the same."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return platform.node()


def _is_written(root: Path) -> bool:
    return any(_is_locked(root / f"{service}.lock") for service in _WRITERS)


def _is_locked(path: Path) -> bool:
    """Whether anybody holds it for long: stores do so beside each other, others look as we do."""
    for _ in range(_LOOKS):
        try:
            with path.open("rb") as file:
                if try_lock(file):
                    return False
        except OSError:  # nobody ever wrote, or it cannot be known
            return False
        time.sleep(_BETWEEN)
    return True
