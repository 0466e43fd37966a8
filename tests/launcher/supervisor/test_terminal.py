"""A pipeline on a terminal and without one, in a process of its own."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixture_lake import make_lake
from tests.patience import PATIENCE, Deadline
from tests.running import environment

ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h", "\x1b[?1049l"

PROGRAM = """
    import os, sys
    os.chdir({folder!r})
    from pathlib import Path
    from spreadlake.config import load_settings
    from spreadlake.errors import SpreadlakeError
    from spreadlake.lake import Lake
    from launcher.supervisor.pipeline import PipelineRun, run_pipeline
    from tests.launcher.supervisor.scripts import FOREVER, spec
    specs = [spec("collector", {script}, Path({folder!r}))]
    lake = Lake(Path("lake"))
    foot = ["status   spreadlake status --data lake"]
    pipeline = PipelineRun("spreadlake demo", lake, load_settings(None), specs, ["facts"], foot)
    try:
        print(run_pipeline(pipeline, {duration}))
    except SpreadlakeError as error:
        print("error:", error)
"""


def program(folder: Path, duration: float | None, script: str = "FOREVER") -> list[str]:
    make_lake(folder / "lake")
    text = textwrap.dedent(PROGRAM).format(folder=str(folder), duration=duration, script=script)
    return [sys.executable, "-c", text]


def on_terminal(
    command: list[str], width: int = 80, enough: Callable[[bytes], bool] = lambda _: False
) -> tuple[int, str]:
    """Runs `command` on a terminal of its own; (exit code, all that it wrote).

    Ctrl-C comes when it wrote `enough`.
    """
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    process = subprocess.Popen(
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment(TERM="xterm-256color"),
        start_new_session=True,
    )
    os.close(terminal)
    written, interrupted = b"", False
    deadline = Deadline()
    while not deadline.passed:
        try:
            written += os.read(main, 65536)
        except OSError:  # the other end is closed
            break
        if not interrupted and enough(written):
            process.send_signal(signal.SIGINT)
            interrupted = True
    os.close(main)
    return process.wait(PATIENCE), written.decode()


def screens(written: str) -> list[str]:
    """What stood on the screen at each redraw, without colours."""
    between = written.partition(ENTER_SCREEN)[2].partition(LEAVE_SCREEN)[0]
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", part) for part in between.split("\x1b[H")]


@pytest.mark.parametrize("width", [80, 40])
def test_a_screen_that_is_gone_afterwards(tmp_path: Path, width: int) -> None:
    code, written = on_terminal(
        program(tmp_path, None), width, lambda seen: seen.count(b"spreadlake demo") >= 3
    )
    assert code == 0
    drawn = [text for text in screens(written) if "collector" in text]
    assert len(drawn) >= 3
    assert "BTCUSDT/ETHUSDT" in drawn[-1]
    lines = [line for text in drawn for line in text.split("\r\n")]
    assert max(len(line.rstrip()) for line in lines) <= width
    after = written.partition(LEAVE_SCREEN)[2]
    assert "890 ticks in lake" in after
    # What is said before the screen is covered by it.
    assert "spreadlake status --data lake" in after
    assert any("spreadlake status" in " ".join(text.split()) for text in drawn)
    assert "collector" not in after


def test_ctrl_c_ends_it_well(tmp_path: Path) -> None:
    command = program(tmp_path, None)
    code, written = on_terminal(command, enough=lambda seen: b"collector runs" in seen)
    assert code == 0
    assert "collector flushed" not in written.partition(LEAVE_SCREEN)[2]
    assert "stopped after" in written.partition(LEAVE_SCREEN)[2]
    assert (tmp_path / "notes.txt").read_text() == "collector ends\n"


def test_a_mistake_is_told_below_the_screen(tmp_path: Path) -> None:
    mistake = (
        "'import sys; print(\"spreadlake: error: no such symbol\", file=sys.stderr); sys.exit(2)'"
    )
    _, written = on_terminal(program(tmp_path, None, mistake))
    assert "error: no such symbol" in written.partition(LEAVE_SCREEN)[2]


def test_without_a_terminal_there_are_lines(tmp_path: Path) -> None:
    ended = subprocess.run(
        program(tmp_path, 3.0),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr
    assert ended.stderr.splitlines() == ["collector runs", "collector flushed"]
    assert re.fullmatch(
        r"stopped after [\d.]+ s: 890 ticks in lake, "
        r"10 of them still to be analysed at the next start\n",
        ended.stdout,
    )
