"""Runs a pipeline from start to stop: its children, its view, and what is said at the end."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from launcher.supervisor.child import ChildSpec, LogLines
from launcher.supervisor.live_view import live_view
from launcher.supervisor.supervisor import Supervisor
from spreadlake.config import Settings
from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.logs import configure_logs
from spreadlake.service import StopSignal
from spreadlake.status import report_on
from spreadlake.words import duration as in_words


@dataclass(frozen=True)
class PipelineRun:
    """What runs, in the order in which it stops, and what the view says about it.

    `foot` is what somebody wants to know at the end as well: the view covers what was said before.
    """

    title: str
    lake: Lake
    settings: Settings
    specs: Sequence[ChildSpec]
    facts: Sequence[str] = ()
    foot: Sequence[str] = ()


def run_pipeline(pipeline: PipelineRun, duration: float | None) -> str:
    """Blocks until told to stop or for `duration` seconds; returns a closing sentence.

    Raises SpreadlakeError with the message of a child whose user made a mistake.
    """
    started = time.monotonic()
    lines = LogLines(echo_of(sys.stdout, sys.stderr))
    configure_logs("supervisor", stream=lines)
    supervisor = Supervisor(pipeline.specs, StopSignal(duration), lines.add)
    view = live_view(
        pipeline.lake, pipeline.settings, pipeline.title, pipeline.facts, lines, pipeline.foot
    )
    with view as refresh:
        supervisor.run(refresh)
    closing = [_closing(pipeline.lake, time.monotonic() - started)]
    if sys.stdout.isatty():
        closing += [f"  {hint}" for hint in pipeline.foot]
    return "\n".join(closing)


def echo_of(stdout: TextIO, stderr: TextIO) -> TextIO | None:
    """Where log lines go at once: nowhere if both streams share a terminal with the screen."""
    return None if stdout.isatty() and stderr.isatty() else stderr


def _closing(lake: Lake, seconds: float) -> str:
    try:
        report = report_on(lake, time.time(), sizes=False)
    except LakeError:
        return f"stopped after {in_words(seconds)}; nothing was stored in {lake.root}"
    kept = f"{report.ticks:,} ticks in {lake.root}"
    if report.ticks_unprocessed:
        kept += f", {report.ticks_unprocessed:,} of them still to be analysed at the next start"
    return f"stopped after {in_words(seconds)}: {kept}"
