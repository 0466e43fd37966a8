"""The alert table and the marks on z: which events they have, and what they cost."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from spreadlake.lake import Lake, atomic, open_analytics_writer
from tests.grafana.rendering import dashboard, fill, lake_queries, query

NOW = 1_800_000_000
FROM, TO = NOW - 900, NOW
QUERIES = {
    found.where: found.sql
    for board in ("spreadlake-pair", "spreadlake-overview")
    for found in lake_queries(dashboard(board))
}
TABLE = next(sql for where, sql in QUERIES.items() if where.startswith("Alerts of"))
MARKS = QUERIES["marks Alerts"]
OPEN = QUERIES["Open alerts"]
SERIES = ("BTCUSDT/ETHUSDT", "1s", 60, 300)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_analytics_writer(Lake(tmp_path))) as writer:
        with atomic(writer):
            writer.execute("INSERT INTO progress VALUES ('watermark_ms', ?)", (NOW * 1000 + 400,))
        yield writer


def add(
    db: sqlite3.Connection,
    number: int,
    opened: int,
    closed: int | None,
    *,
    rule: str = "zscore",
    series: tuple[str, str, int, int] = SERIES,
    zscore: float = 2.5,
) -> None:
    with atomic(db):
        db.execute(
            "INSERT INTO alert_events VALUES (?, ?, ?, ?, ?, ?, 2, ?, ?, ?, ?, ?)",
            (number, rule, *series, opened, zscore, zscore * 1.2, closed, closed and 0.9),
        )


def rows(root: Path, sql: str, since: float = FROM, until: float = TO) -> list[dict[str, object]]:
    table = query(root, fill(sql, since, until))
    return [table.row(number) for number in range(len(table.rows))]


def test_they_have_what_was_open_in_the_range(db: sqlite3.Connection, tmp_path: Path) -> None:
    for number, (opened, closed) in enumerate(
        [
            (FROM - 90, FROM - 1),  # over before it
            (FROM - 60, FROM),  # reaches into it
            (FROM + 10, FROM + 30),
            (TO, TO + 60),
            (TO + 1, None),  # after it
        ]
    ):
        add(db, number, opened, closed)
    add(db, 10, FROM - 5_000, TO + 5_000, rule="long")  # from before to after
    add(db, 11, FROM - 4_000, None, rule="open")
    starts = [FROM - 5_000, FROM - 4_000, FROM - 60, FROM + 10, TO]
    assert [row["time"] for row in rows(tmp_path, MARKS)] == starts
    assert [row["opened"] for row in rows(tmp_path, TABLE)] == starts[::-1]
    ends = [TO + 5_000, NOW - 1, FROM, FROM + 30, TO + 60]
    assert [row["timeEnd"] for row in rows(tmp_path, MARKS)] == ends
    assert rows(tmp_path, MARKS, FROM - 9_000, FROM - 8_000) == []


def test_they_follow_pair_timeframe_window_and_lookback(
    db: sqlite3.Connection, tmp_path: Path
) -> None:
    others = [
        ("ETHUSDT/SOLUSDT", *SERIES[1:]),
        (SERIES[0], "1m", *SERIES[2:]),
        (*SERIES[:2], 30, 300),
        (*SERIES[:3], 600),
    ]
    for number, series in enumerate([SERIES, *others]):
        add(db, number, FROM + 60 + number, None, series=series)
    for sql in (TABLE, MARKS):
        assert len(rows(tmp_path, sql)) == 1
        changed = query(tmp_path, fill(sql, FROM, TO, window="30")).rows
        assert len(changed) == 1


def test_a_mark_says_side_z_and_how_it_ended(db: sqlite3.Connection, tmp_path: Path) -> None:
    add(db, 1, FROM + 10, FROM + 52, zscore=-2.5)
    add(db, 2, FROM + 700, None, zscore=2.25)
    assert [row["text"] for row in rows(tmp_path, MARKS)] == [
        "zscore: long the spread, z −2.50 beyond 2, at most −3.00; back after 42.0 s at +0.90",
        "zscore: short the spread, z +2.25 beyond 2, at most +2.70; open",
    ]


@pytest.mark.parametrize("sql", [TABLE, MARKS, OPEN])
def test_what_is_over_and_outside_costs_nothing(
    db: sqlite3.Connection, tmp_path: Path, sql: str
) -> None:
    add(db, 1, FROM + 10, FROM + 52)
    add(db, 2, FROM + 700, None, rule="b")
    few = cost(tmp_path, sql)
    with atomic(db):
        db.executemany(
            "INSERT INTO alert_events VALUES (?, ?, ?, '1s', 60, 300, 2, ?, 2, 2, ?, 1)",
            [
                (n, rule, pair, at, at + 20)
                for n, (rule, pair, at) in enumerate(
                    (
                        (rule, pair, start + 40 * k)
                        for rule in ("zscore", "b", "c")
                        for pair in ("BTCUSDT/ETHUSDT", "A/B")
                        for start in (FROM - 400_000, TO + 1)
                        for k in range(2_000)
                    ),
                    start=100,
                )
            ],
        )
    assert cost(tmp_path, sql) < few + 300


def cost(root: Path, sql: str) -> int:
    """Steps of SQLite's machine that a query takes."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(f"file:{root / 'analytics.db'}?mode=ro", uri=True)) as reader:
        reader.set_progress_handler(count, 1)
        reader.execute(fill(sql, FROM, TO)).fetchall()
    return steps


@pytest.mark.parametrize("sql", [TABLE, MARKS])
def test_events_are_found_by_their_key(db: sqlite3.Connection, tmp_path: Path, sql: str) -> None:
    plan = query(tmp_path, f"EXPLAIN QUERY PLAN {fill(sql, FROM, TO)}").column("detail")
    reads = [line for line in plan if "alert_events" in line or line.startswith("SEARCH e ")]
    assert reads
    for line in reads:
        assert re.match(r"SEARCH .*sqlite_autoindex_alert_events_1", line), line
    (events,) = [line for line in reads if line.startswith("SEARCH e ")]
    assert "lookback_bars=? AND opened_at>? AND opened_at<?" in events
