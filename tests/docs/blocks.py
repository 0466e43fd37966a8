"""Runs the code blocks of a document, and compares or renews what it shows of their output.

python -m tests.docs.blocks     writes the outputs of docs/cookbook.md anew
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.paths import ROOT
from tests.patience import PATIENCE

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANYTHING = "…"


@dataclass(frozen=True)
class Block:
    """A fenced block; `shown` is the output that a `text` block shows right after a Python one."""

    language: str
    text: str
    line: int
    shown: str | None = None


@dataclass(frozen=True)
class Step:
    """A command of a console block, and the output that is shown of it."""

    command: str
    shown: str


def blocks_of(document: str) -> list[Block]:
    """The blocks of a document in order; `text` blocks belong to the one before them."""
    blocks: list[Block] = []
    for match in _FENCE.finditer(document):
        line = document[: match.start()].count("\n") + 1
        block = Block(match[1], match[2], line)
        if block.language == "text" and blocks:
            before = blocks.pop()
            block = Block(before.language, before.text, before.line, match[2])
        blocks.append(block)
    return blocks


def fits(shown: str, printed: str) -> bool:
    """Whether the output is as shown; `…` in what is shown stands for anything."""
    pattern = ".*".join(map(re.escape, _trimmed(shown).split(ANYTHING)))
    return re.fullmatch(pattern, _trimmed(printed), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


@dataclass
class Runner:
    """Runs blocks one after another in a folder, as somebody who follows the document."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run_python(self, text: str) -> str:
        """What a Python block prints; every block stands for itself."""
        printed = io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(printed):
            exec(compile(text, "<block>", "exec"), {"__name__": "__main__"})
        return printed.getvalue()

    def run_console(self, step: Step) -> str:
        """What one command of a console block prints; it must succeed."""
        if step.command.startswith("cd "):
            self.folder /= step.command.removeprefix("cd ")
            return ""
        result = self._run(step)
        assert result.returncode == 0, f"{step.command}: {result.stderr}"
        return result.stdout

    def all_output(self, step: Step) -> str:
        """What a command shows on a terminal, errors too; it may fail."""
        result = self._run(step)
        return result.stdout + result.stderr

    def _run(self, step: Step) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-c", step.command],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        """Of the commands: no settings of spreadlake but `variables`."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SPREADLAKE_")}
        for size in ("COLUMNS", "LINES"):  # a worker of the tests has one of its own
            kept.pop(size, None)
        # The commands of the interpreter that runs the tests, whatever is on the path.
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        return kept | {"PATH": path, "PYTHONPATH": str(ROOT)} | self.variables


def steps_of(text: str) -> list[Step]:
    """The commands of a console block; one goes on over lines while a quote is open."""
    steps: list[Step] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line.removeprefix("$ "), ""))
        elif _is_open(steps[-1].command):
            steps[-1] = Step(f"{steps[-1].command}\n{line}", "")
        else:
            steps[-1] = Step(steps[-1].command, f"{steps[-1].shown}{line}\n")
    return steps


def _is_open(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return True
    return False


def renewed(document: str, runner: Runner) -> str:
    """The document with all outputs as they are now; those that still fit stay as they are."""
    parts, end = [], 0
    fences = list(_FENCE.finditer(document))
    for match, following in zip(fences, [*fences[1:], None], strict=True):
        if match[1] == "console":
            steps = "".join(_renewed_step(step, runner) for step in steps_of(match[2]))
            parts += [document[end : match.start()], f"```console\n{steps}```"]
            end = match.end()
        elif match[1] == "python":
            printed = runner.run_python(match[2])
            if following is not None and following[1] == "text":
                parts += [document[end : following.start()], f"```text\n{printed}```"]
                end = following.end()
    return "".join([*parts, document[end:]])


def _renewed_step(step: Step, runner: Runner) -> str:
    printed = runner.run_console(step)
    return f"$ {step.command}\n{step.shown if fits(step.shown, printed) else printed}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "docs").symlink_to(ROOT / "docs")
        path = ROOT / "docs" / "cookbook.md"
        path.write_text(renewed(path.read_text(), Runner(Path(folder))))
