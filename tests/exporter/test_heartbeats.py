"""Whether a service lives, though its sign of life is dated by a clock that was set."""

import time
from pathlib import Path
from typing import Any

import pytest

from exporter.services import WatchedServices, read_health, service_families
from spreadlake.lake import Lake, beat, open_ticks_writer, seconds_since, set_status
from spreadlake.status import Heartbeats, ServiceReport, look_until_sure, read_service
from tests.fixture_lake import heartbeat, make_lake, writing

HOUR = 3_600.0


def _beat(seconds_ago: float, **changed: Any) -> dict[str, Any]:
    sign = beat()
    return sign | {"monotonic_ms": sign["monotonic_ms"] - int(seconds_ago * 1000)} | changed


def _leave(root: Path, dated: float, sign: dict[str, Any] | None) -> None:
    """The collector's status, dated so many seconds from now by the wall clock."""
    with writing(open_ticks_writer(Lake(root))) as db:
        more: dict[str, Any] = {} if sign is None else {"beat": sign}
        heartbeat(db, "collector", time.time() + dated, **more)


def _look(root: Path, heartbeats: Heartbeats | None = None) -> ServiceReport:
    return read_service(Lake(root).ticks_db, "collector", time.time(), heartbeats)


@pytest.mark.parametrize("dated", [-30 * 86_400, -HOUR, 0, HOUR])
def test_where_both_saw_the_same_boot_the_date_does_not_count(tmp_path: Path, dated: float) -> None:
    if seconds_since(beat()) is None:
        pytest.skip("needs /proc/sys/kernel/random/boot_id")
    make_lake(tmp_path)
    _leave(tmp_path, dated, _beat(3))
    alive = _look(tmp_path)
    assert alive.state == "running"
    assert alive.heartbeat_age_seconds is not None
    assert 3 <= alive.heartbeat_age_seconds < HOUR
    _leave(tmp_path, dated, _beat(60))
    assert _look(tmp_path).state == "late"


@pytest.mark.parametrize("sign", [None, {}, {"boot": "of another machine", "monotonic_ms": 5}])
def test_elsewhere_the_dates_count_as_far_as_they_can_be_right(
    tmp_path: Path, sign: dict[str, Any] | None
) -> None:
    make_lake(tmp_path)
    for dated, state in ((-1, "running"), (1, "running"), (-60, "late")):
        _leave(tmp_path, dated, sign)
        assert look_until_sure(lambda h: _look(tmp_path, h)).state == state


@pytest.mark.parametrize("sign", [None, {"boot": "before this one", "monotonic_ms": 5}])
def test_a_sign_from_the_future_that_does_not_change_is_late(
    tmp_path: Path, sign: dict[str, Any] | None
) -> None:
    make_lake(tmp_path)
    _leave(tmp_path, HOUR, sign)
    late = look_until_sure(lambda h: _look(tmp_path, h))
    assert late.state == "late"
    assert "ahead of now, and stays the same" in late.message


def test_a_sign_from_the_future_that_changes_is_of_the_living(tmp_path: Path) -> None:
    make_lake(tmp_path)
    _leave(tmp_path, HOUR, None)
    looks: list[str] = []

    def look(heartbeats: Heartbeats) -> ServiceReport:
        if len(looks) == 2:
            _leave(tmp_path, HOUR + 1, None)
        report = _look(tmp_path, heartbeats)
        looks.append(report.state)
        return report

    assert look_until_sure(look).state == "running"
    assert len(looks) == 3


def test_the_health_of_the_exporter_ends_with_the_heartbeats(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    seen = WatchedServices(heartbeats=Heartbeats(patience=0.0))
    _leave(tmp_path, HOUR, None)
    assert read_health(lake, seen).healthy
    health = read_health(lake, seen)
    assert [reason.split(":")[0] for reason in health.reasons] == ["collector"]
    families = {family.name: family for family in service_families(health.services)}
    samples = families["spreadlake_service_up"].samples
    assert {s.labels["service"]: s.value for s in samples}["collector"] == 0
    ages = families["spreadlake_service_heartbeat_age_seconds"].samples
    assert all(0 <= sample.value < HOUR for sample in ages)


def test_what_is_seen_again_ages_and_what_is_new_does_not() -> None:
    heartbeats = Heartbeats()
    assert heartbeats.judge("a", 1, 4.0, 100.0) == (4.0, False, False)
    assert heartbeats.judge("a", 1, 9_999.0, 111.0) == (15.0, False, False)
    assert heartbeats.judge("a", 1, -9_999.0, 111.5) == (15.5, True, False)
    # Changed since the last look: no date can make it older than that.
    assert heartbeats.judge("a", 2, 9_999.0, 114.5) == (3.0, False, False)
    assert heartbeats.judge("a", 3, None, 120.0) == (0.0, False, False)
    # Of another service nothing is known yet.
    assert heartbeats.judge("b", 1, None, 120.0) == (0.0, False, True)
    assert heartbeats.unsure
    assert heartbeats.judge("b", 1, None, 136.0) == (16.0, True, True)


def test_a_stopped_service_is_not_waited_for(tmp_path: Path) -> None:
    make_lake(tmp_path)
    with writing(open_ticks_writer(Lake(tmp_path))) as db:
        set_status(db, int((time.time() + HOUR) * 1000), {"collector": {"state": "stopped"}})
    looks: list[ServiceReport] = []

    def look(heartbeats: Heartbeats) -> ServiceReport:
        looks.append(_look(tmp_path, heartbeats))
        return looks[-1]

    assert look_until_sure(look).state == "stopped"
    assert len(looks) == 1
