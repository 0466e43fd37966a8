"""`python -m tests.lake.versions` keeps the schema of the newest version."""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from spreadlake.lake import (
    Lake,
    open_analytics_writer,
    open_backtests_writer,
    open_cold_writer,
    open_ticks_writer,
)


def keep(name: str, db: sqlite3.Connection) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    rows = db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    text = "".join(f"{' '.join(sql.split())};\n" for (sql,) in rows)
    (Path(__file__).parent / f"{name}_{version}.sql").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        with closing(open_ticks_writer(lake)) as ticks, closing(open_analytics_writer(lake)) as job:
            keep("ticks", ticks)
            keep("analytics", job)
        with closing(open_backtests_writer(lake)) as backtests:
            keep("backtests", backtests)
        with closing(open_cold_writer(lake)) as cold:
            keep("cold", cold)
