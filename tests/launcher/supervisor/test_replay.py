"""How a replay ends: all stored, nothing moves, a child that dies, a user who stops it."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from launcher.supervisor.child import ChildSpec
from launcher.supervisor.replay import (
    ReplayInterruptedError,
    ReplayProgress,
    ReplayRun,
    all_analysed,
    all_stored,
    frames_counted,
    run_replay,
)
from launcher.supervisor.stopping import ChildMistakeError
from spreadlake.errors import ServiceError
from spreadlake.lake import Lake, add_counters, open_analytics_writer, open_ticks_writer
from spreadlake.service import StopSignal
from tests.fixture_lake import make_lake, writing
from tests.launcher.supervisor.scripts import FOREVER, spec

WAITING = {"frames_sent": 10, "finished": False, "clock_ms": 1}


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@contextmanager
def simulator(status: dict[str, Any]) -> Iterator[int]:
    """Answers `status` as the simulated exchange does; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(status).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class Story:
    """A replay whose children are scripts, and whose counts the test moves.

    The story begins once they all run: before, the recording is as in a quiet stretch.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = make_lake(folder / "lake")
        self.status = dict(WAITING)
        self.stop = StopSignal()
        self.lines: list[str] = []
        self.seen: list[ReplayProgress] = []

    def receive(self, frames: int) -> None:
        with writing(open_ticks_writer(self.lake)) as db:
            add_counters(db, {("frames", ""): frames})

    def analyse(self, seq: int) -> None:
        with writing(open_analytics_writer(self.lake)) as db:
            db.execute("UPDATE progress SET value = ? WHERE key = 'read_seq'", [seq])

    def run(self, react: Any = lambda progress: None, **scripts: str) -> None:
        def child(name: str, text: str = FOREVER) -> ChildSpec:
            return spec(name, scripts.get(name, text), self.folder)

        names = {"simulator", "job", "collector"} - set(scripts)

        def on_progress(progress: ReplayProgress) -> None:
            self.status["clock_ms"] += 1
            if {f"{name} runs" for name in names} <= set(self.lines):
                self.seen.append(progress)
                react(progress)

        with simulator(self.status) as port:
            run_replay(
                ReplayRun(
                    self.lake,
                    "127.0.0.1",
                    port,
                    simulator=child("simulator"),
                    collector=child("collector"),
                    job=child("job"),
                    last_pass=child("last_pass", "open('notes.txt', 'a').write('last pass\\n')"),
                    stop=self.stop,
                    on_line=self.lines.append,
                    on_progress=on_progress,
                    stall_seconds=1.0,
                )
            )

    def notes(self) -> list[str]:
        return (self.folder / "notes.txt").read_text().splitlines()


def test_it_ends_when_every_frame_is_stored_and_every_trade_analysed(tmp_path: Path) -> None:
    story = Story(tmp_path)

    def react(progress: ReplayProgress) -> None:
        if progress.text == "10 frames sent, 0 received":
            story.status["frames_sent"] = 12
            story.receive(10)
        elif progress.text == "12 frames sent, 10 received" and not story.status["finished"]:
            story.status["finished"] = True
        elif progress.text == "12 frames sent, 10 received":
            story.receive(2)
        elif progress.text == "trade 880 of 890":
            story.analyse(890)

    story.run(react)
    assert story.notes() == ["collector ends", "job ends", "simulator ends", "last pass"]
    assert [p.text for p in story.seen if p.done][-2:] == [
        "12 frames sent, 12 received",
        "trade 890 of 890",
    ]


def test_nothing_moves(tmp_path: Path) -> None:
    story = Story(tmp_path)
    with pytest.raises(ServiceError) as caught:
        story.run(lambda _: story.status.update(finished=True))
    assert str(caught.value) == (
        "replay: waiting for the collector to store every frame, and nothing has moved for 1 s: "
        "10 frames sent, 0 received"
    )
    assert caught.value.exit_code == 1
    assert story.notes() == ["collector ends", "job ends", "simulator ends"]


def test_a_quiet_stretch_of_the_recording_is_no_standstill(tmp_path: Path) -> None:
    story = Story(tmp_path)

    def react(progress: ReplayProgress) -> None:
        if len(story.seen) > 15:
            story.status["finished"] = True
            story.receive(10)
            story.analyse(890)

    story.run(react)
    assert len(story.seen) > 15


def test_a_collector_that_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    refuses = """
        import sys
        print("spreadlake: error: lake x holds trade ids", file=sys.stderr)
        sys.exit(2)
    """
    with pytest.raises(ChildMistakeError, match="lake x holds trade ids"):
        Story(tmp_path).run(collector=refuses)


def test_a_job_that_dies_ends_it(tmp_path: Path) -> None:
    story = Story(tmp_path)
    dies = """
        import os, time
        while not os.path.exists("go"):
            time.sleep(0.02)
        raise SystemExit(3)
    """

    with pytest.raises(ServiceError, match="job ended with exit code 3"):
        story.run(lambda _: (tmp_path / "go").touch(), job=dies)
    assert story.notes() == ["collector ends", "simulator ends"]


def test_a_last_pass_that_fails_fails_the_replay(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.analyse(890)
    with pytest.raises(ServiceError, match="last_pass ended with exit code 4"):
        story.run(
            lambda _: story.status.update(finished=True, frames_sent=0),
            last_pass="raise SystemExit(4)",
        )


def test_ctrl_c_stops_it(tmp_path: Path) -> None:
    story = Story(tmp_path)

    def react(progress: ReplayProgress) -> None:
        if len(story.seen) == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(ReplayInterruptedError) as caught:
        story.run(react)
    assert caught.value.exit_code == 130
    assert story.notes() == ["collector ends", "job ends", "simulator ends"]


def test_frames_of_earlier_runs_do_not_count(tmp_path: Path) -> None:
    lake = make_lake(tmp_path)
    with simulator({"frames_sent": 5, "finished": True, "clock_ms": 0}) as port:
        look = all_stored(lake, "127.0.0.1", port)
        assert not look().done
        with writing(open_ticks_writer(lake)) as db:
            add_counters(db, {("frames", ""): 5})
        assert look() == ReplayProgress(True, (5, 5, None), "5 frames sent, 5 received")


def test_a_lake_that_is_yet_to_be_made(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert frames_counted(lake) == 0
    assert all_analysed(lake)() == ReplayProgress(True, (0, None, None), "trade 0 of 0")
