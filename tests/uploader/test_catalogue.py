"""A machine without the lake opens what the uploader keeps in the bucket."""

from pathlib import Path

import polars as pl

import spreadlake
from spreadlake.lake.cold.address import ColdAddress
from tests.cold_lakes import SYMBOLS, finished_lake
from tests.uploader.lakes import paths_of, uploading


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
