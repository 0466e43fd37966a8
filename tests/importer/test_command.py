import time
from pathlib import Path

from spreadlake.lake import Lake, writer_lock
from tests.importer.dumps import (
    DAY,
    MIDNIGHT,
    day_file,
    kline_lines,
    trade_lines,
    trades,
    write_dump,
)
from tests.importer.lakes import held
from tests.running import invoke, run

ROWS = trades(hours=2)


def test_it_says_what_came_of_each_file_and_what_to_do_next(tmp_path: Path) -> None:
    files = [
        day_file(tmp_path, ROWS),
        write_dump(tmp_path, "BTCUSDT-1m-2024-08-08.zip", kline_lines(count=60)),
    ]
    result = run("import", *files, "--data", tmp_path / "lake", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.splitlines()[:2] == [
        "BTCUSDT-aggTrades-2024-08-08.zip: 120 trades",
        "BTCUSDT-1m-2024-08-08.zip: 60 klines",
    ]
    assert "the analytics job takes this in when it runs, beside what is live" in result.stdout
    assert f"analyse --data {tmp_path}/lake --once" in result.stdout
    assert "another folder" not in result.stdout, "the same one may go on live"
    assert held(tmp_path / "lake") == ROWS


def test_a_lake_of_these_days_can_go_on_live(tmp_path: Path) -> None:
    today = int(time.time()) // 86_400 * 86_400_000
    file = day_file(tmp_path, trades(start_ms=today - DAY, hours=1))
    result = invoke("import", file, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "the analytics job takes this in" in result.stdout
    assert "another folder" not in result.stdout


def test_the_second_time_there_is_nothing_new(tmp_path: Path) -> None:
    file = day_file(tmp_path, ROWS)
    for _ in range(2):
        result = invoke("import", file, "--data", "lake", cwd=tmp_path)
    assert result.stdout.splitlines() == [
        "BTCUSDT-aggTrades-2024-08-08.zip: 0 trades; 120 were there already",
        "nothing new: all of it was there already",
    ]


def test_days_that_are_missing_are_told(tmp_path: Path) -> None:
    later = trades(start_ms=ROWS[0].time_ms + 2 * DAY, hours=1, first_id=ROWS[-1].trade_id + 51)
    result = invoke(
        "import",
        day_file(tmp_path, ROWS),
        day_file(tmp_path, later),
        "--data",
        "lake",
        cwd=tmp_path,
    )
    assert result.stdout.splitlines()[2] == (
        "BTCUSDT: 50 trades in between were in no file (1 gap); import the days that are missing"
    )
    told = invoke("status", "--data", "lake", cwd=tmp_path).stdout
    assert "180 trades are yet to be analysed" in told
    assert "not analysed yet" in told


def test_klines_without_trades_wait(tmp_path: Path) -> None:
    klines = write_dump(tmp_path, "BTCUSDT-1m-2024-08-07.zip", kline_lines(MIDNIGHT - DAY, count=3))
    told = invoke("import", klines, "--data", "lake", cwd=tmp_path).stdout
    assert "BTCUSDT: klines and no trades, which make bars from 1m up, none of seconds" in told
    told = invoke("import", day_file(tmp_path, ROWS), "--data", "lake", cwd=tmp_path).stdout
    assert "klines" not in told


def test_an_empty_day_is_not_called_known(tmp_path: Path) -> None:
    file = write_dump(tmp_path, "BTCUSDT-aggTrades-2024-08-08.zip", trade_lines([]))
    assert invoke("import", file, "--data", "lake", cwd=tmp_path).stdout.splitlines() == [
        "BTCUSDT-aggTrades-2024-08-08.zip: 0 trades",
        "nothing is in these files",
    ]


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    result = invoke("import", "nothing-here.zip", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("spreadlake: error: nothing-here.zip: the name does not tell")
    assert len(result.stderr.splitlines()) == 1


def test_beside_a_collector_it_says_who_is_in_the_way(tmp_path: Path) -> None:
    file = day_file(tmp_path, ROWS)
    with writer_lock(Lake(tmp_path / "lake"), "collector"):
        result = run("import", file, "--data", "lake", cwd=tmp_path)
    assert result.returncode == 2
    assert "already has a collector running (process" in result.stderr
