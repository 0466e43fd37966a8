"""Symbols that an edit brought and nobody captures are named, by the job and by status."""

from contextlib import closing
from pathlib import Path

import pytest

from analytics_job import uncaptured
from analytics_job.followed_settings import FollowedSettings
from analytics_job.job import AnalyticsJob
from spreadlake.config import AcceptedCopy, watch_config
from spreadlake.lake import Lake, atomic, open_ticks_writer
from spreadlake.lake.ticks.universe import UniverseRow, save_universe
from tests.running import invoke

RIGHT = 'symbols = ["AUSDT", "BUSDT"]\npairs = [["AUSDT", "BUSDT"]]\n'
EDITED = 'symbols = ["AUSDT", "XUSDT"]\npairs = [["AUSDT", "XUSDT"]]\n'


def captured(lake: Lake, *symbols: str) -> None:
    rows = [UniverseRow(s, place, "named", trading=1) for place, s in enumerate(symbols)]
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        save_universe(db, rows, "", 1_700_000_000_000)


@pytest.mark.parametrize("taken", [False, True])
def test_what_nobody_captures_is_named_once(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    taken: bool,
) -> None:
    monkeypatch.setattr(uncaptured, "GRACE_SECONDS", 0.0)
    lake, path = Lake(tmp_path / "lake"), tmp_path / "spreadlake.toml"
    captured(lake, "AUSDT", "BUSDT")
    path.write_text(RIGHT)
    watch = watch_config(path, AcceptedCopy(None), restarted=False, alone=True)
    following = FollowedSettings(lake, watch.settings, watch)
    assert following.changed() is None
    beside = path.with_suffix(".new")
    beside.write_text(EDITED)
    beside.replace(path)
    edited = following.changed()
    assert edited is not None
    if taken:
        captured(lake, "AUSDT", "XUSDT")
    for _ in range(3):
        following.changed()
    said = [line for line in caplog.messages if "not captured" in line]
    assert len(said) == (0 if taken else 1)
    assert taken or ": XUSDT; the collector does not run, or has refused" in said[0]
    job = AnalyticsJob(lake, edited)
    job.step()
    job.close()
    told = invoke("status", "--data", "lake", cwd=tmp_path).stdout
    assert ("XUSDT not captured (spreadlake symbols)" in told) is not taken
