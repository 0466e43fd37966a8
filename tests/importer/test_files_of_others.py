"""Dumps as they come from other years, other tools and other people's machines."""

import gzip
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from importer import Imported, import_dumps
from launcher.commands.app import app
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.lake.ticks.partitions import read_partition
from spreadlake.schemas import TRADES_SCHEMA
from tests.importer.dumps import (
    DAY,
    MIDNIGHT,
    day_file,
    kline_lines,
    trade_lines,
    trades,
    write_dump,
)
from tests.importer.lakes import gaps, held, import_all, klines, row, rows, store_hot
from tests.paths import ROOT
from tests.trades import Trade

CASES = ROOT.parent / "shared" / "cases" / "dumps"
ROWS = trades(hours=3)
NAME = "BTCUSDT-aggTrades-2024-08-08"


def case(name: str) -> Path:
    path = CASES / f"{name}.zip"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


def without_quantity(every: int, of: Sequence[Trade] = ROWS) -> list[Trade]:
    return [row._replace(qty=0.0) if n % every == 0 else row for n, row in enumerate(of)]


def with_qty(of: Sequence[Trade]) -> list[Trade]:
    return [row for row in of if row.qty]


@pytest.mark.parametrize("every", [1, 2, 7, 179])
def test_records_without_a_quantity_are_left_out_and_no_gap(tmp_path: Path, every: int) -> None:
    lake, mixed = tmp_path / "lake", without_quantity(every)
    (imported,) = import_all(lake, day_file(tmp_path, mixed))
    empty = len(mixed) - len(with_qty(mixed))
    assert (imported.records, imported.fresh, imported.empty) == (180, 180 - empty, empty)
    assert held(lake) == with_qty(mixed)
    assert gaps(lake) == []
    known = rows(lake, "SELECT first_id, last_id FROM empty_ids WHERE symbol = 'BTCUSDT'")
    ids = [number for first, last in known for number in range(first, last + 1)]
    assert ids == [trade.trade_id for trade in mixed if not trade.qty]
    (again,) = import_all(lake, day_file(tmp_path, mixed))
    assert (again.fresh, again.empty) == (0, empty)
    assert held(lake) == with_qty(mixed)


def test_an_id_without_a_quantity_joins_the_days_around_it(tmp_path: Path) -> None:
    """The last id of a day, the first of the next, and a day of nothing else in between."""
    lake = tmp_path / "lake"
    days = [
        trades(start_ms=MIDNIGHT + n * DAY, hours=1, first_id=2_000_000 + 60 * n) for n in range(4)
    ]
    days[0][-1] = days[0][-1]._replace(qty=0.0)
    days[1] = [row._replace(qty=0.0) for row in days[1]]
    days[2][0] = days[2][0]._replace(qty=0.0)
    for day in (days[3], days[1], days[0], days[2]):
        import_all(lake, day_file(tmp_path, day))
    assert gaps(lake) == []
    assert held(lake) == with_qty([row for day in days for row in day])
    assert row(lake, "SELECT first_id, last_id, last_price FROM symbols") == (
        2_000_000, days[3][-1].trade_id, days[3][-1].price,
    )  # fmt: skip


def test_a_day_without_any_quantity_alone_is_no_history(tmp_path: Path) -> None:
    lake, empty = tmp_path / "lake", without_quantity(1)
    import_all(lake, day_file(tmp_path, empty))
    assert row(lake, "SELECT count(*) FROM symbols") == (0,)
    after = trades(start_ms=MIDNIGHT + DAY, hours=1, first_id=empty[-1].trade_id + 1)
    import_all(lake, day_file(tmp_path, after))
    before = trades(start_ms=MIDNIGHT - DAY, hours=1, first_id=empty[0].trade_id - 60)
    import_all(lake, day_file(tmp_path, before))
    assert gaps(lake) == []


def test_a_gap_that_was_no_trade_is_closed(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path / "first", [*ROWS[:50], *ROWS[60:]]))
    assert [gap[:2] for gap in gaps(lake)] == [(ROWS[50].trade_id, ROWS[59].trade_id)]
    mixed = [*ROWS[:50], *without_quantity(1, ROWS[50:60]), *ROWS[60:]]
    import_all(lake, day_file(tmp_path / "second", mixed))
    assert gaps(lake) == []


def test_a_trade_of_the_lake_that_a_file_has_without_a_quantity_is_contradicted(
    tmp_path: Path,
) -> None:
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path / "first", ROWS))
    with pytest.raises(InputError, match=rf"trade {ROWS[0].trade_id} .*qty 0\.0.* in the file"):
        import_all(lake, day_file(tmp_path / "second", without_quantity(9)))
    assert held(lake) == ROWS


