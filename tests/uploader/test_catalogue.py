"""A machine without the lake opens what the uploader keeps in the bucket."""

from pathlib import Path

import polars as pl
import pytest

import spreadlake
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.catalogue import CATALOGUE
from spreadlake.lake.cold.objects import Objects
from tests.cold_lakes import SYMBOLS, finished_lake
from tests.uploader.lakes import lake_of_days, paths_of, uploading, write_day


def test_who_has_the_address_alone_reads_what_was_uploaded(
    tmp_path: Path, cold: ColdAddress
) -> None:
    lake = finished_lake(tmp_path / "lake").lake
    (lake.root / ".catalogue-killed").mkdir()
    expected = frames(lake.root)
    with uploading(lake, cold, local_days=0) as uploader:
        uploader.once()
        uploader.once()
    assert not list(lake.root.glob(".catalogue-*"))
    assert not [path for path in paths_of(lake) if path.startswith("ticks/")]
    assert all(a.equals(b) for a, b in zip(frames(lake.root), expected, strict=True))
    for here, there in zip(expected, frames(cold.text), strict=True):
        assert there.height
        assert there.equals(here.head(there.height))


def frames(place: str | Path) -> list[pl.DataFrame]:
    lake = spreadlake.open(place)
    return [lake.trades(symbol).collect() for symbol in SYMBOLS]


def test_it_is_not_written_anew_with_every_file(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be large: what comes within a minute is in the next one."""
    lake = lake_of_days(tmp_path, 1)
    with uploading(lake, cold) as uploader:
        uploader.once()
        first = Objects(cold).get(CATALOGUE)
        write_day(lake, day=5)
        uploader.once()
        assert Objects(cold).get(CATALOGUE) == first
        monkeypatch.setattr(uploader.rounds._catalogue, "_next", 0.0)
        uploader.once()
        assert Objects(cold).get(CATALOGUE) != first
