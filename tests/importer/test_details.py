"""Which single trades a trade is of: from the dumps, beside what the lake knows already."""

from contextlib import closing
from pathlib import Path

import pytest

from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_ticks_writer
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.ticks.partitions import read_partition
from spreadlake.trades import COLUMNS, TICK_COLUMNS
from tests.importer.dumps import MIDNIGHT, day_file, trades
from tests.importer.lakes import import_all, rolls, store_hot

ROWS = trades(hours=2)
SINGLE = 3 * ROWS[0].trade_id  # the first of those that the dump's first trade is of


def store_first(lake: Path, first: int | None) -> None:
    """The first trade, as the collector stores it."""
    store_hot(lake, ROWS[:1])
    with closing(open_ticks_writer(Lake(lake))) as db:
        db.execute("UPDATE ticks SET first_trade_id = ?, received_ms = 5, qty_ex_rpi = 0", (first,))


def test_other_single_trades_by_the_same_id_are_refused(tmp_path: Path) -> None:
    store_first(tmp_path / "lake", SINGLE - 1)
    with pytest.raises(InputError, match=r"is price .*, single 6000000 to 6000002 in the file"):
        import_all(tmp_path / "lake", day_file(tmp_path, ROWS))


@pytest.mark.parametrize("first", [None, SINGLE])
def test_an_import_fills_in_what_the_lake_does_not_know(tmp_path: Path, first: int | None) -> None:
    store_first(tmp_path / "lake", first)
    import_all(tmp_path / "lake", day_file(tmp_path, ROWS))
    path = Lake(tmp_path / "lake").tick_partition("BTCUSDT", MIDNIGHT)
    found = read_partition(Lake(tmp_path / "lake"), path)
    assert found.select(TICK_COLUMNS[len(COLUMNS) :]).rows()[:2] == [
        (SINGLE, SINGLE + 2, 0.0, 5),
        (SINGLE + 3, SINGLE + 5, None, None),
    ]


def test_a_partition_of_before_gets_what_a_dump_says_and_no_trade_is_new(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    import_all(lake, day_file(tmp_path, ROWS))
    path = Lake(lake).tick_partition("BTCUSDT", MIDNIGHT)
    whole, before = read_partition(Lake(lake), path), rolls(lake)
    write_durably(whole.select(COLUMNS[1:]), path)
    assert import_all(lake, day_file(tmp_path, ROWS))[0].fresh == 0
    assert read_partition(Lake(lake), path).equals(whole)
    assert rolls(lake) == before
