"""The configuration of a service that stays: what it accepted is kept for as long as it runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spreadlake.config import AcceptedCopy, ConfigWatch, watch_config
from spreadlake.errors import SpreadlakeError
from spreadlake.lake import Lake
from spreadlake.service import RESTARTED, SUPERVISED

_MISTAKE = 2  # exit code of what somebody has to change before it can go on


def is_restarted() -> bool:
    """Whether a supervisor started this process after one before it had died."""
    return bool(os.environ.get(RESTARTED))


@contextmanager
def following(service: str, lake: Lake, path: Path | None) -> Iterator[ConfigWatch]:
    """Yields the watch over the file at `path`, with the settings to start with.

    Where the service then ends in any way but by being told to, or by a mistake that somebody has
    to mend, its next start goes on with what it had accepted, if the file is wrong by then. Under a
    supervisor it does so however it ended: the supervisor says when all is over.
    """
    alone = not os.environ.get(SUPERVISED)
    # A reader by itself makes no lake.
    kept = not alone or service != "exporter" or lake.root.exists()
    copy = AcceptedCopy(lake.accepted_config(service) if kept else None)
    watch = watch_config(path, copy, restarted=is_restarted(), alone=alone)
    try:
        yield watch
    except SpreadlakeError as error:
        if alone and error.exit_code == _MISTAKE:
            watch.forget()
        raise
    if alone:
        watch.forget()
