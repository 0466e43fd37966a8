"""Klines that imports of before left in SQLite go to their files; every reader finds the same."""

from contextlib import closing
from pathlib import Path

import pytest

from collector.roll import roll_klines
from spreadlake.lake import Lake
from spreadlake.lake.ticks import kline_files
from tests.collector.lakes import quick_writer
from tests.importer.dumps import DAY, MIDNIGHT, kline_lines, write_dump
from tests.importer.lakes import import_all, klines, rows, store_hot_klines
from tests.running import invoke

DAYS = 4
HOT = "SELECT count(*), min(time) FROM klines"
KEPT_FROM = MIDNIGHT // 1000 + (DAYS - 2) * 86_400


@pytest.fixture(name="root")
def of_before(tmp_path: Path) -> Path:
    """A lake with four days of klines in SQLite, as an earlier version imported them."""
    days = [
        write_dump(tmp_path, f"BTCUSDT-1m-2024-08-{8 + n:02}.zip", kline_lines(MIDNIGHT + n * DAY))
        for n in range(DAYS)
    ]
    import_all(tmp_path / "other", *days)
    store_hot_klines(tmp_path / "lake", klines(tmp_path / "other"))
    return tmp_path / "lake"


def test_the_command_moves_those_that_are_old(root: Path) -> None:
    before = klines(root)
    assert rows(root, HOT) == [(DAYS * 1440, MIDNIGHT // 1000)]
    for _ in range(2):
        assert invoke("roll", "--data", "lake", cwd=root.parent).returncode == 0
        assert rows(root, HOT) == [(2 * 1440, KEPT_FROM)]
        assert klines(root) == before
    changes = rows(root, "SELECT first, last FROM kline_changes")
    assert changes == [(MIDNIGHT // 1000, MIDNIGHT // 1000 + DAYS * 86_400 - 60)]


def test_only_those_before_a_time_that_is_named(root: Path) -> None:
    with closing(quick_writer(Lake(root))) as db:
        assert roll_klines(Lake(root), db, MIDNIGHT + DAY // 2) == 720
    assert rows(root, HOT) == [(DAYS * 1440 - 720, MIDNIGHT // 1000 + 43_200)]


def test_a_crash_between_the_file_and_the_delete_changes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = klines(root)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with closing(quick_writer(Lake(root))) as db:
        with monkeypatch.context() as patch:
            patch.setattr(kline_files, "delete_klines", crash)
            with pytest.raises(KeyboardInterrupt):
                roll_klines(Lake(root), db, None)
        assert klines(root) == before
        assert roll_klines(Lake(root), db, None) == 2 * 1440
    assert klines(root) == before
