"""The charts of the log between captures and a store; in a row of its own, closed at first."""

from grafana.source.pipeline_charts import Chart

# What a store says of its log stays in the lake after its end, and is not true any more.
_RUNS = 'and on() (spreadlake_service_up{service="collector"} > 0)'


def _now(metric: str) -> str:
    return f"spreadlake_{metric} {_RUNS}"


LOG_CHARTS: tuple[Chart, ...] = (
    (
        "Entries that wait", "short", 1,
        "Entries of the log, each a batch of trades: those that the store has not read yet, and "
        "those that it has read and not committed; they leave the log once they are.",
        [
            (_now("log_lag_entries"), "not read yet"),
            (_now("log_pending_entries"), "read, not committed"),
        ],
    ),
    (
        "Age of the oldest entry", "s", 1,
        "How long the oldest trades wait in the log: how far the store is behind the captures.",
        [(_now("log_oldest_age_seconds"), "oldest entry")],
    ),
    (
        "Memory of the log", "bytes", 1e6,
        "What it takes in Redis, and redis.max_mib, at which captures let the oldest go.",
        [(_now("log_bytes"), "the log"), (_now("log_max_bytes"), "its bound")],
    ),
    (
        "Captures", "short", 1,
        "How many publish, and how many symbols none of them carries; 1 while the store can read "
        "the log, and 0 while it cannot: then nothing is known of the captures.",
        [
            (_now("log_captures"), "captures that publish"),
            (_now("log_uncarried_symbols"), "symbols that none carries"),
            (_now("log_reachable"), "the log can be read"),
        ],
    ),
    (
        "Waiting in captures", "short", 1,
        "Trades in the memory of each capture: they wait for the log.",
        [(_now("capture_waiting_ticks"), "{{capture}}")],
    ),
    (
        "Let go", "short", 1,
        "Trades let go because the log was at its bound, or a capture's memory full while the log "
        "took none. The store fetches them: see gaps and repairs.",
        [
            ("increase(spreadlake_log_dropped_trades_total[1m])", "from the log a minute"),
            (
                "sum(increase(spreadlake_capture_dropped_trades_total[1m]))",
                "by captures a minute",
            ),
        ],
    ),
)  # fmt: skip
