"""A lake that may only be read: a copy, another user's folder, a read-only file system."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.lake import Lake
from tests.analytics_job import harness
from tests.analytics_job.markets import walk
from tests.paths import ROOT

NOBODY = 65534
TRADES = walk(["AUSDT", "BUSDT"], 100, seed=5, per_second=1.5)
# What is imported late is imported once before, since another user may not read our packages.
COMMANDS = """
import os, sys
from unittest.mock import patch
from launcher.commands.app import main

def call(root):
    codes = []
    for command in (["status"], ["csv", "--pair", "AUSDT/BUSDT", "-o", "-"]):
        with patch.object(sys, "argv", ["spreadlake", *command, "--data", root]):
            try:
                main()
            except SystemExit as ended:
                codes.append(ended.code)
    return codes

call(sys.argv[1])
print("AS ANOTHER")
sys.stdout.flush()
os.setuid(int(sys.argv[3]))
print("CODES", call(sys.argv[2]))
"""


@pytest.fixture
def lake() -> Iterator[Path]:
    """A lake that nobody writes any more, in a folder that others may look into.

    Not below pytest's own, which every run closes to other users.
    """
    with tempfile.TemporaryDirectory(prefix="spreadlake-") as name:
        Path(name).chmod(0o755)
        lake = harness.run_job(
            Path(name) / "lake",
            harness.settings(symbols=["AUSDT", "BUSDT"], windows=[20], lookbacks=[50]),
            [TRADES],
        )
        lake.close()
        yield lake.lake.root
        for folder in Path(name).iterdir():
            folder.chmod(0o755)


def read_only_copy(lake: Path, *names: str) -> Path:
    copy = lake.with_name("copy")
    copy.mkdir()
    for path in lake.iterdir():
        if not names or path.name in names:
            shutil.copy(path, copy)
            (copy / path.name).chmod(0o444)
    copy.chmod(0o555)
    return copy


def commands(lake: Path, copy: Path) -> str:
    user = os.geteuid() or NOBODY
    ended = subprocess.run(
        [sys.executable, "-c", COMMANDS, str(lake), str(copy), str(user)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.stdout.partition("AS ANOTHER")[2] + ended.stderr


@pytest.mark.parametrize("names", [(), ("analytics.db",)], ids=["all of it", "analytics.db alone"])
def test_a_copy_that_may_only_be_read_is_read(lake: Path, names: tuple[str, ...]) -> None:
    copy = read_only_copy(lake, *names)
    there = sorted(path.name for path in copy.iterdir())
    said = commands(lake, copy)
    assert "CODES [0, 0]" in said
    assert "AUSDT/BUSDT" in said
    assert "time,price_a,price_b,spread,zscore" in said
    assert sorted(path.name for path in copy.iterdir()) == there


def test_a_log_that_cannot_be_shared_is_told(lake: Path) -> None:
    with closing(sqlite3.connect(lake / "analytics.db")) as db:
        db.execute("INSERT INTO meta VALUES ('only', 'in the log')")
        db.commit()
        copy = read_only_copy(lake, "analytics.db", "analytics.db-wal", "ticks.db")
    assert (copy / "analytics.db-wal").stat().st_size
    said = commands(lake, copy)
    assert "CODES [2, 2]" in said
    assert f"{copy}/analytics.db cannot be read here: analytics.db-wal holds what is not" in said
    assert "copy the folder" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_users_file_that_may_not_be_read_is_told(lake: Path) -> None:
    copy = read_only_copy(lake, "analytics.db")
    (copy / "analytics.db").chmod(0o400)
    said = commands(lake, copy)
    assert "CODES [2, 2]" in said
    assert "may not be read by this user; change its owner or its rights" in said


@contextmanager
def mounted_read_only(lake: Path) -> Iterator[Path]:
    target = lake.with_name("mounted")
    target.mkdir()
    done = subprocess.run(
        ["mount", "--bind", "-o", "ro", str(lake), str(target)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("needs the right to mount a folder read-only")
    try:
        yield target
    finally:
        subprocess.run(["umount", str(target)], check=True)


def test_a_read_only_file_system_is_read(lake: Path) -> None:
    with mounted_read_only(lake) as copy:
        said = commands(lake, copy)
    assert "CODES [0, 0]" in said


def test_a_living_lake_is_read_by_another_user(lake: Path) -> None:
    with closing(
        AnalyticsJob(
            Lake(lake),
            harness.settings(symbols=["AUSDT", "BUSDT"], windows=[20], lookbacks=[50]),
        )
    ) as job:
        job.step()
        said = commands(lake, lake)
    assert "CODES [0, 0]" in said
