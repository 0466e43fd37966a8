"""History imported as klines, and not a single trade: every command that reads a lake."""

import csv
import io
import json
from pathlib import Path

from spreadlake.lake import Lake, open_reader
from spreadlake.research import ScreenRequest, take_screen
from tests.importer.dumps import MIDNIGHT, kline_lines, write_dump
from tests.running import invoke

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


def _moving(symbol: str) -> list[str]:
    """Klines whose prices move, each symbol in its own way."""
    header, *lines = kline_lines(MIDNIGHT, count=600)
    step, moved = SYMBOLS.index(symbol) + 2, []
    for number, line in enumerate(lines):
        fields = line.split(",")
        price = 100.0 * step + (number * 7919 * step % 101) / 10
        fields[1:5] = [str(price), str(price + 1), str(price - 1), str(price + 0.5)]
        moved.append(",".join(fields))
    return [header, *moved]


def test_every_command_on_klines_alone(tmp_path: Path) -> None:
    for symbol in SYMBOLS:
        file = write_dump(tmp_path, f"{symbol}-1m-2024-08-08.zip", _moving(symbol))
        assert invoke("import", file, "--data", "lake", cwd=tmp_path).returncode == 0
    (tmp_path / "spreadlake.toml").write_text(
        f'symbols = {list(SYMBOLS)}\npairs = [["BTCUSDT", "ETHUSDT"]]\n'.replace("'", '"')
    )
    before = invoke("status", "--data", "lake", cwd=tmp_path).stdout
    assert "some are yet to be analysed" in before
    done = invoke("analyse", "--once", "--data", "lake", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bars of 3 symbols" in done.stdout
    assert "from 2024-08-08T00:00:00Z to 2024-08-08T10:00:00Z" in done.stdout

    told = " ".join(invoke("status", "--data", "lake", cwd=tmp_path).stdout.split())
    assert "1m klines of 3 symbols, from 2024-08-08T00:00:00Z to 2024-08-08T10:00:00Z" in told
    assert "none of seconds, which need trades" in told
    assert "warming up: 0 of 60 bars; these bars need trades" in told
    report = json.loads(invoke("status", "--json", "--data", "lake", cwd=tmp_path).stdout)
    assert report["klines"]["symbols"] == 3
    assert report["klines"]["unprocessed"] is False
    states = {(p["timeframe"], p["state"]) for p in report["pairs"]}
    assert states == {("1s", "warming"), ("1m", "ready")}

    for pair, timeframe in (("BTCUSDT/ETHUSDT", "1m"), ("BTCUSDT/SOLUSDT", "5m")):
        options = ("--pair", pair, "--timeframe", timeframe, "--window", "30", "-o", "-")
        told = invoke("csv", *options, "--data", "lake", cwd=tmp_path).stdout
        rows = list(csv.DictReader(io.StringIO(told)))
        assert rows[-1]["close_time"] == "2024-08-08T10:00:00Z"
        assert rows[-1]["zscore"]
    options = ("--pair", "BTCUSDT/ETHUSDT", "--timeframe", "1s", "--window", "30", "-o", "-")
    refused = invoke("csv", *options, "--data", "lake", cwd=tmp_path)
    assert refused.returncode == 2
    assert "seconds only of trades" in refused.stderr

    options = ("--pair", "BTCUSDT/SOLUSDT", "--window", "30", "--entry", "1", "--format", "json")
    traded = invoke("backtest", *options, "--data", "lake", cwd=tmp_path)
    assert traded.returncode == 0, traded.stderr
    result = json.loads(traded.stdout)
    assert result["trades"] > 0
    assert result["settings"]["bars"] == 600
    assert result["settings"]["bars_with_zscore"] == 571

    screen = take_screen(Lake(tmp_path / "lake"), ScreenRequest())
    assert (screen.symbols, screen.close_time) == (SYMBOLS, MIDNIGHT // 1000 + 36_000)
    assert screen.rows.height == 3
    db = open_reader(Lake(tmp_path / "lake").ticks_db)
    assert db.execute("SELECT count(*) FROM klines").fetchone() == (0,)
    db.close()


def test_without_a_timeframe_of_minutes_it_is_said_what_to_do(tmp_path: Path) -> None:
    for symbol in SYMBOLS[:2]:
        file = write_dump(tmp_path, f"{symbol}-1m-2024-08-08.zip", _moving(symbol))
        assert invoke("import", file, "--data", "lake", cwd=tmp_path).returncode == 0
    (tmp_path / "spreadlake.toml").write_text(
        f'symbols = {list(SYMBOLS[:2])}\npairs = "all"\ntimeframes = ["1s"]\n'.replace("'", '"')
    )
    done = invoke("analyse", "--once", "--data", "lake", cwd=tmp_path)
    assert done.returncode == 0
    told = "klines are in the lake that no bars are made of: bars of 1s need trades; add 1m"
    assert (done.stdout + done.stderr).count(told) == 1
    status = " ".join(invoke("status", "--data", "lake", cwd=tmp_path).stdout.split())
    assert "timeframes names none from 1m up: add 1m to it, or import trades" in status
    assert "warming up: 0 of 60 bars; these bars need trades" in status
