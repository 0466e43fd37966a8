"""What may go wrong between the uploader and a bucket: told, tried again, nothing lost.

On a real S3 server where there is one, with somebody in between who breaks what is to break.
"""

import errno
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from spreadlake.lake import atomic, open_reader, open_ticks_writer
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.objects import Objects
from spreadlake.lake.cold.recorded import recorded
from spreadlake.lake.layout import DAY_MS
from spreadlake.lake.ticks.compaction import Day
from spreadlake.lake.ticks.removal import record_removed
from tests.buckets import Server
from tests.uploader.between import Faults, between
from tests.uploader.lakes import (
    NOV_1_MS,
    Uploading,
    day_file,
    follow,
    lake_of_days,
    objects_in,
    paths_of,
    uploading,
    write_day,
)


@pytest.fixture
def faults(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """What a test breaks, between the environment's server and everybody who asks it."""
    made = Faults()
    with between(s3_server.endpoint, made) as address:
        for name, value in s3_server.environment(address).items():
            monkeypatch.setenv(name, value)
        yield made


def _status(code: int, name: str) -> Callable[[Faults], None]:
    def fail(faults: Faults) -> None:
        faults.status, faults.code = code, name

    return fail


def _cut(faults: Faults) -> None:
    faults.cut_at = 100


FAULTS = {
    "forbidden": (_status(403, "AccessDenied"), "403 AccessDenied"),
    "full": (_status(507, "InsufficientStorage"), "make room in the bucket"),
    "quota": (_status(403, "QuotaExceeded"), "make room in the bucket"),
    "clock": (_status(403, "RequestTimeTooSkewed"), "set this one right"),
    "busy": (_status(503, "SlowDown"), "503 SlowDown"),
    "cut": (_cut, "cannot be reached"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bucket_that_refuses_is_told_once_and_asked_again(
    tmp_path: Path,
    cold: ColdAddress,
    faults: Faults,
    fault: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("uploader.rounds._REST", 0.0)
    fail, said = FAULTS[fault]
    lake = lake_of_days(tmp_path, 1)
    before = paths_of(lake)
    with uploading(lake, cold, local_days=0) as uploader:
        rounds = uploader.rounds
        fail(faults)
        steps = rounds.run(uploader.stop)
        follow(steps, lambda: rounds.trouble.number >= 2, "it is not asked again")
        assert said in rounds.trouble.said
        assert rounds.look.waits.files == len(before)
        assert rounds.look.waits.oldest is not None
        assert paths_of(lake) == before
        assert uploader.on_record() == set()
        faults.mend()
        follow(steps, lambda: not rounds.trouble.said, "it is not found well again")
        assert uploader.on_record() == objects_in(cold) == before
    told = [
        r for r in caplog.records if r.levelno == logging.WARNING and "tried again" in r.message
    ]
    assert len(told) == 1, [r.message for r in told]


def _swallow(faults: Faults) -> None:
    faults.swallow = True


def _lie(faults: Faults) -> None:
    faults.lie = True


def _spoil(faults: Faults) -> None:
    faults.spoil = True


@pytest.mark.parametrize("fault", [_swallow, _lie, _spoil])
def test_a_bucket_that_does_not_hold_what_it_took_is_not_believed(
    tmp_path: Path,
    cold: ColdAddress,
    faults: Faults,
    s3_server: Server,
    fault: Callable[[Faults], None],
) -> None:
    if fault is _lie and not s3_server.is_real:
        pytest.skip("moto says no checksums that could be wrong (versitygw is not installed)")
    lake = lake_of_days(tmp_path, 1)
    before = paths_of(lake)
    with uploading(lake, cold, local_days=0) as uploader:
        fault(faults)
        uploader.once()
        uploader.once()
        assert "it is uploaded again" in uploader.rounds.trouble.said
        assert uploader.on_record() == set()
        assert paths_of(lake) == before
        faults.mend()
        uploader.once()
        assert not uploader.rounds.trouble.said
        assert uploader.on_record() == before
        assert {p: Objects(cold).get(p) for p in before} == {
            p: (lake.root / p).read_bytes() for p in before
        }


def test_a_server_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, cold: ColdAddress, s3_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of_days(tmp_path, 1)
    with between("http://127.0.0.1:9", Faults(of="/", status=502, method="any")) as nobody:
        monkeypatch.setenv("AWS_ENDPOINT_URL", nobody)
        with uploading(lake, cold) as uploader:
            steps = uploader.rounds.run(uploader.stop)
            follow(steps, lambda: uploader.rounds.trouble.number >= 2, "it is not asked again")
            assert "502" in uploader.rounds.trouble.said
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
    with uploading(lake, cold) as uploader:
        uploader.once()
        assert objects_in(cold) == paths_of(lake)


def test_a_slow_bucket_holds_up_nobody(tmp_path: Path, cold: ColdAddress, faults: Faults) -> None:
    """The service has time to say how it does, and to stop, while it waits."""
    lake = lake_of_days(tmp_path, 1)
    with uploading(lake, cold) as uploader:
        faults.slow = 3600.0
        steps = uploader.rounds.run(uploader.stop)
        follow(steps, lambda: faults.count("HEAD") >= 2, "nothing is asked")
        for _, _ in zip(steps, range(4), strict=False):
            assert uploader.rounds.look.waits.files == 2
        faults.slow = 0.0


def test_a_bucket_that_is_full_keeps_neither_it_nor_the_disk_full(
    tmp_path: Path, cold: ColdAddress, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there leaves the disk, and what is not kept leaves the bucket, which makes room."""
    monkeypatch.setattr("uploader.look.last_trade_ms", lambda _: NOV_1_MS + 30 * DAY_MS)
    lake = lake_of_days(tmp_path, 2)
    with uploading(lake, cold) as uploader:
        uploader.once()
    with closing(open_ticks_writer(lake)) as db:
        record_removed(db, Day(NOV_1_MS, "BTCUSDT"), 1)
    gone, new = day_file(lake), write_day(lake, day=5)
    gone.unlink()
    _status(507, "InsufficientStorage")(faults)
    with uploading(lake, cold, local_days=0, cold_keep_days={"ticks": 9}) as uploader:
        steps = uploader.rounds.run(uploader.stop)
        follow(steps, lambda: not recorded(lake).has(gone), "what is not kept stays there")
        left = {new.relative_to(lake.root).as_posix()}
        follow(steps, lambda: paths_of(lake) == left, "what is there stays on the disk")
        assert "make room in the bucket" in uploader.rounds.trouble.said
        assert gone.relative_to(lake.root).as_posix() not in objects_in(cold)
        faults.mend()
        follow(steps, lambda: paths_of(lake) == set(), "it is not asked again")


def test_what_the_bucket_does_not_hold_is_sent_ever_more_seldom(
    tmp_path: Path, cold: ColdAddress, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that loses what it takes would else be sent all of it every few seconds."""
    rests: list[float] = []

    def wait(_: object, seconds: float, *__: object) -> Iterator[None]:
        rests.append(seconds)
        yield

    monkeypatch.setattr("uploader.rounds._wait", wait)
    lake = lake_of_days(tmp_path, 1)
    with uploading(lake, cold) as uploader:
        faults.swallow = True
        follow(uploader.rounds.run(uploader.stop), lambda: len(rests) >= 9, "no round ends")
        assert 300 <= max(rests) <= 600
        faults.mend()
        rests.clear()
        follow(uploader.rounds.run(uploader.stop), lambda: len(rests) >= 2, "no round ends")
        assert rests[-1] <= 5
        assert uploader.on_record() == paths_of(lake)


def test_a_full_disk_does_not_keep_files_on_it(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would make room does not wait for room; and what is not on record stays."""
    monkeypatch.setattr("uploader.look.last_trade_ms", lambda _: 2**41)
    lake = lake_of_days(tmp_path, 2)
    before = paths_of(lake)
    with uploading(lake, cold) as uploader:
        uploader.once()
    new = write_day(lake, day=5)

    def full(_: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    with uploading(lake, cold, local_days=0) as uploader:
        monkeypatch.setattr("uploader.ledger.atomic", full)
        _with_trouble(uploader)
        assert "free some room" in uploader.rounds.trouble.said
        assert paths_of(lake) == {new.relative_to(lake.root).as_posix()}
        assert uploader.on_record() == before
        monkeypatch.setattr("uploader.ledger.atomic", atomic)
        uploader.once()
        assert new.exists()
        uploader.once()
        assert paths_of(lake) == set()


def test_where_folders_cannot_be_locked_files_stay_and_it_is_told(
    tmp_path: Path, cold: ColdAddress, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS; and neither the bucket nor the record is asked again and again for nothing."""
    monkeypatch.setattr("uploader.look.last_trade_ms", lambda _: 2**41)
    monkeypatch.setattr("spreadlake.locks.fcntl.flock", _no_locks)
    lake = lake_of_days(tmp_path, 10)
    before = paths_of(lake)
    with uploading(lake, cold, local_days=0) as uploader:
        uploader.once()
        faults.seen.clear()
        _with_trouble(uploader)
        assert "locks no folders" in uploader.rounds.trouble.said
        assert paths_of(lake) == objects_in(cold) == before
        assert faults.count("HEAD") < len(before)
    with closing(open_reader(lake.cold_db)) as db:
        left = db.execute("SELECT value FROM counters WHERE name = 'left'").fetchall()
        (gone,) = db.execute("SELECT count(*) FROM objects WHERE local = 0").fetchone()
    assert (left, gone) == ([], 0)


def _no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def test_an_unreadable_file_costs_itself(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of_days(tmp_path, 2)
    broken = min(paths_of(lake))
    with uploading(lake, cold) as uploader:
        put = Objects.put_verified

        def fail(objects: Objects, path: str, file: Path, known: str | None = None) -> object:
            if path == broken:
                raise PermissionError(13, "not for you", str(file))
            return put(objects, path, file, known)

        monkeypatch.setattr(Objects, "put_verified", fail)
        _with_trouble(uploader)
        assert "not for you" in uploader.rounds.trouble.said
        assert objects_in(cold) == paths_of(lake) - {broken}
        assert uploader.rounds.look.waits.files == 1
        monkeypatch.setattr(Objects, "put_verified", put)
        uploader.once()
        assert objects_in(cold) == paths_of(lake)
        assert not uploader.rounds.trouble.said


def _with_trouble(uploader: Uploading) -> None:
    uploader.once()
    assert uploader.rounds.trouble.said
