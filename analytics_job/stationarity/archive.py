"""Takes archived slow statistics away that are about to be computed again.

History has fewer of them than a live run had: those that it would leave out would stay as they
were, whatever has become of their bars.
"""

import polars as pl

from spreadlake.errors import DamagedFileError
from spreadlake.lake import Lake
from spreadlake.lake.parquet import write_durably


def forget_archived_tests(lake: Lake, start: int | None) -> None:
    """Removes rows of `pair_tests` from the second `start` on (None: all) from Parquet.

    DamagedFileError where a file that holds earlier rows too cannot be read.
    """
    for path in sorted((lake.root / "pair_tests").rglob("*.parquet")):
        if start is None:
            path.unlink()
            continue
        try:
            rows = pl.read_parquet(path, hive_partitioning=False)
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise DamagedFileError(f"{path} cannot be read; rebuild without --from") from error
        kept = rows.filter(pl.col("time") < start)
        if kept.is_empty():
            path.unlink()
        elif kept.height < rows.height:
            write_durably(kept, path)
