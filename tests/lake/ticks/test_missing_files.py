"""What is on record as rolled and is not there is found without going through all that is."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.lake import Lake, atomic, files, open_reader, open_ticks_writer
from spreadlake.lake.layout import DAY_MS, HOUR_MS
from spreadlake.lake.ticks import rolls
from spreadlake.lake.ticks.rolls import Roll, RolledHour, missing_hours, record_rolls

SYMBOLS = ("AAAUSDT", "BBBUSDT")
START = 1_780_272_000_000  # a midnight


class Kept(NamedTuple):
    """An hour on record: by which files its rows are held, and which of them are there."""

    own: bool
    compacted: bool
    own_file: bool
    day_file: bool

    @property
    def rows(self) -> tuple[int, int]:
        """(rows, of which in the day's file)."""
        day_rows = 40 * self.compacted
        return day_rows + 60 * self.own, day_rows


HOURS = st.dictionaries(
    st.tuples(st.sampled_from(SYMBOLS), st.integers(0, 71)),
    st.builds(Kept, st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    max_size=20,
)


def record(lake: Lake, hours: dict[tuple[str, int], Kept]) -> None:
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        for symbol in SYMBOLS:
            db.execute("INSERT INTO symbols VALUES (?, 1, 2, 0, 1.0, 2)", (symbol,))
        record_rolls(
            db,
            [
                Roll(symbol, START + hour * HOUR_MS, kept.rows[0], 1, kept.rows[1])
                for (symbol, hour), kept in hours.items()
            ],
            0,
        )


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def looked_at_one_by_one(lake: Lake, from_ms: int) -> Iterator[RolledHour]:
    """Every hour on record, by its own path and that of its day."""
    with closing(open_reader(lake.ticks_db)) as db:
        rows = db.execute(
            "SELECT symbol, hour_ms, rows, day_rows FROM rolls ORDER BY symbol, hour_ms"
        ).fetchall()
    for symbol, hour_ms, count, day_rows in rows:
        own = lake.tick_partition(symbol, hour_ms).exists() or count <= day_rows
        day = lake.tick_day(symbol, hour_ms).exists() or day_rows == 0
        if hour_ms + HOUR_MS > from_ms and not (own and day):
            yield RolledHour(symbol, hour_ms, count, day_rows)


@settings(max_examples=40, deadline=None)
@given(HOURS, st.integers(-2 * HOUR_MS, 80 * HOUR_MS))
def test_it_is_what_a_look_at_every_file_finds(
    hours: dict[tuple[str, int], Kept], after: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        record(lake, hours)
        for (symbol, hour), kept in hours.items():
            hour_ms = START + hour * HOUR_MS
            if kept.own_file:
                put(lake.tick_partition(symbol, hour_ms))
            if kept.day_file:
                put(lake.tick_day(symbol, hour_ms))
        with closing(open_reader(lake.ticks_db)) as db:
            for from_ms in (0, START + after):
                found = missing_hours(db, lake, from_ms)
                assert found == list(looked_at_one_by_one(lake, from_ms))


def compacted(lake: Lake, days: int, hours: int) -> None:
    """Days of so many hours each, compacted; and a few hours of one symbol after them."""
    whole = Kept(own=False, compacted=True, own_file=False, day_file=True)
    own = Kept(own=True, compacted=False, own_file=True, day_file=False)
    old = {(s, day * 24 + h): whole for s in SYMBOLS for day in range(days) for h in range(hours)}
    new = {(SYMBOLS[0], days * 24 + hour): own for hour in range(3)}
    record(lake, old | new)
    for symbol in SYMBOLS:
        for day in range(days):
            put(lake.tick_day(symbol, START + day * DAY_MS))
    for symbol, hour in new:
        put(lake.tick_partition(symbol, START + hour * HOUR_MS))


def steps_to_find_nothing(lake: Lake) -> int:
    """What SQLite does for it, in instructions of its machine."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(open_reader(lake.ticks_db)) as db:
        db.set_progress_handler(count, 1)
        assert missing_hours(db, lake) == []
    return steps


def test_of_compacted_days_no_folder_is_read_and_no_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cost is a seek and a look a day; only what is in hours yet is gone through."""
    days, read = 20, list[Path]()
    short, long = Lake(tmp_path / "short"), Lake(tmp_path / "long")
    compacted(short, days, 2)
    compacted(long, days, 24)

    def note(lake: Lake, folder: Path) -> set[str]:
        read.append(folder)
        return files.names_in(lake, folder)

    monkeypatch.setattr(rolls, "names_in", note)
    assert steps_to_find_nothing(long) == steps_to_find_nothing(short)
    newest = START + days * DAY_MS
    assert read == [lake.tick_day(SYMBOLS[0], newest).parent for lake in (long, short)]
