"""What the tasks of the collector share."""

from dataclasses import dataclass

from collector.network.access import Access
from collector.record.recorder import Recorder
from collector.rest import RestClient
from collector.storage.store import TickStore
from collector.storage.writer import WriterThread
from collector.symbols.roster import Roster
from collector.timing import Timing
from spreadlake.config import ConfigWatch, Settings
from spreadlake.lake import Lake
from spreadlake.venue import Venue


@dataclass(frozen=True)
class Resources:
    """`store` is written in the thread of `writer` only; what it knows may be read anywhere.

    `roster` says what is captured now; `settings` what was asked for at the start, and
    `configuration` what is asked for now.
    """

    settings: Settings
    lake: Lake
    store: TickStore
    writer: WriterThread
    rest: RestClient
    timing: Timing
    roster: Roster
    streams: Access
    recorder: Recorder | None = None
    configuration: ConfigWatch | None = None
    restarted: bool = False

    @property
    def venue(self) -> Venue:
        """The exchange."""
        return self.streams.venue
