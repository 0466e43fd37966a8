"""When the time is over that a folder of the lake is of."""

from datetime import UTC, datetime

import pytest

from uploader.finished import end_of


@pytest.mark.parametrize(
    ("folder", "end"),
    [
        ("date=2026-11-30", datetime(2026, 12, 1, tzinfo=UTC)),
        ("date=2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("date=2028-02-28", datetime(2028, 2, 29, tzinfo=UTC)),
        ("month=2026-11", datetime(2026, 12, 1, tzinfo=UTC)),
        ("month=2026-12", datetime(2027, 1, 1, tzinfo=UTC)),
        ("date=", None),
        ("month=2026", None),
        ("symbol=BTCUSDT", None),
        ("date", None),
    ],
)
def test_a_folder_says_when_its_time_ends(folder: str, end: datetime | None) -> None:
    assert end_of(folder) == (None if end is None else end.timestamp())
