"""A finished file is read as one version of it, whoever writes it anew meanwhile."""

from pathlib import Path

import polars as pl
import pytest

from spreadlake.errors import DamagedFileError
from spreadlake.lake import Lake
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.reading import ask


def frame(rows: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"time": range(rows), "price": [row * 7919 % 101 / 7 for row in range(rows)]}
    )


def test_a_file_that_is_written_anew_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    """Polars opens it for its footer, and again for its rows."""
    path, new = tmp_path / "day.parquet", [frame(5_000)]
    write_durably(frame(3_000), path)

    def question(file: pl.LazyFrame) -> pl.DataFrame:
        file.collect_schema()
        if new:
            write_durably(new.pop(), path)
        return file.collect()

    assert ask(Lake(tmp_path), path, question).equals(frame(5_000))


def test_one_that_is_written_anew_all_the_time_is_told(tmp_path: Path) -> None:
    path, rows = tmp_path / "day.parquet", [3_000]

    def question(file: pl.LazyFrame) -> int:
        rows[0] += 1
        write_durably(frame(rows[0]), path)
        return rows[0]

    write_durably(frame(3_000), path)
    with pytest.raises(DamagedFileError, match="as often as it is read") as raised:
        ask(Lake(tmp_path), path, question)
    assert not raised.value.for_good
