"""Log lines: time in UTC, service, level, message; one line each, on standard error."""

import logging
import sys
import time
from io import TextIOBase
from typing import TextIO


def configure_logs(
    service: str, level: int = logging.INFO, stream: TextIO | TextIOBase | None = None
) -> None:
    """Sends the log of this process under the name of the service to `stream` (standard error)."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    formatter = logging.Formatter(
        f"%(asctime)sZ {service:<13} %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "websockets", "boto3", "botocore", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # That a run is skipped while the one before goes on is what we asked for, and no warning.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # What a run fails with is raised to whoever runs them all, and is told there: once, and where
    # a user can mend it without a traceback.
    logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)
