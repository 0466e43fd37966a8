"""Dumps of funding rates."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from importer import import_dumps
from spreadlake.errors import InputError
from spreadlake.funding import FundingRate
from spreadlake.lake import Lake, atomic, open_reader, open_ticks_writer
from spreadlake.lake.ticks.funding import read_funding, save_funding
from tests.importer.dumps import HOUR, MIDNIGHT, write_dump
from tests.importer.lakes import import_all

NAME = "BTCUSDT-fundingRate-2024-08.zip"
HEADER = "calc_time,funding_interval_hours,last_funding_rate"
RATES = [0.0001, -0.00002513, 0.0]


def lines(rates: Sequence[float] = RATES, late: int = 0, header: bool = True) -> list[str]:
    rows = [f"{MIDNIGHT + 8 * n * HOUR + late},8,{rate:.8f}" for n, rate in enumerate(rates)]
    return [HEADER, *rows] if header else rows


def rate(number: int, late: int = 0, mark_price: float | None = None) -> FundingRate:
    time_ms = MIDNIGHT + 8 * number * HOUR + late
    return FundingRate("BTCUSDT", time_ms, RATES[number], mark_price)


def held(lake: Path) -> list[FundingRate]:
    with closing(open_reader(Lake(lake).ticks_db)) as db:
        return read_funding(db, ["BTCUSDT"])


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("name", [NAME, "BTCUSDT-fundingRate-2024-08.csv"])
def test_rates_are_taken_and_once(tmp_path: Path, name: str, header: bool) -> None:
    lake, file = tmp_path / "lake", write_dump(tmp_path, name, lines(header=header))
    (imported,) = import_all(lake, file)
    assert (imported.records, imported.fresh) == (3, 3)
    assert held(lake) == [rate(0), rate(1), rate(2)]
    (again,) = import_all(lake, file)
    assert (again.records, again.fresh) == (3, 0)
    assert held(lake) == [rate(0), rate(1), rate(2)]


def test_what_the_collector_fetched_stays(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    fetched = rate(1, late=7, mark_price=60_000.0)
    with closing(open_ticks_writer(Lake(lake))) as db, atomic(db):
        save_funding(db, [fetched])
    (imported,) = import_all(lake, write_dump(tmp_path, NAME, lines(late=2)))
    assert imported.fresh == 2
    assert held(lake) == [rate(0, late=2), fetched, rate(2, late=2)]


def test_a_rate_that_contradicts_is_refused_or_left_out(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_all(lake, write_dump(tmp_path, NAME, lines()))
    other = write_dump(tmp_path / "other", NAME, lines([0.0001, 0.5, 0.0, 0.3]))
    with pytest.raises(InputError) as caught:
        import_all(lake, other)
    said = "BTCUSDT 2024-08-08T08:00:00Z: rate 0.5 in the file, and there is BTCUSDT 2024-08-08T08"
    assert said in str(caught.value)
    assert len(held(lake)) == 3
    quiet = import_dumps(Lake(lake), [other], lambda *_: lambda _: None, skip=True)
    assert [(one.fresh, one.skipped) for one in quiet] == [(1, 1)]
    assert held(lake)[:3] == [rate(0), rate(1), rate(2)]


@pytest.mark.parametrize("wrong", ["nan", "1.5", "-2", "x"])
def test_what_cannot_be_a_rate_is_refused(tmp_path: Path, wrong: str) -> None:
    file = write_dump(tmp_path, NAME, [*lines(), f"{MIDNIGHT + 24 * HOUR},8,{wrong}"])
    with pytest.raises(InputError, match="nothing of this file was taken"):
        import_all(tmp_path / "lake", file)
    assert held(tmp_path / "lake") == []
