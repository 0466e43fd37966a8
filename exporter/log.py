"""Metrics of the log between captures and a store; without samples where there is none."""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import Metric

from exporter.families import Sample, counter, gauge, gauges

_GAUGES = (
    ("entries", "spreadlake_log_entries", "Entries (batches of trades) in the log."),
    ("lag", "spreadlake_log_lag_entries", "Entries of the log that the store has not read yet."),
    (
        "pending",
        "spreadlake_log_pending_entries",
        "Entries that the store has read and not acknowledged: they are not committed yet.",
    ),
    ("oldest_seconds", "spreadlake_log_oldest_age_seconds", "Age of the oldest entry of the log."),
    ("bytes", "spreadlake_log_bytes", "Memory that the log takes in Redis."),
    (
        "uncarried",
        "spreadlake_log_uncarried_symbols",
        "Symbols that the store captures and no capture carries.",
    ),
    (
        "reachable",
        "spreadlake_log_reachable",
        "1 while the store can read the log, 0 while it cannot: then nothing else is known of it.",
    ),
    ("max_bytes", "spreadlake_log_max_bytes", "Memory that the log may take (redis.max_mib)."),
)


def log_families(status: Mapping[str, Any]) -> Iterator[Metric]:
    """What the store said last of its log; `status` is that of the collector."""
    log = status.get("log")
    told: Mapping[str, Any] = log if isinstance(log, dict) else {}
    yield from gauges(told, _GAUGES)
    captures: Mapping[str, Any] = told.get("captures", {})
    number = float(len(captures)) if "captures" in told else None
    yield gauge("spreadlake_log_captures", "Captures that publish.", [((), number)])
    yield counter(
        "spreadlake_log_dropped_trades",
        "Trades that were let go from the log because it was full.",
        [((), told.get("dropped"))],
    )
    for key, name, text in (
        ("waiting", "spreadlake_capture_waiting_ticks", "Trades that a capture has in memory."),
        ("symbols", "spreadlake_capture_symbols", "Symbols that a capture carries."),
    ):
        samples: list[Sample] = [((one,), of.get(key)) for one, of in sorted(captures.items())]
        yield gauge(name, text, samples, ["capture"])
    yield counter(
        "spreadlake_capture_dropped_trades",
        "Trades that a capture let go because its memory was full while the log took none.",
        [((one,), of.get("dropped")) for one, of in sorted(captures.items())],
        ["capture"],
    )
