"""Who is captured is asked of the lake, by one function, of lakes of any age."""

import sqlite3
from contextlib import closing
from pathlib import Path

from spreadlake.lake import Lake, atomic, open_reader, open_ticks_writer, set_status
from spreadlake.lake.ticks.universe import (
    UniverseRow,
    captured_symbols,
    read_universe,
    save_trouble,
    save_universe,
)

VERSIONS = Path(__file__).parent.parent / "versions"
ROWS = [
    UniverseRow("DOGEUSDT", None, "volume", "TRADING", "PERPETUAL", "USDT", 1.5, 3, 1, None, 5),
    UniverseRow("ETHUSDT", 0, "by the rules"),
    UniverseRow("BTCUSDT", 1, "always", delivery_ms=9),
]


def test_nobody_said_yet(tmp_path: Path) -> None:
    with closing(open_ticks_writer(Lake(tmp_path))) as db:
        assert captured_symbols(db) is None
        assert read_universe(db).rows == []


def test_what_was_saved_is_there_with_those_captured_first(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        save_universe(db, ROWS, "all of them", 17)
    with closing(open_reader(lake.ticks_db)) as db:
        assert captured_symbols(db) == ["ETHUSDT", "BTCUSDT"]
        look = read_universe(db)
        assert look.rows == [ROWS[1], ROWS[2], ROWS[0]]
        assert (look.rules, look.looked_ms, look.trouble) == ("all of them", 17, "")


def test_trouble_leaves_the_rows_and_is_over_with_the_next_look(tmp_path: Path) -> None:
    with closing(open_ticks_writer(Lake(tmp_path))) as db:
        with atomic(db):
            save_universe(db, ROWS, "all of them", 17)
            save_trouble(db, "an empty list")
        assert read_universe(db).trouble == "an empty list"
        assert captured_symbols(db) == ["ETHUSDT", "BTCUSDT"]
        with atomic(db):
            save_universe(db, ROWS[:1], "some", None)
        assert read_universe(db) == ([ROWS[0]], "some", None, "")
        assert captured_symbols(db) == []


def test_a_lake_of_before_tells_who_was_captured(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(sqlite3.connect(lake.ticks_db)) as db:
        db.executescript((VERSIONS / "ticks_2.sql").read_text(encoding="utf-8"))
        db.execute("PRAGMA user_version=2")
        set_status(db, 1, {"captured": ["ETHUSDT", "SOLUSDT"]})
        db.commit()
    with closing(open_reader(lake.ticks_db)) as db:
        assert captured_symbols(db) == ["ETHUSDT", "SOLUSDT"]
        assert read_universe(db).rows == []
    with closing(open_ticks_writer(lake)) as db:
        assert captured_symbols(db) == ["ETHUSDT", "SOLUSDT"]
