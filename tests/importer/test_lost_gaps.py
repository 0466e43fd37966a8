"""What the collector gave up as lost is closed by an import of the day's dump."""

from contextlib import closing
from pathlib import Path

from collector.storage.batch import Batch
from collector.storage.store import TickStore
from spreadlake.binance.decode import AggTrade
from spreadlake.lake import Lake, open_ticks_writer
from spreadlake.status import report_on
from spreadlake.trades import IdRange
from tests.importer.dumps import trade_lines, trades, write_dump
from tests.importer.lakes import gaps, held, import_all
from tests.trades import Trade

ROWS = trades()


def events(rows: list[Trade]) -> list[AggTrade]:
    return [AggTrade(*row) for row in rows]


def test_a_lost_gap_is_closed_by_the_dump_of_its_day(tmp_path: Path) -> None:
    root, first = tmp_path / "lake", ROWS[0].trade_id
    with closing(open_ticks_writer(Lake(root))) as db:
        store = TickStore(db, ["BTCUSDT"])
        store.write(Batch(events(ROWS[:100])))
        store.write(Batch(events(ROWS[300:320]), interrupted={"BTCUSDT": "reconnect"}))
        store.confirm(store.gaps.gaps())
        store.close_as_lost("BTCUSDT", IdRange(first + 100, first + 299), "beyond reach")
    (before,) = report_on(Lake(root), 0.0).symbols
    assert (before.ticks, before.gaps_lost, before.gaps_open) == (120, 1, 0)

    dump = write_dump(tmp_path, "BTCUSDT-aggTrades-2024-08-08.csv", trade_lines(ROWS[:310]))
    import_all(root, dump)
    assert gaps(root) == [(first + 100, first + 299, "repaired", "reconnect")]
    report = report_on(Lake(root), 0.0)
    assert (report.symbols[0].ticks, report.symbols[0].gaps_lost) == (320, 0)
    assert report.gaps == []
    assert held(root) == ROWS[:320]

    with closing(open_ticks_writer(Lake(root))) as db:
        store = TickStore(db, ["BTCUSDT"])
        assert store.gaps.missing("BTCUSDT") == ()
        stored = store.write(Batch(events([*ROWS[310:322], ROWS[200]])))
        assert (stored.ticks, stored.contradicting) == ({"BTCUSDT": 2}, {})
        assert store.gaps.gaps() == []


def test_what_was_only_not_imported_yet_was_never_a_loss(tmp_path: Path) -> None:
    """Whoever brings the trades of such a gap, a file or the collector: no repair is on record."""
    root, name = tmp_path / "lake", "BTCUSDT-aggTrades-2024-08-08.csv"
    import_all(root, write_dump(tmp_path, name, trade_lines([*ROWS[:100], *ROWS[110:]])))
    first = ROWS[0].trade_id
    assert gaps(root) == [(first + 100, first + 109, "lost", "import")]
    with closing(open_ticks_writer(Lake(root))) as db:
        TickStore(db, ["BTCUSDT"]).write(Batch(events(ROWS[103:106]), source="repair"))
    left = [
        (first + 100, first + 102, "lost", "import"),
        (first + 106, first + 109, "lost", "import"),
    ]
    assert gaps(root) == left
    import_all(root, write_dump(tmp_path, name, trade_lines(ROWS)))
    assert gaps(root) == []
    assert held(root) == ROWS
