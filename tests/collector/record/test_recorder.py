"""A recording holds every frame as it came, and survives the end of its process."""

import asyncio
import gzip
import os
import re
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection

from collector.record.recorder import Recorder
from collector.record.recording_file import RecordingFile, whole_members
from simulator import Recording
from simulator.recordings.lines import read_lines
from spreadlake.errors import RecordingError
from spreadlake.lake import Lake
from tests.collector.fake import FakeServer, fake_server, frame
from tests.collector.live import collecting, counter, settings_for, until
from tests.patience import PATIENCE

FRAMES = [
    frame(1),
    "",
    '{"result":null,"id":1}',
    "not json at all",
    frame(2).replace(",", ",\n"),
    frame(3),
]


def lines_of(path: Path) -> list[bytes]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return data.splitlines()


async def send_frames(_: FakeServer, connection: ServerConnection) -> None:
    for text in FRAMES:
        await connection.send(text)
    await connection.send(b"\xff\xfe binary")
    await connection.wait_closed()


async def all_frames(lake: Lake, frames: int) -> None:
    await until(lambda: counter(lake, "frames") == frames)


@pytest.mark.parametrize("name", ["frames.jsonl.gz", "frames.jsonl"])
def test_every_frame_is_kept_with_its_receive_time(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    async def scenario() -> None:
        lake = Lake(tmp_path / "lake")
        async with fake_server(send_frames) as fake:
            for run in (1, 2):
                async with collecting(lake, settings_for(fake), record=path):
                    await all_frames(lake, 7 * run)

    asyncio.run(scenario())
    lines = lines_of(path)
    times = [int(line.split(b" ", 1)[0]) for line in lines]
    assert times == sorted(times)
    assert all(1_600_000_000 < time // 10**9 < 4_000_000_000 for time in times)
    frames = [line.split(b" ", 1)[1] for line in lines]
    expected = [text.replace("\n", " ").encode() for text in FRAMES] + [b"\xff\xfe binary"]
    assert frames == expected * 2


def test_a_recording_is_whole_up_to_its_last_member(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl.gz"
    members = [gzip.compress(b"1 a\n" * n) for n in (10, 20)]
    path.write_bytes(b"".join(members) + gzip.compress(b"1 cut short\n" * 1000)[:-9])
    assert whole_members(path) == sum(map(len, members))
    path.write_bytes(b"")
    assert whole_members(path) == 0


def test_what_a_crash_cut_short_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl.gz"
    path.write_bytes(gzip.compress(b"1 whole\n") + gzip.compress(b"2 cut short\n" * 99)[:-3])

    async def scenario() -> None:
        recorder = Recorder(path)
        recorder.keep(b"frame")
        await recorder.flush()
        recorder.close()

    asyncio.run(scenario())
    lines = lines_of(path)
    assert lines[0] == b"1 whole"
    assert [line.split(b" ")[1] for line in lines[1:]] == [b"frame"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("letters.gz", b"dear diary"),
        ("letters.txt", b"dear diary"),
        ("frames.jsonl", gzip.compress(b"1 {}\n", mtime=0)),
    ],
)
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for _ in range(2):  # a refusal keeps no lock
        with pytest.raises(RecordingError, match=r"is no (gzip'd|plain) recording"):
            Recorder(path)
    assert path.read_bytes() == content


async def record(path: Path, *frames: bytes) -> None:
    """A recorder that keeps `frames`, from its start to its end."""
    recorder = Recorder(path)
    for one in frames:
        recorder.keep(one)
    await recorder.flush()
    recorder.close()


WHOLE = b"1700000000000000001 " + frame(1).encode() + b"\n"


@pytest.mark.parametrize(
    "torn",
    [b"", b"1", b"1700000000000000002", b"1700000000000000002 ", b'17000000000000000002 {"stre'],
)
@pytest.mark.parametrize("before", [b"", WHOLE])
def test_a_line_that_a_crash_tore_is_written_over(
    tmp_path: Path, before: bytes, torn: bytes
) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_bytes(before + torn)
    asyncio.run(record(path, frame(2).encode(), frame(3).encode()))
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines[:-2] == before.splitlines(keepends=True)
    assert [line.split(b" ", 1)[1] for line in lines[-2:]] == [
        frame(number).encode() + b"\n" for number in (2, 3)
    ]
    assert all(re.match(rb"\d{19} ", line) for line in lines)
    assert Recording([path]).trades == {"BTCUSDT": len(lines)}


def test_a_last_line_that_is_whole_but_for_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    path.write_bytes(WHOLE + WHOLE[:-1])
    asyncio.run(record(path, frame(2).encode()))
    assert path.read_bytes().startswith(WHOLE + WHOLE + b"17")
    assert Recording([path]).trades == {"BTCUSDT": 3}


@pytest.mark.parametrize("name", ["frames.jsonl.gz", "frames.jsonl"])
def test_a_second_recorder_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    first = RecordingFile(path)
    with pytest.raises(RecordingError) as raised:
        Recorder(path)
    assert str(path) in str(raised.value)
    assert "choose another file with --record" in str(raised.value)
    first.append(b"1 {}\n")
    with pytest.raises(RecordingError, match="another collector records onto"):
        Recorder(path)
    first.append(b"2 {}\n")
    first.close()
    asyncio.run(record(path, b"third"))
    assert [line.split(b" ")[1] for line in lines_of(path)] == [b"{}", b"{}", b"third"]


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="/proc/locks is missing")
def test_the_refusal_names_the_process(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl"
    with closing(RecordingFile(path)):
        listed = f":{path.stat().st_ino} " in Path("/proc/locks").read_text(encoding="ascii")
        process = str(os.getpid()) if listed else "unknown"
        with pytest.raises(RecordingError, match=rf"\(process {process}\)"):
            Recorder(path)


def test_a_flush_that_is_cancelled_writes_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, entered, go_on = tmp_path / "frames.jsonl", threading.Event(), threading.Event()
    append = RecordingFile.append

    def slow(file: RecordingFile, lines: bytes) -> None:
        entered.set()
        assert go_on.wait(PATIENCE)
        append(file, lines)

    monkeypatch.setattr(RecordingFile, "append", slow)

    async def scenario() -> None:
        recorder = Recorder(path)
        recorder.keep(b"frame")
        flushing = asyncio.create_task(recorder.flush())
        await asyncio.to_thread(entered.wait, 60)
        flushing.cancel()
        await asyncio.wait([flushing])
        go_on.set()
        await recorder.flush()
        recorder.close()

    asyncio.run(scenario())
    assert len(lines_of(path)) == 1


@settings(max_examples=60, deadline=None)
@given(frames=st.lists(st.binary(max_size=30) | st.sampled_from([b"\n", b"\r", b" ", b"\r\n5 {}"])))
def test_whatever_is_recorded_can_be_replayed(
    tmp_path_factory: pytest.TempPathFactory, frames: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("any") / "frames.jsonl"
    asyncio.run(record(path, *frames))
    # A line end in a frame became a space, and what ends a line of text does not tell apart.
    expected = [one.replace(b"\n", b" ").rstrip(b"\r") for one in frames]
    assert [one for _, one in read_lines(path)] == expected


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"frames\.jsonl\.gz cannot be written"):
        Recorder(tmp_path / "nowhere" / "frames.jsonl.gz")


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from collector.record.recorder import Recorder
async def main():
    recorder = Recorder(Path(sys.argv[1]), interval=0.02)
    number = 0
    asyncio.create_task(recorder.run())
    while True:
        for _ in range(50):
            number += 1
            recorder.keep(b"frame %d" % number)
        await asyncio.sleep(0.005)
        if number > 5000 and os.path.getsize(sys.argv[1]) > 10_000:
            os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


def test_a_killed_process_leaves_a_recording_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl.gz"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -9
    lines = lines_of(path)
    assert len(lines) > 100
    assert [line.split(b" ", 1)[1] for line in lines] == [
        b"frame %d" % (i + 1) for i in range(len(lines))
    ]
