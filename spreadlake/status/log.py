"""What a store says of the log between captures and itself, in words. Pure."""

from collections.abc import Mapping
from typing import Any

from spreadlake.words import count, duration, size

_BEHIND_SECONDS = 2.0


def log_in_words(log: Mapping[str, Any]) -> str:
    """Who publishes, how far behind the store is, and how full the log is."""
    if log.get("trouble"):
        return f"the log cannot be read: {log['trouble']}"
    captures = len(log.get("captures", {}))
    said = f"{count(captures, 'capture')} publish" + ("es" if captures == 1 else "")
    if not captures:
        said = "no capture publishes"
    elif lacking := log.get("uncarried_names"):
        said += f", and none carries {lacking}"
    waiting, oldest = log.get("lag", 0) + log.get("pending", 0), log.get("oldest_seconds", 0.0)
    if waiting and oldest > _BEHIND_SECONDS:
        entries = count(waiting, "entry", "entries")
        said += f"; {entries} of the log wait, the oldest for {duration(oldest)}"
    said += f"; the log takes {size(log.get('bytes', 0))} of {size(log.get('max_bytes', 0))}"
    if dropped := log.get("dropped"):
        said += f", and {count(dropped, 'trade')} were let go"
    return said
