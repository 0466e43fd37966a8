"""What the tasks of the collector share."""

from dataclasses import dataclass

from collector.recorder import Recorder
from collector.rest import RestClient
from collector.store import TickStore
from collector.timing import Timing
from collector.writer import WriterThread
from spreadlake.config import Settings
from spreadlake.lake import Lake

__all__ = ["Parts"]


@dataclass(frozen=True)
class Parts:
    """`store` is written in the thread of `writer` only; what it knows may be read anywhere."""

    settings: Settings
    lake: Lake
    store: TickStore
    writer: WriterThread
    rest: RestClient
    timing: Timing
    recorder: Recorder | None = None
