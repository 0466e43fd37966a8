"""The collector in a process of its own, so that it can be killed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from spreadlake.lake import Lake
from tests.collector.live import FAST

_COLLECTOR = """
import json, sys
from pathlib import Path
from collector.service import run
from collector.timing import Timing
from spreadlake.config import load_settings
from spreadlake.lake import Lake
from spreadlake.service import ServiceContext
lake, settings, timing = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
options = {"timing": Timing(**timing), **json.loads(sys.argv[4])}
run(ServiceContext(load_settings(None, **settings), Lake(lake), options=options))
"""


@contextmanager
def started(
    lake: Lake, overrides: dict[str, Any], **options: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A running collector; killed at the end of the block, where it has not ended before."""
    arguments = [str(lake.root), json.dumps(overrides), json.dumps(asdict(FAST))]
    command = [sys.executable, "-c", _COLLECTOR, *arguments, json.dumps(options)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()
