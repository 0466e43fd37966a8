"""Services that stay alive while a test looks, however long the looking takes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spreadlake.lake import Lake, open_analytics_writer, open_ticks_writer, set_status
from tests.fixture_lake import writing

_EVERY_SECONDS = 1.0


@contextmanager
def living(root: Path) -> Iterator[None]:
    """Within it both writers of the lake leave signs of life, as services do."""
    stop = threading.Event()

    def live() -> None:
        while not stop.is_set():
            for opened in (open_ticks_writer, open_analytics_writer):
                with writing(opened(Lake(root))) as db:
                    set_status(db, time.time_ns() // 1_000_000, {"sign": time.monotonic_ns()})
            stop.wait(_EVERY_SECONDS)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
