"""An import that ends at any moment leaves a lake that is right, and the same command goes on."""

import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from importer.hour_writer import HourWriter
from spreadlake.lake import Lake, open_ticks_writer, writer_lock
from tests.importer.dumps import day_file, trade_lines, trades, write_dump
from tests.importer.lakes import gaps, held, import_all, partitions, rolls, row, store_hot
from tests.patience import PATIENCE
from tests.running import COMMAND, environment, until

ROWS = trades(hours=4)
HOT = ROWS[70:160]


class CrashError(Exception):
    pass


def crash(*_: object) -> None:
    raise CrashError


@pytest.mark.parametrize(
    "place", ["record_file", "delete_rolled", "_record_rolls", "_extend_symbol", "_fill_gaps"]
)
def test_a_crash_after_any_step_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    lake, file = tmp_path / "lake", day_file(tmp_path, ROWS)
    store_hot(lake, HOT)
    with monkeypatch.context() as patch:
        module = "run" if place in ("record_file", "delete_rolled") else "record"
        patch.setattr(f"importer.{module}.{place}", crash)
        with pytest.raises(CrashError):
            import_all(lake, file)
    assert held(lake) == ROWS
    import_all(lake, file)
    assert_whole(lake)


def test_an_error_in_the_middle_leaves_what_was_done_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, file = tmp_path / "lake", day_file(tmp_path, ROWS)
    with monkeypatch.context() as patch:
        patch.setattr(HourWriter, "write", fails_at(3, HourWriter.write))
        with pytest.raises(KeyboardInterrupt):
            import_all(lake, file)
    assert held(lake) == ROWS[:120]
    assert [count for _, _, count, _ in rolls(lake)] == [60, 60]
    assert row(lake, "SELECT last_id, ticks FROM symbols") == (ROWS[119].trade_id, 120)
    import_all(lake, file)
    assert_whole(lake)


def fails_at(number: int, write: Callable[..., object]) -> Callable[..., object]:
    calls = iter(range(1, 1000))

    def failing(*arguments: object) -> object:
        if next(calls) == number:
            raise KeyboardInterrupt
        return write(*arguments)

    return failing


def test_killed_again_and_again_it_still_comes_to_an_end(tmp_path: Path) -> None:
    lake, file = tmp_path / "lake", day_file(tmp_path, trades(hours=24))
    command = [*COMMAND, "import", str(file), "--data", str(lake)]
    chance = random.Random(8)
    for hours in (2, 9):
        with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE) as process:
            until(lambda n=hours: len(partitions(lake)) >= n, f"{hours} partitions")  # type: ignore[misc]
            time.sleep(chance.random() / 20)
            process.kill()
        assert len(set(held(lake))) == len(held(lake))
    subprocess.run(command, env=environment(), check=True, capture_output=True)
    assert held(lake) == trades(hours=24)
    assert row(lake, "SELECT ticks FROM symbols") == (1440,)
    assert [count for _, _, count, _ in rolls(lake)] == [60] * 24


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_word(tmp_path: Path, number: int) -> None:
    lake, rows = tmp_path / "lake", trades(hours=20 * 24, per_hour=2)
    file = write_dump(tmp_path, "BTCUSDT-aggTrades-2024-08.zip", trade_lines(rows))
    process = subprocess.Popen(
        [*COMMAND, "import", str(file), "--data", str(lake)],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: len(partitions(lake)) >= 1, "a partition")
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE)
    assert said.splitlines() == ["interrupted; the same command goes on from here"]
    assert process.returncode == 130
    there = held(lake)
    assert 0 < len(there) < len(rows)
    assert row(lake, "SELECT ticks FROM symbols") == (len(there),)


def test_a_crash_of_the_collector_while_rolling_is_counted_right(tmp_path: Path) -> None:
    """The partition is renamed and not recorded, and its rows are still in SQLite."""
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path / "first", HOT))
    with writer_lock(Lake(lake), "collector"), open_ticks_writer(Lake(lake)) as db:
        db.execute("DELETE FROM rolls")
        db.execute("DELETE FROM symbols")
    store_hot(lake, HOT)
    import_all(lake, day_file(tmp_path, ROWS))
    assert_whole(lake)


def assert_whole(lake: Path) -> None:
    assert held(lake) == ROWS
    assert row(lake, "SELECT count(*) FROM ticks") == (0,)
    assert row(lake, "SELECT first_id, last_id, ticks FROM symbols") == (
        ROWS[0].trade_id, ROWS[-1].trade_id, len(ROWS),
    )  # fmt: skip
    assert [count for _, _, count, _ in sorted(rolls(lake))] == [60] * 4
    assert len({seq for *_, seq in rolls(lake)}) == 4
    assert gaps(lake) == []
