"""The supervisor with real processes: order, restarts, mistakes, signals."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from launcher.supervisor.child import Child, ChildSpec
from launcher.supervisor.stopping import ChildMistakeError, KilledError, stop_children
from launcher.supervisor.supervisor import Supervisor
from spreadlake.backoff import Backoff
from spreadlake.errors import ServiceError
from spreadlake.service import StopSignal
from tests.launcher.supervisor.scripts import FOREVER, STUBBORN, spec
from tests.patience import Deadline
from tests.running import until


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def quick() -> Backoff:
    return Backoff(first=0.05, cap=0.2, jitter=0.0)


def supervise(
    specs: Sequence[ChildSpec], done: Callable[[list[str], Mapping[str, str]], bool]
) -> list[str]:
    """Runs the children until `done` (lines so far, states) or a deadline; returns the lines."""
    stop = StopSignal()
    lines: list[str] = []
    deadline = Deadline()

    def refresh(states: Mapping[str, str]) -> None:
        assert not deadline.passed, lines
        if not stop.is_set() and done(lines, states):
            stop.set()

    Supervisor(specs, stop, lines.append, quick).run(refresh)
    return lines


def test_starts_readers_first_and_stops_writers_first(tmp_path: Path) -> None:
    specs = [spec(name, FOREVER, tmp_path) for name in ("collector", "job", "exporter")]
    lines = supervise(specs, lambda lines, _: len(lines) == 3)
    assert (tmp_path / "notes.txt").read_text().split("\n")[:3] == [
        "collector ends",
        "job ends",
        "exporter ends",
    ]
    assert sorted(lines[3:]) == ["collector flushed", "exporter flushed", "job flushed"]


def test_waits_until_one_is_ready_before_the_next_starts(tmp_path: Path) -> None:
    flag = tmp_path / "ready"
    slow = spec(
        "exchange", f"import time; time.sleep(0.3); open({str(flag)!r}, 'w'); time.sleep(9999)"
    )
    slow = ChildSpec(slow.name, slow.command, ready=flag.exists)
    needs = spec(
        "collector",
        f"import os, time; print(os.path.exists({str(flag)!r}), flush=True); time.sleep(9999)",
    )
    assert supervise([needs, slow], lambda lines, _: bool(lines)) == ["True"]


def test_a_child_that_dies_is_started_again_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dies_twice = f"""
        import os, pathlib, sys, time
        count = pathlib.Path({str(tmp_path / "count")!r})
        runs = int(count.read_text()) + 1 if count.exists() else 1
        count.write_text(str(runs))
        if runs == 1:
            sys.exit(7)
        if runs == 2:
            os.kill(os.getpid(), 9)
        print("third run", flush=True)
        time.sleep(9999)
    """
    seen: set[str] = set()

    def done(lines: list[str], states: Mapping[str, str]) -> bool:
        seen.update(states.values())
        return "third run" in lines

    supervise([spec("job", dies_twice)], done)
    assert caplog.messages == [
        "job ended with exit code 7; it starts again in 0.05 s",
        "job was ended by SIGKILL; it starts again in 0.1 s",
    ]
    assert seen == {"running", "starts again in 0 s"}


def test_a_child_that_keeps_dying_is_tried_again_and_it_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    starts = "print('started', flush=True); raise SystemExit(1)"
    said = "(3 times in a row; what it wrote above says why)"
    lines = supervise([spec("job", starts)], lambda *_: said in caplog.text)
    assert lines.count("started") >= 3


def test_the_reason_that_a_child_gave_is_in_the_line(caplog: pytest.LogCaptureFixture) -> None:
    says = """
        import sys
        print("spreadlake: error: the exchange is gone", file=sys.stderr)
        sys.exit(1)
    """
    supervise([spec("collector", says)], lambda _, states: states["collector"] != "running")
    assert (
        "collector ended with exit code 1: the exchange is gone; it starts again"
        in caplog.messages[0]
    )


def test_a_mistake_of_the_user_stops_everything(tmp_path: Path) -> None:
    mistake = """
        import sys
        print("spreadlake: error: symbols: 'XXX' is unknown", file=sys.stderr)
        sys.exit(2)
    """
    specs = [spec("collector", mistake), spec("job", FOREVER, tmp_path)]
    with pytest.raises(ChildMistakeError) as caught:
        supervise(specs, lambda *_: False)
    assert str(caught.value) == "symbols: 'XXX' is unknown"
    assert caught.value.exit_code == 2


def test_a_mistake_at_a_restart_stops_nothing_but_that_child(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is wrong by then (a file that was edited, a port that was taken) may be mended."""
    dies = f"""
        import os, pathlib, sys, time
        count = pathlib.Path({str(tmp_path / "count")!r})
        runs = int(count.read_text()) + 1 if count.exists() else 1
        count.write_text(str(runs))
        print(runs, os.environ.get("SPREADLAKE_RESTARTED"), flush=True)
        if runs < 3:
            print("spreadlake: error: port 9464 is in use", file=sys.stderr)
            sys.exit(runs)
        time.sleep(9999)
    """
    specs = [spec("collector", FOREVER, tmp_path), spec("exporter", dies)]
    lines = supervise(specs, lambda lines, _: "3 1" in lines)
    assert [line for line in lines if line[0].isdigit()] == ["1 None", "2 1", "3 1"]
    assert any("ended with exit code 2: port 9464 is in use" in line for line in caplog.messages)


