"""When a service was last alive, by a clock that nobody sets.

The wall clock is set back and forward, and a sign of life that it dates into the future would
count for ever. So a service leaves the monotonic time as well, and with it which boot of which
machine that is of: there, and only there, the two can be compared.
"""

import time
from functools import cache
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def beat() -> dict[str, Any]:
    """A sign of life now, to be left in a status; each one differs from the one before."""
    return {"boot": _boot(), "monotonic_ms": time.monotonic_ns() // 1_000_000}


def seconds_since(sign: object) -> float | None:
    """Seconds since a sign of life was left.

    None for what is none, and for one of another machine or of a boot before this one.
    """
    if not isinstance(sign, dict) or not _boot() or sign.get("boot") != _boot():
        return None
    left_ms = sign.get("monotonic_ms")
    if not isinstance(left_ms, int | float):
        return None
    seconds = time.monotonic() - left_ms / 1000
    return seconds if seconds > -1.0 else None


@cache
def _boot() -> str:
    """Empty where it is not known: then nothing can be compared."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
