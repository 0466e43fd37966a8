"""Commands that read take a lake at its address in a bucket; all others say what they need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from spreadlake.lake.cold import reading
from spreadlake.lake.cold.address import ColdAddress
from tests.analytics_job.archiving import trades
from tests.cold_lakes import MIDNIGHT_MS, describe, finished_lake, upload
from tests.importer.dumps import trade_lines
from tests.running import invoke

PAIR = ("--pair", "AUSDT/BUSDT", "--timeframe", "1m", "--window", "30", "--lookback", "60")
LAST = ("--to", "2023-11-14T23:59:00Z")
READING = [
    ("csv", *PAIR, "-o", "-"),
    ("backtest", *PAIR),
    ("screen", "--lookback", "60", "--window", "30", "--at", "2023-11-14T23:50:00Z", "-o", "-"),
]
OTHERS = ("status", "symbols", "storage", "alerts", "collect", "analyse", "up")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(reading, "_away", {})


def test_what_reads_gives_the_same_from_the_bucket(tmp_path: Path, cold: ColdAddress) -> None:
    lake = finished_lake(tmp_path / "lake")
    upload(lake.lake, cold, keep=True)
    describe(lake.lake, cold)
    for command in READING:
        ends = LAST if command[0] == "csv" else ()
        there = invoke(*command, *ends, "--data", cold.text, cwd=tmp_path)
        here = invoke(*command, *ends, "--data", lake.lake.root, cwd=tmp_path)
        assert there.returncode == here.returncode == 0, (command, there.stderr, here.stderr)
        assert f"{cold.text} reaches, trades to 2023-11-15T00:00Z" in there.stderr
        if command[0] != "backtest":  # which is told to the end of what there is
            assert there.stdout == here.stdout
    kept = invoke(*READING[1], "--keep", "name", "--data", cold.text, cwd=tmp_path)
    assert kept.returncode == 2
    assert "--keep name" in kept.stderr
    lake.close()


def test_a_check_and_screens_are_the_same_before_and_after_the_move(
    tmp_path: Path, cold: ColdAddress
) -> None:
    """In the folder, with half of it in the bucket, with all of it there, and at the address."""
    lake = finished_lake(tmp_path / "lake")
    asked = list(_asked(tmp_path))

    def answers(place: object) -> list[tuple[int, str]]:
        ended = [invoke(*command, "--data", place, cwd=tmp_path) for command in asked]
        return [(one.returncode, one.stdout.partition("; what is")[0].rstrip()) for one in ended]

    wanted = answers(lake.lake.root)
    assert [code for code, _ in wanted] == [0, 1, 0], wanted
    assert "equal: nothing is missing" in wanted[0][1]
    assert "not captured 1" in wanted[1][1]
    assert wanted[2][1].count("2023-11-14T23:") >= 4
    moved = upload(lake.lake, cold, keep=True)
    for path in moved[::2]:
        path.unlink()
    assert answers(lake.lake.root) == wanted
    for path in moved[1::2]:
        path.unlink()
    assert answers(lake.lake.root) == wanted
    describe(lake.lake, cold)
    assert answers(cold.text) == wanted
    lake.close()


def _asked(folder: Path) -> Iterator[tuple[object, ...]]:
    day = [t for t in trades() if t.symbol == "AUSDT" and t.time_ms < MIDNIGHT_MS]
    extra = day[-1]._replace(trade_id=day[-1].trade_id + 5_000)
    for name, rows in (("equal", day), ("other", [*day, extra])):
        dump = folder / name / "AUSDT-aggTrades-2023-11-14.csv"
        dump.parent.mkdir()
        dump.write_text("\n".join(trade_lines(rows)))
        yield "verify", dump
    span = ("--from", "2023-11-14T23:10Z", "--to", "2023-11-14T23:50Z")
    yield "screen", "--every", "10m", *span, "--lookback", "60", "--window", "30", "-o", "-"


@pytest.mark.parametrize("command", OTHERS)
def test_what_needs_the_folder_says_so(tmp_path: Path, command: str) -> None:
    ended = invoke(command, "--data", "s3://bucket/lake", cwd=tmp_path)
    assert ended.returncode == 2
    assert "spreadlake.open" in " ".join(ended.stderr.replace("│", " ").split())
    assert not list(tmp_path.iterdir())


def test_an_address_without_a_lake_is_told_without_a_traceback(
    tmp_path: Path, cold: ColdAddress
) -> None:
    ended = invoke("screen", "--data", f"{cold.text}/elsewhere", cwd=tmp_path)
    assert ended.returncode == 2
    assert "has no lake" in ended.stderr
