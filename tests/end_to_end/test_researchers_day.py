"""The researcher's day: every command of docs/first-day.md, typed in order, on real processes.

A command that only looks is typed again until it prints what the page shows.
"""

import json
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from spreadlake.ports import free_port
from tests.docs.blocks import Block, Runner, Step, blocks_of, fits, steps_of
from tests.end_to_end.processes import poll
from tests.paths import ROOT
from tests.patience import PATIENCE
from tests.running import until

PAGE = (ROOT / "docs" / "first-day.md").read_text(encoding="utf-8")
LOOKS = ("spreadlake status", "spreadlake csv", "sqlite-utils")
STAYS = "  # in a terminal of its own"
CTRL_C = "# Ctrl-C: "
HISTORY_END = 1_723_183_200  # 2024-08-09T06:00:00Z
RULE = "(rule stretched, 5m bars, window 12, lookback 24)"


@dataclass
class Terminal:
    """A command that stays, and the file of what it prints."""

    process: "subprocess.Popen[bytes]"
    output: IO[bytes]
    path: Path

    def printed(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def end(self) -> int:
        """Ctrl-C, and the exit code; killed where it does not end by itself."""
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGINT)
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.output.close()


@dataclass
class Day:
    """Somebody who follows the page; other ports stand for the page's own."""

    runner: Runner
    ports: dict[str, str]
    terminals: dict[str, Terminal] = field(default_factory=dict)

    def type(self, step: Step) -> None:
        """Types one command, and compares what it prints."""
        step = Step(self._ours(step.command), step.shown)
        if step.command.endswith(STAYS):
            self._stay(step.command.removesuffix(STAYS))
        elif step.command.startswith(CTRL_C):
            assert self.terminals[step.command.removeprefix(CTRL_C)].end() == 0
        elif step.command.startswith(LOOKS):
            self._look(step)
        else:
            printed = self.runner.run_console(step)
            assert fits(step.shown, printed), f"$ {step.command}\n{printed}"
        if step.command.startswith("python docs/first_day.py"):
            config = self.runner.folder / "day" / "spreadlake.toml"
            config.write_text(self._ours(config.read_text()))

    def _ours(self, text: str) -> str:
        for theirs, ours in self.ports.items():
            text = text.replace(theirs, ours)
        return text

    def _stay(self, command: str) -> None:
        path = self.runner.folder / f"terminal-{len(self.terminals)}.txt"
        output = path.open("wb")
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.runner.folder,
            env=self.runner.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        self.terminals[command] = Terminal(process, output, path)

    def _look(self, step: Step) -> None:
        last = ""

        def once() -> bool:
            nonlocal last
            last = self.runner.all_output(step)
            assert "Traceback" not in last, last
            return fits(step.shown, last)

        try:
            poll(once)
        except AssertionError as error:
            told = "\n".join(terminal.printed() for terminal in self.terminals.values())
            raise AssertionError(f"{error}\n$ {step.command}\n{last}\n\n{told}") from error

    def of(self, start: str) -> Terminal:
        """The terminal whose command begins so."""
        return next(t for command, t in self.terminals.items() if command.startswith(start))


@contextmanager
def someone(folder: Path) -> Iterator[Day]:
    (folder / "docs").symlink_to(ROOT / "docs")
    ports = {number: str(free_port()) for number in ("9443", "8787", "9464")}
    runner = Runner(folder, {"SPREADLAKE_EXPORTER__PORT": ports["9464"]})
    day = Day(runner, ports)
    try:
        yield day
    finally:
        for terminal in day.terminals.values():
            terminal.process.kill()
            terminal.process.wait()
            terminal.output.close()
        (folder / "docs").unlink()


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    with someone(tmp_path) as day:
        yield day


def rows(lake: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{lake / 'analytics.db'}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def tables(lake: Path) -> dict[str, list[tuple[object, ...]]]:
    """What a rebuild gives once more; rows that were rolled to Parquet are not among them."""
    names = ("breaks", "bars", "pair_analytics")
    return {name: sorted(rows(lake, f"SELECT * FROM {name}"), key=repr) for name in names}


def test_a_researchers_day(day: Day) -> None:
    blocks: list[Block] = [b for b in blocks_of(PAGE) if b.language == "console"]
    told = next(b.shown for b in blocks if b.shown is not None)
    for block in blocks:
        for step in steps_of(block.text):
            day.type(step)
        if block.shown is not None:  # it comes when there is an alert to tell of
            until(lambda: _shows(day.of("python"), told), "the receiver to be told of an alert")
    lake = day.runner.folder / "data"
    _nothing_is_carried_over_the_break(lake)
    _alerts_were_told(day.of("python"), told)
    said = day.of("spreadlake up").printed()
    assert "Traceback" not in said, said
    assert "analytics.db was deleted or moved away" in said
    assert "took on the edited configuration spreadlake.toml" in said
    # What was computed around deletions, edits, late trades and two starts is one rebuild's.
    before = tables(lake)
    shutil.copytree(lake, lake.parent / "again")
    day.runner.run_console(Step("spreadlake analyse --rebuild --data again", ""))
    after = tables(lake.parent / "again")
    for name, found in before.items():
        assert found == after[name], name
    assert day.of("python").process.poll() is None
    assert day.of("spreadlake simulate").end() == 0


def _nothing_is_carried_over_the_break(lake: Path) -> None:
    (edges,) = rows(lake, "SELECT start, end FROM breaks ORDER BY start LIMIT 1")
    start, end = (int(str(edge)) for edge in edges)
    assert HISTORY_END - 60 <= start <= HISTORY_END < end
    inside = f"time >= {start} AND time + 1 <= {end} - 3600"
    imported = "symbol != 'DOTUSDT'"  # the one that was added has klines of that time
    assert rows(lake, f"SELECT * FROM bars WHERE {inside} AND {imported} LIMIT 3") == []
    both = f"{imported.replace('symbol', 'symbol_a')} AND {imported.replace('symbol', 'symbol_b')}"
    assert rows(lake, f"SELECT * FROM pair_analytics WHERE {inside} AND {both} LIMIT 3") == []
    # The first row after it is over the first window after it, and over nothing before.
    first = rows(
        lake,
        "SELECT time, hedge_bars FROM pair_analytics WHERE pair = 'BTCUSDT/ETHUSDT' "
        f"AND timeframe = '5m' AND time >= {end} - 300 ORDER BY time LIMIT 1",
    )
    ((time, hedge_bars),) = first
    assert hedge_bars == 12
    assert int(str(time)) >= end // 300 * 300 + 11 * 300


def _shows(receiver: Terminal, shown: str | None) -> bool:
    printed = receiver.printed()
    return all(part in printed for part in (shown or "").replace("\n", "…").split("…"))


def _alerts_were_told(receiver: Terminal, shown: str | None) -> None:
    """By the time the page is through, messages came, each alert's opening once."""
    printed = receiver.printed()
    assert _shows(receiver, shown), printed
    openings = [line for line in printed.splitlines() if RULE in line]
    assert openings
    assert len(openings) == len(set(openings)), json.dumps(openings)
