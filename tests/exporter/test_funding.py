"""The latest funding rate of each captured symbol: its value, its time, what it costs to ask."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from exporter.funding import funding_families, read_funding_rates
from spreadlake.funding import FundingRate
from spreadlake.lake import Lake, atomic, open_ticks_writer
from spreadlake.lake.ticks.funding import save_funding
from spreadlake.lake.ticks.universe import UniverseRow, save_universe
from spreadlake.status import LakeSnapshot
from tests.exporter.serving import labels, scrape, serving

HOURS_MS = 8 * 3_600_000
START_MS = 1_790_000_000_123
RATE, TIME = "spreadlake_funding_rate", "spreadlake_funding_timestamp_seconds"


def rates(symbol: str, values: Sequence[float]) -> list[FundingRate]:
    return [FundingRate(symbol, START_MS + n * HOURS_MS, rate) for n, rate in enumerate(values)]


def lake_with(root: Path, *found: FundingRate, captured: Sequence[str] | None = None) -> Lake:
    lake = Lake(root)
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        save_funding(db, found)
        if captured is not None:
            known = {*captured, *(rate.symbol for rate in found)}
            places = {symbol: place for place, symbol in enumerate(captured)}
            rows = [UniverseRow(symbol, places.get(symbol), "") for symbol in sorted(known)]
            save_universe(db, rows, "by the rules", None)
    return lake


def test_the_newest_of_each_captured_symbol_with_its_time(tmp_path: Path) -> None:
    found = [*rates("BTCUSDT", [1e-4, -2.5e-4]), *rates("ETHUSDT", [0.0]), *rates("OLD", [9e-4])]
    lake = lake_with(tmp_path, *found, captured=["ETHUSDT", "BTCUSDT", "NEWUSDT"])
    with serving(lake) as address:
        samples = scrape(address)
    btc, eth = labels(symbol="BTCUSDT"), labels(symbol="ETHUSDT")
    # A rate of 0 is one; of a symbol without any, and of one that left, there is no sample.
    assert samples[RATE] == {btc: -2.5e-4, eth: 0.0}
    assert samples[TIME] == {btc: (START_MS + HOURS_MS) / 1000, eth: START_MS / 1000}


def test_before_a_collector_ever_said_it_is_those_of_the_configuration(tmp_path: Path) -> None:
    found = [*rates("BTCUSDT", [1e-4]), *rates("DOGEUSDT", [2e-4])]
    lake = lake_with(tmp_path, *found)
    with LakeSnapshot(lake) as look:
        known = read_funding_rates(look, ["DOGEUSDT", "SOLUSDT"])
    assert [rate.symbol for rate in known] == ["DOGEUSDT"]


def test_without_any_there_is_no_sample(tmp_path: Path) -> None:
    with serving(lake_with(tmp_path)) as address:
        samples = scrape(address)
    assert RATE not in samples
    assert TIME not in samples
    with LakeSnapshot(Lake(tmp_path / "none")) as look:
        assert read_funding_rates(look, ["BTCUSDT"]) == []
    assert [list(family.samples) for family in funding_families([])] == [[], []]


def test_it_costs_a_seek_a_symbol_and_no_history(tmp_path: Path) -> None:
    short = lake_with(tmp_path / "a", *rates("BTCUSDT", [1e-4] * 3))
    long = lake_with(tmp_path / "b", *rates("BTCUSDT", [1e-4] * 3000))
    assert steps(short) == steps(long)


def steps(lake: Lake) -> int:
    """What SQLite does for it, in instructions of its machine."""
    number = 0

    def count() -> int:
        nonlocal number
        number += 1
        return 0

    with LakeSnapshot(lake) as look:
        with look.database(lake.ticks_db) as db:
            assert db is not None
            db.set_progress_handler(count, 1)
        assert len(read_funding_rates(look, ["BTCUSDT"])) == 1
    return number