def test_a_child_that_cannot_end_well_is_told(tmp_path: Path) -> None:
    fails = FOREVER.replace("sys.exit(0)", "sys.exit(5)")
    with pytest.raises(ServiceError, match="job ended with exit code 5"):
        supervise([spec("job", fails, tmp_path)], lambda lines, _: bool(lines))


def test_a_child_that_does_not_stop_is_killed_with_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines: list[str] = []
    child = Child(spec("job", STUBBORN), lines.append)
    child.start()
    until(lambda: lines, "its first line")
    ticks: list[None] = []
    stop_children([child], StopSignal(), lambda: ticks.append(None), grace=0.3)
    assert child.exit_code == -signal.SIGKILL
    assert caplog.messages == ["job did not stop within 0.3 s and is killed"]
    assert ticks


def test_a_second_signal_kills_at_once() -> None:
    stop = StopSignal()
    lines: list[str] = []

    def interrupt_twice() -> None:
        until(lambda: lines, "the child")
        os.kill(os.getpid(), signal.SIGINT)
        until(stop.is_set, "the stop")
        # The handler for the second one is there once the child has been asked to end.
        until(lambda: signal.getsignal(signal.SIGINT) != stop._on_signal, "the handler")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt_twice)
    thread.start()
    supervisor = Supervisor([spec("job", STUBBORN)], stop, lines.append, quick)
    with pytest.raises(KilledError, match="job had to end at once, by a second signal") as caught:
        supervisor.run()
    assert caught.value.exit_code == 130
    thread.join()


def test_the_handlers_of_before_are_back_afterwards(tmp_path: Path) -> None:
    stop = StopSignal()
    handler = signal.getsignal(signal.SIGINT)
    stop_children([], stop)
    assert signal.getsignal(signal.SIGINT) == handler


def test_nothing_runs_after_an_exception_in_the_view() -> None:
    def explode(states: Mapping[str, str]) -> None:
        if set(states.values()) == {"running"}:
            raise ZeroDivisionError

    child = spec("job", "import os, time; print(os.getpid(), flush=True); time.sleep(9999)")
    supervisor = Supervisor([child], StopSignal(), lambda line: None, quick)
    with pytest.raises(ZeroDivisionError):
        supervisor.run(explode)
    assert [m.child.alive for m in supervisor._minded] == [False]
