"""A run of the tests that is cut off has said what failed until then."""

import re
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_MAKE = (_ROOT / "Makefile").read_text("utf-8")

_CONFTEST = f"""
import sys
sys.path.insert(0, {str(_ROOT)!r})
from tests.conftest import pytest_configure
"""
_FAIL = """
import pytest
@pytest.fixture
def bad(): raise ValueError("of a fixture")
def test_fails(): assert 1 == 2, "of a test"
def test_has_a_bad_fixture(bad): pass
"""
_CRASH = """
import os
def test_crashes(): os.kill(os.getpid(), 9)
"""


def _flags() -> list[str]:
    """Those of `make test`."""
    found = re.search(r'-m pytest -m "not soak" (-n auto .*) \$\(ARGS\)', _MAKE)
    assert found is not None
    return found[1].replace("auto", "2").split()


def _run(folder: Path, *flags: str) -> tuple[int, list[str]]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *flags, str(folder)]
    ended = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    lines = ended.stdout.splitlines()
    return ended.returncode, [
        line[line.index("failed: ") :] for line in lines if "failed: " in line
    ]


def test_a_failure_is_told_when_it_happens(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(_CONFTEST)
    (tmp_path / "test_fail.py").write_text(_FAIL)
    for flags in ([], ["-n", "1"]):
        code, told = _run(tmp_path, *flags)
        assert code == 1
        here = f"{tmp_path / 'test_fail.py'}"
        assert told == [
            f"failed: test_fail.py::test_fails: {here}:5: AssertionError: of a test",
            f"failed: test_fail.py::test_has_a_bad_fixture: {here}:4: ValueError: of a fixture",
        ]


def test_a_worker_that_crashes_ends_the_run_with_the_name_of_its_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(_CONFTEST)
    for number in range(3):  # more files than workers: one is left that nobody would take
        (tmp_path / f"test_crash_{number}.py").write_text(_CRASH)
    code, told = _run(tmp_path, *_flags())
    assert code != 0
    assert re.fullmatch(
        r"failed: test_crash_\d.py::test_crashes: worker 'gw\d' crashed while running .*", told[0]
    )
