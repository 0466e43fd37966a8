"""The first example of docs/backtest.md prints what it shows."""

import shlex
from pathlib import Path
from typing import Any

import spreadlake
from docs.source.files import DOCS
from tests.docs.blocks import blocks_of, fits
from tests.running import invoke

TEXT = (DOCS / "backtest.md").read_text(encoding="utf-8")


def test_the_first_example_is_as_shown(tmp_path: Path) -> None:
    first = next(block for block in blocks_of(TEXT) if block.language == "console")
    made, command, shown = first.text.split("\n", 2)
    assert made == """$ python -c 'import spreadlake; spreadlake.sample("sample")'"""
    lake = spreadlake.sample(tmp_path / "sample")
    ended = invoke(*shlex.split(command.removeprefix("$ spreadlake ")), cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert fits(shown, ended.stdout)
    python = next(block for block in blocks_of(TEXT) if block.language == "python")
    names: dict[str, Any] = {}
    exec(python.text.replace("result.plot()", ""), names)
    wanted = lake.backtest("ETHUSDT", "BTCUSDT", lookback=240, stop=4, max_bars=60)
    assert names["result"].summary == wanted.summary
