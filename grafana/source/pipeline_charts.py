"""The charts of the dashboard of the pipeline: title, queries, meaning; all from Prometheus."""

from grafana.source.style import ALARM, GOOD, LEG_A, LEG_B, NEUTRAL, QUIET, WARN

RATE = "[$__rate_interval]"
LAST_TRADE = "spreadlake_last_trade_timestamp_seconds"
MOST = 20  # symbols in one chart: of hundreds nobody could read it


def of_most(series: str, weight: str) -> str:
    """The same symbols at every point: `topk` alone takes others at each, and so any number."""
    return f"({series}) and topk({MOST}, {weight})"


OLDEST = of_most(f"time() - {LAST_TRADE}", f"-({LAST_TRADE} @ end())")
"""Ages of the symbols whose newest trade is the oldest at the end of the time shown."""


def _mean(total: str, count: str) -> str:
    return f"rate({total}{RATE}) / rate({count}{RATE})"


def _quantiles(histogram: str) -> list[tuple[str, str]]:
    """The median and the 99th percentile of all trades since the last point."""
    rates = f"sum by (le) (rate({histogram}_bucket{RATE}))"
    return [(f"histogram_quantile({q}, {rates})", name) for q, name in _QUANTILES]


_QUANTILES = ((0.5, "median"), (0.99, "99 % within"))

Chart = tuple[str, str, float, str, list[tuple[str, str]]]
"""Title, unit, height of an empty axis, description, queries (expression, legend)."""

CHARTS: tuple[Chart, ...] = (
    (
        "Trades stored a second", "short", 1,
        f"By symbol, at most the {MOST} busiest of the time shown.",
        [
            (
                of_most(
                    f"sum by (symbol) (rate(spreadlake_ticks_total{RATE}))",
                    "sum by (symbol) (rate(spreadlake_ticks_total[$__range] @ end()))",
                ),
                "{{symbol}}",
            )
        ],
    ),
    (
        "Age of the newest trade", "s", 1,
        "Now less the exchange time of each symbol's newest stored trade: the way from the "
        "exchange to the disk, and the time between two trades. At most the "
        f"{MOST} oldest at the end of the time shown.",
        [(OLDEST, "{{symbol}}")],
    ),
    (
        "Gaps and repairs", "short", 1, "Ranges of missing trade ids, and what became of them.",
        [
            ("sum(increase(spreadlake_tick_gaps_total[1m]))", "gaps found a minute"),
            ("sum(increase(spreadlake_ticks_repaired_total[1m]))", "trades repaired a minute"),
            ("sum(spreadlake_tick_gaps_open)", "gaps open"),
            ("sum(spreadlake_tick_gaps_lost)", "gaps lost"),
        ],
    ),
    (
        "Connections", "short", 1, "What the network and the exchange did, counted per minute.",
        [
            ("spreadlake_connections", "connections open"),
            ("increase(spreadlake_reconnects_total[1m])", "reconnects"),
            ("increase(spreadlake_frames_malformed_total[1m])", "malformed frames"),
            ("increase(spreadlake_rest_errors_total[1m])", "REST errors"),
            ("sum(increase(spreadlake_ticks_duplicate_total[1m]))", "duplicates"),
        ],
    ),
    (
        "Time of a commit and of a step", "s", 0.01,
        "Mean time of the collector's transactions and of the analytics job's steps.",
        [
            (_mean("spreadlake_commit_seconds_total", "spreadlake_commits_total"), "commit"),
            (_mean("spreadlake_job_seconds_total", "spreadlake_job_steps_total"), "step"),
        ],
    ),
    (
        "Waiting", "short", 1,
        "Trades in the collector's memory, and stored but not yet analysed; slow statistics due.",
        [
            ("spreadlake_buffer_ticks", "in memory"),
            ("spreadlake_job_backlog_ticks", "not yet analysed"),
            ("increase(spreadlake_ticks_dropped_total[1m])", "dropped a minute"),
            ("spreadlake_pair_tests_due", "slow statistics due"),
        ],
    ),
    (
        "Databases", "bytes", 1e6, "SQLite files and their write-ahead logs.",
        [
            ("spreadlake_database_bytes", "{{database}}.db"),
            ("spreadlake_database_wal_bytes", "{{database}}.db-wal"),
        ],
    ),
    (
        "Rolled to Parquet", "short", 1,
        "Partitions (an hour of one symbol) that moved to Parquet in the last hour.",
        [("increase(spreadlake_rolled_partitions_total[1h])", "partitions")],
    ),
    (
        "Notifications", "short", 1,
        "Openings and ends of alerts that the notifier tells; all 0 where there is none.",
        [
            ("spreadlake_notifications_waiting", "wait to be told"),
            ("increase(spreadlake_notifications_total[1m])", "told a minute"),
            ("increase(spreadlake_notification_failures_total[1m])", "refused a minute"),
        ],
    ),
    (
        "From the exchange to receipt", "s", 0.1,
        "From the exchange's event time of a live trade to when it came, by the "
        "local clock: the network, and how far the two clocks are apart.",
        _quantiles("spreadlake_trade_receive_latency_seconds"),
    ),
    (
        "From the exchange to the commit", "s", 0.1,
        "From the exchange's event time of a live trade to when everybody can read it. What it is "
        "longer than the way to receipt is the collector's own.",
        _quantiles("spreadlake_trade_commit_latency_seconds"),
    ),
    (
        "First by connection", "short", 1,
        "Trades a second that each connection brought before any other; and the gaps that there "
        "would have been with it alone.",
        [
            (f"rate(spreadlake_trades_first_total{RATE})", "first by {{connection}}"),
            (
                "increase(spreadlake_single_connection_gaps_total[1m])",
                "gaps of {{connection}} alone a minute",
            ),
        ],
    ),
)  # fmt: skip
COLOURS = {
    "BTCUSDT": LEG_A,
    "ETHUSDT": LEG_B,
    "SOLUSDT": GOOD,
    "analytics.db": LEG_A,
    "ticks.db": LEG_B,
    "analytics.db-wal": GOOD,
    "ticks.db-wal": QUIET,
    "partitions": LEG_A,
    "duplicates": QUIET,
    "gaps found a minute": WARN,
    "trades repaired a minute": GOOD,
    "gaps open": ALARM,
    "gaps lost": QUIET,
    "connections open": NEUTRAL,
    "reconnects": WARN,
    "malformed frames": ALARM,
    "REST errors": LEG_A,
    "commit": LEG_A,
    "step": LEG_B,
    "in memory": LEG_A,
    "not yet analysed": LEG_B,
    "dropped a minute": ALARM,
    "slow statistics due": QUIET,
    "wait to be told": LEG_B,
    "told a minute": GOOD,
    "refused a minute": ALARM,
    "median": LEG_A,
    "99 % within": WARN,
    "first by 1": LEG_A,
    "first by 2": LEG_B,
    "gaps of 1 alone a minute": ALARM,
    "gaps of 2 alone a minute": QUIET,
    "not read yet": LEG_B,
    "read, not committed": LEG_A,
    "oldest entry": LEG_A,
    "the log": LEG_A,
    "its bound": ALARM,
    "captures that publish": GOOD,
    "symbols that none carries": ALARM,
    "from the log a minute": ALARM,
    "by captures a minute": WARN,
    "the log can be read": LEG_A,
}