def test_the_case_without_quantities(tmp_path: Path) -> None:
    (imported,) = import_all(tmp_path, case("ETHUSDT-aggTrades-2023-05-01"))
    assert (imported.records, imported.fresh, imported.empty) == (3000, 2000, 1000)
    assert rows(tmp_path, "SELECT * FROM gaps") == []
    said = command(tmp_path / "other", case("ETHUSDT-aggTrades-2023-05-01"))
    assert "2,000 trades; left out 1,000 records with 0 in the column quantity" in said


def command(lake: Path, *arguments: object) -> str:
    result = CliRunner().invoke(app, ["import", "--data", str(lake), *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def skipping(lake: Path, *paths: Path) -> list[Imported]:
    return list(
        import_dumps(Lake(lake), paths, lambda _dump, _doing: lambda _bytes: None, skip=True)
    )


def test_one_id_on_both_sides_of_midnight_and_the_way_on(tmp_path: Path) -> None:
    first, second = (case(f"ZILUSDT-aggTrades-2023-05-0{day}") for day in (1, 2))
    with pytest.raises(InputError, match=r"trade 599 is .*--skip-contradictions"):
        import_all(tmp_path / "lake", first, second)
    said = command(tmp_path / "lake", "--skip-contradictions", first, second)
    assert "99 trades; left out 1 record that contradict" in said
    assert row(tmp_path / "lake", "SELECT first_id, last_id, ticks FROM symbols") == (500, 698, 199)
    assert rows(tmp_path / "lake", "SELECT * FROM gaps") == []


OTHERS: dict[str, Callable[[Trade], Trade]] = {
    "price": lambda row: row._replace(price=1.5),
    "no quantity": lambda row: row._replace(qty=0.0),
    "hour": lambda row: row._replace(time_ms=ROWS[170].time_ms + 1),
    "earlier hour": lambda row: row._replace(time_ms=ROWS[3].time_ms + 1),
}


@pytest.mark.parametrize("differs", OTHERS)
@pytest.mark.parametrize("where", ["file", "lake", "hot"])
def test_with_skip_the_first_stays_and_the_rest_is_taken(
    tmp_path: Path, where: str, differs: str
) -> None:
    lake, other = tmp_path / "lake", OTHERS[differs](ROWS[100])
    if where != "file":
        if where == "hot":
            store_hot(lake, ROWS[90:110])
        else:
            import_all(lake, day_file(tmp_path / "first", ROWS[90:110]))
        (imported,) = skipping(lake, day_file(tmp_path, [*ROWS[:100], other, *ROWS[101:]]))
        assert (imported.fresh, imported.skipped) == (160, 1)
        assert held(lake) == ROWS
        assert row(lake, "SELECT ticks FROM symbols") == (180,)
        hours = Lake(lake).ticks_dir.rglob("*.parquet")
        assert [
            trade
            for path in sorted(hours)
            for trade in read_partition(Lake(lake), path, TRADES_SCHEMA).rows()
        ] == ROWS
        return
    (imported,) = skipping(lake, day_file(tmp_path, [*ROWS[:101], other, *ROWS[101:]]))
    assert (imported.records, imported.skipped) == (181, 1)
    kept = [trade for trade in held(lake) if trade.trade_id == ROWS[100].trade_id]
    assert kept in ([ROWS[100]], [other])
    assert [trade for trade in held(lake) if trade not in kept] == [*ROWS[:100], *ROWS[101:]]
    assert gaps(lake) == []


def test_the_price_of_a_symbol_is_that_of_its_newest_trade(tmp_path: Path) -> None:
    """And not that of a file whose last ids are of no trade."""
    lake = tmp_path / "lake"
    store_hot(lake, ROWS[:100])
    records = [*ROWS[:50], *without_quantity(1, ROWS[100:110])]
    import_all(lake, day_file(tmp_path, records))
    assert row(lake, "SELECT last_id, last_price FROM symbols") == (
        ROWS[109].trade_id,
        ROWS[99].price,
    )


def mac_zip(path: Path, member: str, text: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("day/", "")
        archive.writestr(f"day/{member}", text)
        archive.writestr(f"__MACOSX/day/._{member}", b"\0\5\x16\7Mac OS X")
        archive.writestr(f"day/._{member}", b"\0\5\x16\7Mac OS X")
        archive.writestr("day/.DS_Store", b"\0")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".CSV"])
def test_a_zip_that_a_mac_has_packed_is_read(tmp_path: Path, suffix: str) -> None:
    text = "\n".join(trade_lines(ROWS))
    import_all(tmp_path / "lake", mac_zip(tmp_path / f"{NAME}.zip", NAME + suffix, text))
    assert held(tmp_path / "lake") == ROWS


@pytest.mark.parametrize("name", ["MACUSDT", "EXTRAUSDT"])
def test_cases_that_are_taken(tmp_path: Path, name: str) -> None:
    (imported,) = import_all(tmp_path, case(f"{name}-aggTrades-2023-05-01"))
    assert (imported.records, imported.fresh, imported.empty) == (100, 100, 0)
    assert row(tmp_path, "SELECT first_id, last_id, last_price FROM symbols") == (1000, 1099, 101.0)


def columns_moved(lines: Sequence[str], order: Sequence[int], *more: tuple[str, str]) -> list[str]:
    moved = []
    for n, line in enumerate(lines):
        cells = line.split(",")
        values = [cells[i] for i in order]
        for at, (name, value) in enumerate(more):
            values.insert(2 * at, name if n == 0 else value)
        moved.append(",".join(values))
    return moved


@pytest.mark.parametrize(
    "lines",
    [
        columns_moved(trade_lines(ROWS), range(7), ("normal_quantity", "0.5")),
        columns_moved(trade_lines(ROWS), range(7), ("", "x"), ("what?", "")),
        columns_moved(trade_lines(ROWS), [6, 5, 2, 1, 0]),
        [line.replace("agg_trade_id,price", "aggTradeId, Price") for line in trade_lines(ROWS)],
        [line.replace("true", "1").replace("false", "0") for line in trade_lines(ROWS)],
        [re.sub(",is_buyer_maker", ',"is_buyer_maker"', line) for line in trade_lines(ROWS)],
    ],
    ids=["before", "unknown", "moved", "camel", "1 and 0", "quoted"],
)
def test_columns_are_found_by_their_names(tmp_path: Path, lines: list[str]) -> None:
    import_all(tmp_path / "lake", write_dump(tmp_path, f"{NAME}.zip", lines))
    assert held(tmp_path / "lake") == ROWS


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_klines_in_any_unit_of_time_are_the_same(tmp_path: Path, header: bool, unit: int) -> None:
    def finer(line: str) -> str:
        return re.sub(r"(?<![.\d])\d{13}(?!\d)", lambda time: str(int(time[0]) * unit), line)

    lines = [finer(line) for line in kline_lines(count=5, header=header)]
    import_all(tmp_path / "lake", write_dump(tmp_path, "BTCUSDT-1m-2024-08-08.zip", lines))
    times = [MIDNIGHT // 1000 + 60 * n for n in range(5)]
    assert [kline[2] for kline in klines(tmp_path / "lake")] == times


def test_trades_in_ns_are_the_same(tmp_path: Path) -> None:
    lines = trade_lines(ROWS, microseconds=True)
    finer = [re.sub(r",(\d{16}),", r",\g<1>999,", line) for line in lines]
    import_all(tmp_path / "lake", write_dump(tmp_path, f"{NAME}.csv", finer))
    assert held(tmp_path / "lake") == ROWS


@pytest.mark.parametrize("name", [f"{NAME}.csv.gz", "BTCUSDT-1m-2024-08-08.csv.gz"])
def test_what_gzip_has_packed_is_read(tmp_path: Path, name: str) -> None:
    lines = trade_lines(ROWS) if "agg" in name else kline_lines(count=180)
    path = tmp_path / name
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    (imported,) = import_all(tmp_path / "lake", path)
    assert imported.fresh == 180
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"csv\.gz is damaged: .*download it again"):
        import_all(tmp_path / "lake", path)
    path.write_bytes(b"no gzip at all")
    with pytest.raises(InputError, match=r"csv\.gz is damaged: .*download it again"):
        import_all(tmp_path / "lake", path)


@pytest.mark.parametrize("symbol", ["BTCUSD_PERP", "ETHUSD_240927"])
@pytest.mark.parametrize("kind", ["aggTrades", "1m"])
def test_coin_margined_contracts_are_refused_by_name(
    tmp_path: Path, symbol: str, kind: str
) -> None:
    path = write_dump(tmp_path, f"{symbol}-{kind}-2024-08-08.zip", trade_lines(ROWS))
    with pytest.raises(InputError, match=f"{symbol} is a COIN-M contract, whose quantities"):
        import_all(tmp_path / "lake", path)
    assert not (tmp_path / "lake").exists()


def test_the_case_of_a_coin_margined_contract(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="BTCUSD_PERP is a COIN-M contract"):
        import_all(tmp_path / "lake", case("BTCUSD_PERP-aggTrades-2023-05-01"))


@pytest.mark.parametrize("first", ["old", "new"])
def test_a_ticker_that_was_used_again_is_not_one_history(tmp_path: Path, first: str) -> None:
    """Two contracts by one name: the ids of the later one begin again."""
    lake = tmp_path / "lake"
    old = day_file(tmp_path / "old", trades(hours=2, first_id=700_000))
    new = day_file(tmp_path / "new", trades(hours=2, first_id=1, start_ms=MIDNIGHT + 3 * DAY))
    here, there = (old, new) if first == "old" else (new, old)
    import_all(lake, here)
    before = held(lake)
    for skip in (False, True):
        with pytest.raises(InputError, match="are of another contract, whose ticker was used"):
            list(import_dumps(Lake(lake), [there], lambda _d, _w: lambda _b: None, skip=skip))
    assert held(lake) == before
    assert gaps(lake) == []
