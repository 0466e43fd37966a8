"""What a terminal's encoding cannot show is replaced; data is UTF-8 all the same."""

import subprocess
from pathlib import Path

import pytest

from tests.fixture_lake import make_lake
from tests.patience import PATIENCE
from tests.running import COMMAND, environment

LAKE = "l\N{GREEK SMALL LETTER SIGMA}ke"


def run(folder: Path, encoding: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    variables = environment(
        PYTHONIOENCODING=encoding,
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        SPREADLAKE_EXPORTER__PORT="1",
    )
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=folder,
        env=variables,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_status_on_a_narrow_terminal(tmp_path: Path, encoding: str) -> None:
    make_lake(tmp_path / LAKE)
    ended = run(tmp_path, encoding, "status", "--data", LAKE)
    assert (ended.returncode, ended.stderr) == (0, b"")
    shown = ended.stdout.decode(encoding)
    assert "lake l?ke (real exchange" in shown
    assert "BTCUSDT/ETHUSDT" in shown


def test_an_error_on_a_narrow_terminal(tmp_path: Path) -> None:
    ended = run(tmp_path, "latin-1", "status", "--data", LAKE)
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"spreadlake: error: no lake in l?ke")


def test_rows_on_standard_output_are_utf_8_everywhere(tmp_path: Path) -> None:
    make_lake(tmp_path / "lake")
    arguments = ["csv", "--data", "lake", "--pair", "BTCUSDT/ETHUSDT", "--timeframe", "1s"]
    arguments += ["--window", "60", "-o", "-"]
    narrow, wide = (run(tmp_path, encoding, *arguments) for encoding in ("utf-16", "utf-8"))
    assert (narrow.returncode, narrow.stderr) == (0, b"")
    assert narrow.stdout == wide.stdout
    assert narrow.stdout.startswith(b"time,price_a,price_b,spread,zscore")
