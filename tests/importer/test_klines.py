from pathlib import Path

import pytest

from spreadlake.errors import InputError
from tests.importer.dumps import MIDNIGHT, kline_lines, write_dump
from tests.importer.lakes import import_all, row, rows

NAME = "BTCUSDT-1m-2024-08-08.zip"
COUNTER = "SELECT value FROM counters WHERE name = 'klines'"


@pytest.mark.parametrize("header", [True, False])
def test_klines_are_stored_and_counted(tmp_path: Path, header: bool) -> None:
    lake = tmp_path / "lake"
    (imported,) = import_all(lake, write_dump(tmp_path, NAME, kline_lines(header=header)))
    assert (imported.records, imported.fresh) == (1440, 1440)
    assert row(lake, "SELECT * FROM klines ORDER BY time LIMIT 1") == (
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
    assert len(rows(lake, "SELECT * FROM klines")) == 3


def test_a_minute_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    lines = [*kline_lines(count=2), kline_lines(count=1)[1].replace("12.5", "13.5")]
    with pytest.raises(InputError, match="the kline of 2024-08-08T00:00:00Z is there twice"):
        import_all(tmp_path / "lake", write_dump(tmp_path, NAME, lines))
