"""The log between captures and a store, as metrics and in the words of `status`."""

import time
from contextlib import closing
from pathlib import Path

from spreadlake.lake import Lake, atomic, open_ticks_writer, set_status
from spreadlake.status.log import log_in_words
from tests.exporter.serving import labels, scrape, serving

LOG = {
    "entries": 40, "lag": 3, "pending": 1, "oldest_seconds": 90.0, "bytes": 2**20,
    "max_bytes": 2**28, "dropped": 7, "token": 4, "trouble": "",
    "uncarried": 2, "uncarried_names": "BTCUSDT, ETHUSDT", "reachable": True,
    "captures": {
        "one:12": {"waiting": 5, "symbols": 2, "dropped": 0},
        "two:7": {"waiting": 0, "symbols": 1, "dropped": 9},
    },
}  # fmt: skip


def test_what_the_store_said_last_is_exported(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        set_status(db, time.time_ns() // 1_000_000, {"collector": {"log": LOG}})
    with serving(lake) as address:
        samples = scrape(address)
    one, two, none = labels(capture="one:12"), labels(capture="two:7"), labels()
    assert samples["spreadlake_log_entries"] == {none: 40}
    assert samples["spreadlake_log_lag_entries"] == {none: 3}
    assert samples["spreadlake_log_pending_entries"] == {none: 1}
    assert samples["spreadlake_log_oldest_age_seconds"] == {none: 90}
    assert samples["spreadlake_log_bytes"] == {none: 2**20}
    assert samples["spreadlake_log_max_bytes"] == {none: 2**28}
    assert samples["spreadlake_log_captures"] == {none: 2}
    assert samples["spreadlake_log_uncarried_symbols"] == {none: 2}
    assert samples["spreadlake_log_reachable"] == {none: 1}
    assert samples["spreadlake_log_dropped_trades_total"] == {none: 7}
    assert samples["spreadlake_capture_waiting_ticks"] == {one: 5, two: 0}
    assert samples["spreadlake_capture_symbols"] == {one: 2, two: 1}
    assert samples["spreadlake_capture_dropped_trades_total"] == {one: 0, two: 9}


def test_without_a_log_there_are_no_samples(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        set_status(db, time.time_ns() // 1_000_000, {"collector": {"connections": 2}})
    with serving(lake) as address:
        samples = scrape(address)
    assert "spreadlake_connections" in samples
    assert not [name for name in samples if "_log_" in name or "_capture_" in name]


def test_of_a_log_that_cannot_be_read_nothing_else_is_known(tmp_path: Path) -> None:
    """What it was like before would be shown as if it still were so."""
    lake = Lake(tmp_path)
    away = {"max_bytes": 2**28, "token": 4, "trouble": "away", "reachable": False}
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        set_status(db, time.time_ns() // 1_000_000, {"collector": {"log": away}})
    with serving(lake) as address:
        samples = scrape(address)
    said = {name for name in samples if "_log_" in name or "_capture_" in name}
    assert said == {"spreadlake_log_reachable", "spreadlake_log_max_bytes"}
    assert samples["spreadlake_log_reachable"] == {labels(): 0}


def test_in_words() -> None:
    words = log_in_words(LOG)
    assert words.startswith(
        "2 captures publish, and none carries BTCUSDT, ETHUSDT; "
        "4 entries of the log wait, the oldest for"
    )
    assert words.endswith("and 7 trades were let go")
    assert log_in_words({}).startswith("no capture publishes")
    assert "1 capture publishes" in log_in_words({"captures": {"one:12": {}}})
    assert "cannot be read: away" in log_in_words({"trouble": "away"})
