"""A partition is there and right, or it is not there."""

from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from collector.roll import roll_all
from spreadlake.errors import LakeError
from spreadlake.lake import HOUR_MS, Lake, read_trades
from tests.collector.lakes import PER_HOUR, START_MS, A, fill, quick_writer, rows_of, trades

LAST_HOUR_MS = 253_402_297_200_000  # 9999-12-31 23:00 UTC


def roll(lake: Lake, before_ms: int) -> None:
    with closing(quick_writer(lake)) as db:
        roll_all(lake, db, before_ms)


def test_what_cannot_be_read_is_not_written_over(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake, trades(range(PER_HOUR)))
    path = lake.tick_partition(A, START_MS)
    path.parent.mkdir(parents=True)
    path.write_text("no Parquet")
    with pytest.raises(LakeError, match=r"23\.parquet cannot be read"):
        roll(lake, START_MS + HOUR_MS)
    assert path.read_text() == "no Parquet"
    assert list(path.parent.iterdir()) == [path]
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(PER_HOUR,)]


def test_a_change_on_the_way_to_the_disk_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path)
    fill(lake, trades(range(PER_HOUR)))
    write = pl.DataFrame.write_parquet

    def write_another_price(frame: pl.DataFrame, *arguments: object, **keywords: object) -> None:
        changed = frame.with_columns(pl.col("price") * 1.01)
        write(changed, *arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(pl.DataFrame, "write_parquet", write_another_price)
    with pytest.raises(LakeError, match="does not read back as it was written"):
        roll(lake, START_MS + HOUR_MS)
    assert list(lake.ticks_dir.rglob("*.*")) == []
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(PER_HOUR,)]


def test_an_hour_of_any_time_and_size_is_checked(tmp_path: Path) -> None:
    """The sum of its times as they are would not fit into 64 bits."""
    lake, rows = Lake(tmp_path), 40_000
    events = trades(range(rows))
    for event in events:
        event.time_ms = LAST_HOUR_MS + event.trade_id
    assert sum(event.time_ms for event in events) > 2**63
    fill(lake, events)
    roll(lake, LAST_HOUR_MS + HOUR_MS)
    assert rows_of(lake, "SELECT rows FROM rolls") == [(rows,)]
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(0,)]
    assert read_trades(lake, LAST_HOUR_MS, LAST_HOUR_MS + HOUR_MS).height == rows
