"""A recording holds every frame as it came, and survives the end of its process."""

import asyncio
import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from collector.recorder import Recorder, whole_members
from spreadlake.errors import RecordingError
from spreadlake.lake import Lake
from tests.collector.fake import FakeServer, fake_server, frame
from tests.collector.live import collecting, counter, settings_for, until

FRAMES = [
    frame(1),
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
                    await all_frames(lake, 6 * run)

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
        receive = recorder.recorded(one)
        assert await receive() == b"frame"
        await recorder.flush()
        recorder.close()

    async def one() -> bytes:
        return b"frame"

    asyncio.run(scenario())
    lines = lines_of(path)
    assert lines[0] == b"1 whole"
    assert [line.split(b" ")[1] for line in lines[1:]] == [b"frame"]


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letters.gz"
    path.write_text("dear diary")
    with pytest.raises(RecordingError, match="no gzip'd recording"):
        Recorder(path)
    assert path.read_text() == "dear diary"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"frames\.jsonl\.gz cannot be written"):
        Recorder(tmp_path / "nowhere" / "frames.jsonl.gz")


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from collector.recorder import Recorder
async def main():
    recorder = Recorder(Path(sys.argv[1]), interval=0.02)
    number = 0
    async def receive():
        nonlocal number
        number += 1
        return b"frame %d" % number
    receive = recorder.recorded(receive)
    asyncio.create_task(recorder.run())
    while True:
        for _ in range(50):
            await receive()
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
