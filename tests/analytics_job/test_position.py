"""What the job says of how far it has come."""

from pathlib import Path

from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH_MS
from tests.trades import Trade

CONFIG = harness.settings(symbols=["AUSDT", "BUSDT"], pairs="all")


def test_the_watermark_is_the_greatest_trade_time_whether_or_not_a_bar_is_final(
    tmp_path: Path,
) -> None:
    times = [0, 6_500, 6_990, 6_700]  # long enough for the clock of one symbol to begin
    trades = [Trade("AUSDT", n, EPOCH_MS + ms, 1.0, 1.0, False) for n, ms in enumerate(times)]
    lake = harness.run_job(tmp_path, CONFIG, [trades[:2], trades[2:]])
    progress = {row["key"]: row["value"] for row in lake.table("progress")}
    lake.close()
    assert progress["watermark_ms"] == EPOCH_MS + 6_990
    assert progress["final_time"] == EPOCH_MS // 1000 + 6


def test_there_is_no_watermark_before_the_first_trade(tmp_path: Path) -> None:
    lake = harness.run_job(tmp_path, CONFIG, [[]])
    assert [row["key"] for row in lake.table("progress")] == ["read_seq"]
    lake.close()
