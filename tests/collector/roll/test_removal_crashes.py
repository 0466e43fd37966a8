"""Whatever moment of a removal is the last before a crash: nothing is missed, nothing is left."""

import asyncio
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from collector.resources import Resources
from collector.roll import remover
from collector.storage.store import TickStore
from collector.storage.writer import WriterThread
from simulator import SimulatedExchange
from spreadlake.config import Settings, load_settings
from spreadlake.errors import RemovedError
from spreadlake.lake import Lake, open_reader, read_status, read_trades
from spreadlake.lake.ticks.rolls import missing_hours, newest_seq
from tests.collector.compacting import END_MS, FIRST_MS, MIDNIGHT_MS, compact, files, rolled_day
from tests.collector.lakes import A, B, quick_writer, rows_of
from tests.collector.live import collecting, market, settings_for, until
from tests.crashes import Crash, CrashError

# Two days after the second day of these lakes: of its first one every trade is too old.
NOW_MS = MIDNIGHT_MS + 2 * 86_400_000
STEPS = [(Path, "unlink"), (Path, "rmdir"), (remover, "record_removed")]


def remove(lake: Lake, keep_days: float = 2) -> None:
    """What a collector does in one pass, right after its start."""
    storage = {"keep_days": {"ticks": keep_days}}
    with closing(quick_writer(lake)) as db:
        resources = SimpleNamespace(
            lake=lake,
            store=TickStore(db, [A, B]),
            writer=WriterThread(lake.ticks_db, 1.0),
            settings=load_settings(None, symbols=[A, B], storage=storage),
        )
        one = remover.Remover(cast("Resources", resources), threading.Event())
        try:
            asyncio.run(one.run(NOW_MS))
        finally:
            resources.writer.close()


def check(lake: Lake, seq: int) -> None:
    """At any moment: what is kept is whole, and what goes is there, or told as removed."""
    with closing(open_reader(lake.ticks_db)) as db:
        assert newest_seq(db) == seq
        assert missing_hours(db, lake) == []
    assert read_trades(lake, MIDNIGHT_MS, END_MS).height == 360
    for symbol in (A, B):
        try:
            assert read_trades(lake, FIRST_MS, MIDNIGHT_MS, [symbol]).height == 540
        except RemovedError as error:
            assert "were removed from" in str(error)  # noqa: PT017 either of the two is right
    removed, rolled = "SELECT total(rows) FROM removed", "SELECT total(rows) FROM rolls"
    assert rows_of(lake, f"SELECT ({removed}) + ({rolled})") == [(2 * 720,)]


def newest(lake: Lake) -> int:
    with closing(open_reader(lake.ticks_db)) as db:
        return newest_seq(db)


def gone(lake: Lake) -> bool:
    return not list(lake.ticks_dir.rglob("date=2023-11-14"))


@pytest.mark.parametrize("compacted", [True, False])
def test_a_crash_before_or_after_any_step_is_ended_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compacted: bool
) -> None:
    lake = rolled_day(tmp_path)
    if compacted:
        compact(lake)
    seq, crash, crashes, finished = newest(lake), Crash(), 0, False
    for owner, name in STEPS:
        monkeypatch.setattr(owner, name, crash.around(getattr(owner, name)))
    while not finished:
        # Each attempt gets further than the one before it, on what that one left behind.
        crash.left = 1 + 3 * crashes
        try:
            remove(lake)
            finished = True
        except CrashError:
            crashes += 1
        crash.left = 0
        check(lake, seq)
    assert crashes > 12
    assert gone(lake)
    assert rows_of(lake, "SELECT count(*), sum(rows) FROM removed") == [(2, 2 * 540)]
    assert len(files(lake)) == 2


CRASHING = """
import os, signal, sys
from pathlib import Path
step = int(sys.argv[2])
def counted(function):
    def call(*arguments, **keywords):
        global step
        for _ in range(2):
            step -= 1
            if step == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            if _ == 0:
                result = function(*arguments, **keywords)
        return result
    return call
from collector.roll import remover
from spreadlake.lake import Lake
from tests.collector.roll.test_removal_crashes import remove
Path.unlink, Path.rmdir = counted(Path.unlink), counted(Path.rmdir)
remover.record_removed = counted(remover.record_removed)
remove(Lake(Path(sys.argv[1])))
"""


def killed_at(lake: Lake, step: int) -> bool:
    """Removes in a process that is killed at its `step`; False if it came to its end before."""
    command = [sys.executable, "-c", CRASHING, str(lake.root), str(step)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == -9


@pytest.mark.soak
def test_sigkill_at_each_step_of_a_removal(tmp_path: Path) -> None:
    lake, step = rolled_day(tmp_path), 1
    seq = newest(lake)
    while killed_at(lake, step):
        check(lake, seq)
        step += 1
    assert step > 20
    assert gone(lake)


# On record and nothing done; in the midst of the files; these gone, their folder not.
@pytest.mark.parametrize("step", [2, 20, 53])
def test_sigkill_during_a_removal(tmp_path: Path, step: int) -> None:
    lake = rolled_day(tmp_path)
    seq = newest(lake)
    assert killed_at(lake, step)
    check(lake, seq)
    assert not gone(lake)
    remove(lake)
    check(lake, seq)
    assert gone(lake)


def out_of_room(exchange: SimulatedExchange) -> Settings:
    settings = settings_for(exchange, repair_hours=0)
    storage = settings.storage.model_copy(update={"max_gib": 1e-6})
    return settings.model_copy(update={"storage": storage})


def test_beside_the_capture_the_oldest_go_where_room_is_short(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """All that is cold and old, none of what is in the database, and trades come all the while."""
    lake = rolled_day(tmp_path)
    held = "SELECT total(ticks) FROM symbols"
    before: Any = rows_of(lake, held)[0][0]

    async def scenario() -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, out_of_room(exchange)),
        ):
            await until(lambda: not list(lake.ticks_dir.rglob("date=2023*")))
            await until(lambda: cast("Any", rows_of(lake, held)[0][0]) > before + 300)

    asyncio.run(scenario())
    assert "the lake takes more than storage.max_gib = 1e-06 even without its old days" in (
        caplog.text
    )
    assert rows_of(lake, "SELECT count(*) FROM rolls") == [(0,)]
    assert rows_of(lake, "SELECT total(rows) FROM removed") == [(2 * 720,)]
    live = rows_of(lake, f"SELECT count(*) FROM ticks WHERE time_ms > {END_MS}")[0][0]
    assert cast("int", live) >= 300
    with closing(open_reader(lake.ticks_db)) as db:
        told = read_status(db)["storage"][0]
    # The analytics job removes by the same midnight.
    assert told["remove_before"] > END_MS // 1000
