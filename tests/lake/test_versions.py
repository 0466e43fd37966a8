"""Old lakes open and are brought up to date, newer ones are refused."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from spreadlake.errors import LakeError
from spreadlake.lake import (
    Lake,
    open_analytics_writer,
    open_backtests_writer,
    open_cold_writer,
    open_reader,
    open_ticks_writer,
)
from spreadlake.lake.databases import connections
from spreadlake.lake.databases.schema import ANALYTICS_STEPS
from spreadlake.lake.databases.schema_backtests import BACKTESTS_STEPS
from spreadlake.lake.databases.schema_ticks import TICKS_STEPS

Opener = Callable[[Lake], sqlite3.Connection]

VERSIONS = Path(__file__).parent / "versions"
WRITERS = [
    pytest.param("ticks_db", open_ticks_writer, "TICKS_STEPS", id="ticks.db"),
    pytest.param("analytics_db", open_analytics_writer, "ANALYTICS_STEPS", id="analytics.db"),
    pytest.param("backtests_db", open_backtests_writer, "BACKTESTS_STEPS", id="backtests.db"),
    pytest.param("cold_db", open_cold_writer, "COLD_STEPS", id="cold.db"),
]
# A table of each, with a row and its columns.
ROWS = {
    "ticks_db": ("meta", "('kept', 'yes')", "key, value"),
    "analytics_db": ("meta", "('kept', 'yes')", "key, value"),
    "backtests_db": ("backtest_equity", "(1, 1, 1, 2, 2, 3, 3, 4)", "backtest_id, drawdown"),
    "cold_db": ("meta", "('kept', 'yes')", "key, value"),
}
NEXT_STEP = "ALTER TABLE {} ADD COLUMN note TEXT; CREATE TABLE more(x INTEGER);"


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def shape_of(path: Path) -> set[tuple[str, str]]:
    """Every table and index with its definition, white space aside."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {(name, " ".join(sql.split())) for name, sql in rows}


@pytest.mark.parametrize(("file", "opened", "steps"), WRITERS)
def test_a_new_file_has_the_newest_version(
    tmp_path: Path, file: str, opened: Opener, steps: str
) -> None:
    lake = Lake(tmp_path)
    opened(lake).close()
    assert version_of(getattr(lake, file)) == len(getattr(connections, steps))


@pytest.mark.parametrize(("file", "opened", "steps"), WRITERS)
def test_an_old_lake_is_brought_up_to_date_and_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, opened: Opener, steps: str
) -> None:
    lake = Lake(tmp_path)
    table, row, columns = ROWS[file]
    with closing(opened(lake)) as db:
        db.execute(f"INSERT INTO {table} VALUES {row}")
        kept = db.execute(f"SELECT {columns} FROM {table}").fetchone()
    old = version_of(getattr(lake, file))
    monkeypatch.setattr(connections, steps, [*getattr(connections, steps), NEXT_STEP.format(table)])
    with closing(opened(lake)) as db:
        found = db.execute(f"SELECT {columns}, note FROM {table}").fetchall()
        assert found == [(*kept, None)]
        assert db.execute("SELECT * FROM more").fetchall() == []
    assert version_of(getattr(lake, file)) == old + 1
    opened(lake).close()
    assert version_of(getattr(lake, file)) == old + 1


@pytest.mark.parametrize(("file", "opened", "steps"), WRITERS)
def test_a_step_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, opened: Opener, steps: str
) -> None:
    lake = Lake(tmp_path)
    opened(lake).close()
    before = shape_of(getattr(lake, file)), version_of(getattr(lake, file))
    wrong = "CREATE TABLE half(x); CREATE TABLE half(x);"
    monkeypatch.setattr(connections, steps, [*getattr(connections, steps), wrong])
    with pytest.raises(LakeError, match="table half already exists"):
        opened(lake)
    assert (shape_of(getattr(lake, file)), version_of(getattr(lake, file))) == before


@pytest.mark.parametrize(("file", "opened", "steps"), WRITERS)
@pytest.mark.parametrize("write", [True, False])
def test_a_newer_lake_is_refused_with_a_line_that_says_what_to_do(
    tmp_path: Path, file: str, opened: Opener, steps: str, write: bool
) -> None:
    lake = Lake(tmp_path)
    path = getattr(lake, file)
    opened(lake).close()
    known = len(getattr(connections, steps))
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version={known + 1}")
    with pytest.raises(LakeError) as caught:
        opened(lake) if write else open_reader(path)
    assert str(caught.value) == (
        f"{path} has schema version {known + 1}, and this spreadlake knows {known}; "
        "upgrade spreadlake"
    )


@pytest.mark.parametrize(("file", "opened", "steps"), WRITERS)
def test_every_version_that_was_ever_written_opens(
    tmp_path: Path, file: str, opened: Opener, steps: str
) -> None:
    """A step that has been released is never edited: what is needed is one more step."""
    name = file.removesuffix("_db")
    new = Lake(tmp_path / "new")
    opened(new).close()
    kept = sorted(VERSIONS.glob(f"{name}_*.sql"), key=lambda path: int(path.stem.split("_")[1]))
    assert [path.name for path in kept] == [
        f"{name}_{n}.sql" for n in range(1, len(getattr(connections, steps)) + 1)
    ], "keep the schema of a new version: python -m tests.lake.versions"
    for number, schema in enumerate(kept, 1):
        lake = Lake(tmp_path / str(number))
        lake.root.mkdir()
        with closing(sqlite3.connect(getattr(lake, file))) as db:
            db.executescript(schema.read_text(encoding="utf-8"))
            db.execute(f"PRAGMA user_version={number}")
        opened(lake).close()
        assert shape_of(getattr(lake, file)) == shape_of(getattr(new, file)), schema.name


def test_each_list_has_steps() -> None:
    assert TICKS_STEPS
    assert ANALYTICS_STEPS
    assert BACKTESTS_STEPS
