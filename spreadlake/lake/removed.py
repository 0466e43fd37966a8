"""What is said of days that were removed on purpose: by which settings, and where they are."""

from pathlib import Path

from spreadlake.lake.files import cold_part
from spreadlake.lake.keeping import day_name
from spreadlake.lake.layout import Lake

_KEEP = "storage.keep_days, storage.max_gib"


def removed_by(lake: Lake) -> str:
    """The settings that remove days of a lake for good."""
    return _KEEP if cold_part(lake) is None else f"storage.cold_keep_days, or before {_KEEP}"


def still_in_bucket(lake: Lake, folder: Path, start: int, end: int) -> str:
    """The rest of a sentence: that the bucket has files of the days from `start` to `end` (s).

    `folder` is that of a symbol or timeframe. Empty where it has none.
    """
    cold = cold_part(lake)
    if cold is None:
        return ""
    first, last = (f"date={day_name(second)}" for second in (start, end))
    names = cold.names_under(folder)
    if not any(first <= part < last for name in names for part in name.split("/")):
        return ""
    return f"; the bucket still has files of that time ({cold.url(folder)}), as Parquet"
