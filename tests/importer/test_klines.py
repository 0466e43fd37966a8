from pathlib import Path

import polars as pl
import pytest

import importer.klines
from spreadlake.errors import InputError
from tests.importer.dumps import DAY, MIDNIGHT, kline_lines, write_dump
from tests.importer.lakes import import_all, klines, partitions, row, rows, store_hot_klines

NAME = "BTCUSDT-1m-2024-08-08.zip"
COUNTER = "SELECT value FROM counters WHERE name = 'klines'"


@pytest.mark.parametrize("header", [True, False])
def test_klines_are_stored_and_counted(tmp_path: Path, header: bool) -> None:
    lake = tmp_path / "lake"
    (imported,) = import_all(lake, write_dump(tmp_path, NAME, kline_lines(header=header)))
    assert (imported.records, imported.fresh) == (1440, 1440)
    assert klines(lake)[0] == (
        "BTCUSDT", "1m", MIDNIGHT // 1000,
        60000.0, 60002.5, 59999.5, 60001.0, 12.5, 750000.5, 6.25, 90,
    )  # fmt: skip
    assert row(lake, COUNTER) == (1440.0,)


def test_only_what_is_new_is_counted(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_all(lake, write_dump(tmp_path, NAME, kline_lines(count=100)))
    (imported,) = import_all(lake, write_dump(tmp_path, NAME, kline_lines(count=160)))
    assert (imported.records, imported.fresh) == (160, 60)
    assert row(lake, COUNTER) == (160.0,)
    (again,) = import_all(lake, write_dump(tmp_path, NAME, kline_lines(count=160)))
    assert again.fresh == 0
    assert row(lake, COUNTER) == (160.0,)


def test_another_kline_of_the_same_minute_is_refused(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_all(lake, write_dump(tmp_path, NAME, kline_lines(count=3)))
    changed = [line.replace("60002.0", "60001.5") for line in kline_lines(count=5)]
    with pytest.raises(InputError) as caught:
        import_all(lake, write_dump(tmp_path, NAME, changed))
    message = str(caught.value)
    assert f"{NAME} contradicts the lake" in message
    assert "the kline of 2024-08-08T00:01:00Z is open 60001.0" in message
    assert "close 60001.5" in message
    assert "close 60002.0" in message
    assert len(klines(lake)) == 3


def test_a_minute_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    lines = [*kline_lines(count=2), kline_lines(count=1)[1].replace("12.5", "13.5")]
    with pytest.raises(InputError, match="the kline of 2024-08-08T00:00:00Z is there twice"):
        import_all(tmp_path / "lake", write_dump(tmp_path, NAME, lines))


def test_they_are_a_file_a_month_and_not_in_the_database(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    august = write_dump(tmp_path, "BTCUSDT-1m-2024-08-31.zip", kline_lines(MIDNIGHT + 23 * DAY))
    september = write_dump(tmp_path, "BTCUSDT-1m-2024-09-01.zip", kline_lines(MIDNIGHT + 24 * DAY))
    import_all(lake, august, september)
    folder = "klines/timeframe=1m/symbol=BTCUSDT"
    assert partitions(lake) == [f"{folder}/month=2024-{m}/month.parquet" for m in ("08", "09")]
    assert rows(lake, "SELECT * FROM klines") == []
    whole = pl.read_parquet(lake / "klines", hive_partitioning=True)
    assert (whole.height, whole["symbol"].unique().to_list()) == (2880, ["BTCUSDT"])
    assert len(klines(lake)) == 2880


def test_what_the_collector_fetched_is_taken_once(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_all(tmp_path / "other", write_dump(tmp_path, NAME, kline_lines(count=30)))
    store_hot_klines(lake, klines(tmp_path / "other")[10:20])
    (imported,) = import_all(lake, write_dump(tmp_path, NAME, kline_lines(count=30)))
    assert (imported.records, imported.fresh) == (30, 20)
    assert klines(lake) == klines(tmp_path / "other")


def test_klines_whose_file_is_there_and_was_not_recorded_are_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between the two: the same import again makes it good."""
    lake, dump = tmp_path / "lake", write_dump(tmp_path, NAME, kline_lines(count=30))
    with monkeypatch.context() as patch:
        patch.setattr(importer.klines, "record_kline_change", _crash)
        with pytest.raises(KeyboardInterrupt):
            import_all(lake, dump)
    assert len(klines(lake)) == 30
    assert rows(lake, "SELECT * FROM kline_changes") == []
    import_all(lake, dump)
    first = MIDNIGHT // 1000
    changes = "SELECT symbol, first, last FROM kline_changes"
    assert rows(lake, changes) == [("BTCUSDT", first, first + 29 * 60)]


def _crash(*_: object) -> None:
    raise KeyboardInterrupt
