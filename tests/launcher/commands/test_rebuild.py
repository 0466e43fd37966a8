"""`spreadlake analyse --rebuild`: what it shows, and how it ends."""

import re
import sys
from pathlib import Path

from spreadlake.lake import Lake, open_ticks_writer
from tests.fixture_lake import make_lake
from tests.importer.dumps import day_file, trades
from tests.importer.lakes import import_all
from tests.launcher.supervisor.test_terminal import on_terminal
from tests.running import invoke, run

CONFIG = """
symbols = ["BTCUSDT", "ETHUSDT"]
timeframes = ["1m"]
windows = [30, 500]
[job]
tests_interval = 3600
"""


def test_at_its_end_it_says_what_it_did(tmp_path: Path) -> None:
    (tmp_path / "spreadlake.toml").write_text(CONFIG)
    files = [
        day_file(tmp_path, trades(hours=2)),
        day_file(tmp_path, trades("ETHUSDT", hours=2, first_id=5)),
    ]
    import_all(tmp_path / "lake", *files)
    ended = run("analyse", "--rebuild", "--data", "lake", cwd=tmp_path)
    assert ended.returncode == 0
    told = [line.partition(":")[0] for line in ended.stderr.splitlines()]
    assert told == ["bars, pair analytics and alerts", "slow statistics"]
    (line,) = ended.stdout.splitlines()
    start, _, span = line.partition("bars of ")
    assert start.startswith("rebuilt in ")
    assert span == (
        "2 symbols, 1 series of pair analytics and their alerts, "
        "from 2024-08-08T00:00:00Z to 2024-08-08T02:00:00Z; "
        "1 series of longer windows without a row yet"
    )
    part = ["--from", "2024-08-08T01:00Z"]
    ended = run("analyse", "--rebuild", *part, "--data", "lake", cwd=tmp_path)
    assert " from 2024-08-08T01:00:00Z to 2024-08-08T02:00:00Z;" in ended.stdout


def test_what_was_new_is_told_as_well(tmp_path: Path) -> None:
    (tmp_path / "spreadlake.toml").write_text(CONFIG)
    import_all(tmp_path / "lake", day_file(tmp_path, trades(hours=1)))
    ended = run("analyse", "--once", "--data", "lake", cwd=tmp_path)
    assert ended.returncode == 0
    assert ended.stderr.startswith("bars, pair analytics and alerts")
    assert ended.stdout.startswith("analysed in ")
    assert " from 2024-08-08T00:00:00Z to 2024-08-08T01:00:00Z;" in ended.stdout


def test_a_lake_without_trades_has_nothing_to_rebuild(tmp_path: Path) -> None:
    open_ticks_writer(Lake(tmp_path / "lake")).close()
    for option, verb in {"--rebuild": "rebuild", "--once": "analyse"}.items():
        ended = invoke("analyse", option, "--data", "lake", cwd=tmp_path)
        told = f"nothing to {verb}: lake lake has no trades\n"
        assert (ended.returncode, ended.stdout) == (0, told)


def test_where_no_lake_is_it_says_so(tmp_path: Path) -> None:
    ended = invoke("analyse", "--rebuild", "--data", "lake", cwd=tmp_path)
    assert ended.returncode == 2
    assert "no lake in lake: ticks.db is not there" in ended.stderr


def test_on_a_terminal_each_stage_has_a_bar_that_ends_full(tmp_path: Path) -> None:
    (tmp_path / "spreadlake.toml").write_text(CONFIG)
    import_all(tmp_path / "lake", day_file(tmp_path, trades(hours=1)))
    import_all(tmp_path / "lake", day_file(tmp_path, trades("ETHUSDT", hours=1, first_id=5)))
    for option in ("--once", "--rebuild"):
        program = (
            f"import os, sys; os.chdir({str(tmp_path)!r})\n"
            f"sys.argv = ['spreadlake', 'analyse', '{option}', '--data', 'lake']\n"
            "import runpy; runpy.run_module('spreadlake', run_name='__main__')\n"
        )
        code, wrote = on_terminal([sys.executable, "-c", program], width=160)
        assert code == 0, wrote
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", wrote)
        for stage in ("bars, pair analytics and alerts", "slow statistics"):
            last = [line for line in re.split(r"[\r\n]+", text) if line.startswith(stage)][-1]
            assert "100%" in last


def test_ctrl_c_ends_it_where_it_stands(tmp_path: Path) -> None:
    make_lake(tmp_path / "lake")
    program = (
        f"import os, time; os.chdir({str(tmp_path)!r})\n"
        "from pathlib import Path\n"
        "from launcher.commands.work_shown import rebuilding\n"
        "from spreadlake.lake import Lake\n"
        "from spreadlake.work import Work\n"
        "with rebuilding(Lake(Path('lake')), None) as tell:\n"
        "    tell(Work('slow statistics', 'row', 12.0))\n"
        "    time.sleep(9999)\n"
    )
    shown = b"12 rows to go"
    code, wrote = on_terminal([sys.executable, "-c", program], enough=lambda text: shown in text)
    assert code == 130
    assert "interrupted; the job goes on from here when it runs next" in wrote
    assert "Traceback" not in wrote
