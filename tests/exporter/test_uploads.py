"""What the uploader says, as metrics and in the words of `status`."""

from contextlib import closing
from pathlib import Path

from exporter.uploads import read_uploads, upload_families
from spreadlake.lake import Lake, add_counters, atomic, open_cold_writer, set_status
from spreadlake.status import LakeSnapshot
from spreadlake.status.services import describe_service
from spreadlake.status.uploads import uploads_in_words

TOLD = {
    "address": "s3://bucket/lake",
    "waiting": 2,
    "waiting_bytes": 3_000_000,
    "oldest": 1_793_577_600,  # 2026-11-01 is over
    "objects": 7,
    "bytes": 5_000,
    "failures": 3,
    "trouble": "",
}


def metrics(lake: Lake) -> dict[str, float]:
    with LakeSnapshot(lake) as look:
        families = list(upload_families(read_uploads(look)))
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_what_waits_and_what_is_there_are_metrics(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert set(metrics(lake).values()) == {0.0}, "counts begin at 0, and the rest is absent"
    with closing(open_cold_writer(lake)) as db, atomic(db):
        add_counters(db, {("uploaded", ""): 9, ("bytes", ""): 1000, ("left", ""): 4})
        set_status(db, 1, {"uploader": {"upload": TOLD}})
    assert metrics(lake) == {
        "spreadlake_cold_uploaded_files_total": 9,
        "spreadlake_cold_uploaded_bytes_total": 1000,
        "spreadlake_cold_left_files_total": 4,
        "spreadlake_cold_failures": 3,
        "spreadlake_cold_waiting_files": 2,
        "spreadlake_cold_waiting_bytes": 3_000_000,
        "spreadlake_cold_oldest_waiting_timestamp_seconds": 1_793_577_600,
        "spreadlake_cold_files": 7,
        "spreadlake_cold_bytes": 5_000,
    }


def test_status_says_it_in_words() -> None:
    said = uploads_in_words(TOLD)
    assert said.startswith("7 files (")
    assert "are in s3://bucket/lake, 2 files (" in said
    assert said.endswith("wait, the oldest of 2026-11-01")
    assert "wait" not in uploads_in_words(TOLD | {"waiting": 0})


def test_trouble_with_the_bucket_is_what_status_says_first() -> None:
    from spreadlake.status.heartbeats import Heartbeats

    judged = Heartbeats().judge("uploader", 1, 0.0, 1.0)
    status = {"upload": TOLD | {"trouble": "the bucket is full"}}
    report = describe_service("uploader", status, 1_000, judged)
    assert report.message.startswith(
        "running, but finished days are not uploaded: the bucket is full"
    )
