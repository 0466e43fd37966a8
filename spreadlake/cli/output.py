"""What is written for people is shown as well as the terminal can; data is UTF-8 everywhere."""

import sys
from typing import TextIO

__all__ = ["tolerate_terminals", "write_utf8"]


def tolerate_terminals() -> None:
    """From now on what the terminal's encoding cannot show is replaced, and ends nothing."""
    for stream in (sys.stdout, sys.stderr):
        _reconfigure(stream, errors="replace")


def write_utf8() -> None:
    """From now on standard output is UTF-8, whatever the terminal's encoding is: for data."""
    _reconfigure(sys.stdout, encoding="utf-8", errors="strict")


def _reconfigure(stream: TextIO, **how: str) -> None:
    change = getattr(stream, "reconfigure", None)  # what a test or a host put there may have none
    if change is not None:
        change(**how)
