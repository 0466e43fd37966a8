"""`spreadlake symbols`: who is captured, who is not, and why, without a collector running."""

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from spreadlake.lake import Lake, atomic, open_ticks_writer, set_status
from spreadlake.lake.ticks.universe import UniverseRow, save_trouble, save_universe
from tests.running import invoke

HOUR_MS = 3_600_000


def row(symbol: str, place: int | None, reason: str, **more: Any) -> UniverseRow:
    return UniverseRow(symbol, place, reason, "TRADING", "PERPETUAL", "USDT")._replace(**more)


def make_lake(root: Path, others: int = 1) -> None:
    now_ms = int(time.time() * 1000)
    rows = [
        row("BTCUSDT", 0, "number 1 by 24 h volume of 2", quote_volume=9e6, rank=1),
        row("OLDUSDT", 1, "universe.include names it", delivery_ms=now_ms + 5 * HOUR_MS),
        *(row(f"S{n:03d}USDT", None, f"it is number {n} by 24 h volume") for n in range(others)),
    ]
    with closing(open_ticks_writer(Lake(root))) as db, atomic(db):
        save_universe(db, rows, "contracts PERPETUAL, top 2 by it", now_ms - 3 * HOUR_MS)
        save_trouble(db, "the exchange's list cannot be read: HTTP 503")


def test_the_table_says_who_and_why_and_how_old_it_is(tmp_path: Path) -> None:
    make_lake(tmp_path / "lake")
    ended = invoke("symbols", "--data", "lake", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    for part in (
        "2 symbols captured of 3 known; the exchange's list was read 3 h",
        "rules: contracts PERPETUAL, top 2 by it",
        "since then: the exchange's list cannot be read: HTTP 503",
        "OLDUSDT ends at ",
        "number 1 by 24 h volume of 2",
        "not captured",
        "it is number 0 by 24 h volume",
    ):
        assert part in ended.stdout


def test_of_many_the_others_are_counted_by_reason(tmp_path: Path) -> None:
    make_lake(tmp_path / "lake", others=500)
    text = invoke("symbols", "--data", "lake", cwd=tmp_path).stdout
    assert "500  it is number … by 24 h volume: S000USDT, S001USDT, S002USDT and 497 more" in text
    assert len(text.splitlines()) < 20
    text = invoke("symbols", "--data", "lake", "--all", cwd=tmp_path).stdout
    assert "it is number 499 by 24 h volume" in text


def test_json_has_everything(tmp_path: Path) -> None:
    make_lake(tmp_path / "lake")
    told = json.loads(invoke("symbols", "--data", "lake", "--json", cwd=tmp_path).stdout)
    assert (told["captured"], told["known"]) == (2, 3)
    assert told["age_seconds"] > 3 * 3600 - 1
    assert set(told["deliveries"]) == {"OLDUSDT"}
    btc, old, other = told["symbols"]
    assert (btc["symbol"], btc["captured"], btc["rank"], btc["quote_volume"]) == (
        "BTCUSDT", True, 1, 9e6,
    )  # fmt: skip
    assert old["delivery_at"] == told["deliveries"]["OLDUSDT"]
    assert (other["captured"], other["reason"]) == (False, "it is number 0 by 24 h volume")


def test_a_lake_whose_collector_was_an_earlier_one(tmp_path: Path) -> None:
    with closing(open_ticks_writer(Lake(tmp_path / "lake"))) as db, atomic(db):
        set_status(db, 1, {"captured": ["ETHUSDT"]})
    ended = invoke("symbols", "--data", "lake", cwd=tmp_path)
    assert "ETHUSDT" in ended.stdout
    assert "the exchange's list was read never" in ended.stdout


def test_a_lake_that_is_not_there(tmp_path: Path) -> None:
    ended = invoke("symbols", "--data", "lake", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("spreadlake: error: ")
