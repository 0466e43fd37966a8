"""One child process: lines, error message, ends, death of the parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from launcher.supervisor.child import Child
from tests.launcher.supervisor.scripts import FOREVER, STUBBORN, spec
from tests.patience import PATIENCE
from tests.running import until


def run_to_end(text: str) -> tuple[Child, list[str]]:
    lines: list[str] = []
    child = Child(spec("child", text), lines.append)
    child.start()
    assert child.wait(PATIENCE)
    return child, lines


def test_lines_of_both_streams_are_forwarded() -> None:
    child, lines = run_to_end("""
        import sys
        print("one", flush=True)
        print("two", file=sys.stderr, flush=True)
        sys.stderr.buffer.write(b"three \\xff without an end")
    """)
    assert lines == ["one", "two", "three \ufffd without an end"]
    assert (child.exit_code, child.error) == (0, "")


def test_the_final_error_message_is_kept_apart() -> None:
    child, lines = run_to_end("""
        import sys
        print("working", file=sys.stderr)
        print("spreadlake: error: config: a is wrong\\nconfig: b is wrong", file=sys.stderr)
        sys.exit(2)
    """)
    assert lines == ["working"]
    assert child.error == "config: a is wrong\nconfig: b is wrong"
    assert child.exit_code == 2


def test_an_endless_error_message_is_cut() -> None:
    child, lines = run_to_end("""
        import sys
        print("spreadlake: error: " + "\\n".join(map(str, range(1000))), file=sys.stderr)
    """)
    assert len(child.error.splitlines()) == 50
    assert len(lines) == 950


def test_a_second_run_begins_without_the_error_of_the_first() -> None:
    lines: list[str] = []
    error = 'import sys; print("spreadlake: error: no", file=sys.stderr)'
    child = Child(spec("child", error), lines.append)
    child.start()
    assert child.wait(PATIENCE)
    child._spec = spec("child", "print('fine')")
    child.start()
    assert child.wait(PATIENCE)
    assert (child.error, lines) == ("", ["fine"])


def test_terminate_lets_it_flush(tmp_path: Path) -> None:
    lines: list[str] = []
    child = Child(spec("child", FOREVER, tmp_path), lines.append)
    child.start()
    until(lambda: lines, "its first line")
    assert child.alive
    assert not child.wait(0.05)
    child.terminate()
    assert child.wait(PATIENCE)
    assert (child.exit_code, lines[-1]) == (0, "child flushed")


def test_kill_takes_what_it_started_along() -> None:
    lines: list[str] = []
    parent = """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(9999)"])
        print(child.pid, flush=True)
        time.sleep(9999)
    """
    child = Child(spec("child", parent), lines.append)
    child.start()
    until(lambda: lines, "the grandchild's id")
    child.kill()
    assert child.wait(PATIENCE)
    assert child.exit_code == -signal.SIGKILL
    until(lambda: is_gone(int(lines[0])), "the grandchild's end")


def test_workers_that_outlive_it_are_ended() -> None:
    child, lines = run_to_end("""
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(9999)"])
        print(child.pid, flush=True)
    """)
    assert child.exit_code == 0
    until(lambda: is_gone(int(lines[0])), "the worker's end")


def test_ctrl_c_in_the_terminal_does_not_reach_it() -> None:
    lines: list[str] = []
    child = Child(spec("child", STUBBORN), lines.append)
    child.start()
    until(lambda: lines, "its first line")
    assert child.pid is not None
    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
    child.kill()
    child.wait()


def test_the_death_of_the_parent_closes_its_standard_input() -> None:
    parent = """
        import os, signal, sys
        from launcher.supervisor.child import Child
        from tests.launcher.supervisor.scripts import spec
        text = '''
            import os, sys
            from spreadlake.config import load_settings
            from spreadlake.service import StopSignal
            stop = StopSignal()
            os.write(2, f"{os.getpid()}\\\\n".encode())
            sys.exit(0 if stop.wait(PATIENCE) else 1)
        '''
        def tell(line):
            print(line, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        child = Child(spec("child", text), tell)
        child.start()
        child.wait()
    """
    import textwrap

    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(parent)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    until(lambda: is_gone(int(process.stdout)), "the child's end")


def is_gone(pid: int) -> bool:
    """Whether the process has ended; one that waits to be reaped has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"
