"""Every alert, once: Prometheus' rules, Grafana's rules and the runbook are made from this."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True)
class Alert:
    """One alert: it fires where `expr` gives a value above 0 for as long as `lasting`.

    `summary` is a fixed short sentence. `description` names the object and the value; it is a
    template as Prometheus has them, with `$labels` and `$value`.
    """

    name: str
    severity: Severity
    expr: str
    lasting: str
    summary: str
    description: str


_UP = 'up{job="spreadlake"}'
_LAST_TRADE = "max(spreadlake_last_trade_timestamp_seconds)"
# Seconds since the newest trade; where there never was one, since the collector that runs began.
_WITHOUT_TRADE = (
    f"time() - {_LAST_TRADE} > 60"
    ' or time() - max(spreadlake_service_start_timestamp_seconds{service="collector"}) > 60'
    ' and on() spreadlake_service_up{service="collector"} > 0'
    " unless on() spreadlake_last_trade_timestamp_seconds"
)

# What a store says of its log is true while it says it; after its end it stays in the lake.
_STORE_RUNS = 'and on() spreadlake_service_up{service="collector"} > 0'

# |z| beyond the threshold comes from the events that the analytics job finds bar by bar, not from
# samples of z: the gauge is 1 while an event is open, and the counter tells of one that opened and
# closed between two scrapes. It fires for three minutes at least, longer than Grafana waits until
# it tells a group again (policies.yaml): so what ends was told before, and what is said is true
# for these minutes. The counter also tells of what opened long ago: of a pair or a rule that is
# new, of hours that were imported. Of these the exporter says the threshold and no z-score, and
# nobody is woken for them.
_OPENED = "increase(spreadlake_pair_alerts_total[3m])"
_LONG_AGO = (
    "last_over_time(spreadlake_pair_alert_threshold[3m])"
    " unless last_over_time(spreadlake_pair_alert_zscore[3m])"
)
PAIR_ALERT = Alert(
    name="PairBeyondThreshold",
    severity="info",
    expr=(
        "max_over_time(spreadlake_pair_alert_active[3m])"
        f" + ({_OPENED} unless ({_LONG_AGO}) or {_OPENED} * 0) > 0"
    ),
    lasting="0s",
    summary="z-score beyond its threshold within the last minutes.",
    description=(
        "{{ $labels.pair }} was beyond the threshold of rule {{ $labels.rule }} within the last"
        " three minutes ({{ $labels.timeframe }} bars, window {{ $labels.window }},"
        " lookback {{ $labels.lookback }})."
    ),
)

ALERTS = (
    Alert(
        name="MetricsMissing",
        severity="critical",
        expr=f"1 - {_UP} > 0 or absent({_UP})",
        lasting="30s",
        summary="The exporter cannot be scraped.",
        description="The exporter has not answered for 30 s: all else is unknown.",
    ),
    Alert(
        name="ServiceDown",
        severity="critical",
        expr="1 - spreadlake_service_up > 0",
        lasting="30s",
        summary="A service shows no sign of life.",
        description="{{ $labels.service }} stopped, hangs, or was never started on this lake.",
    ),
    Alert(
        name="FeedSilent",
        severity="critical",
        expr=_WITHOUT_TRADE,
        lasting="30s",
        summary="No trade of any symbol arrives.",
        description="There has been no trade of any symbol for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        name="SymbolSilent",
        severity="warning",
        # Once it trades again it has as long as any other.
        expr=(
            "time() - spreadlake_last_trade_timestamp_seconds > 900"
            " unless min_over_time(spreadlake_symbol_trading[15m]) < 1"
            f" and on() time() - {_LAST_TRADE} < 60"
        ),
        lasting="1m",
        summary="One symbol that trades is silent, while others are not.",
        description=(
            "The newest trade of {{ $labels.symbol }} is {{ $value | humanizeDuration }} old."
        ),
    ),
    Alert(
        name="AnalyticsLate",
        severity="critical",
        expr=f"{_LAST_TRADE} - max(spreadlake_watermark_timestamp_seconds) > 10",
        lasting="20s",
        summary="Analytics are behind the trades.",
        description="The analytics job is {{ $value | humanizeDuration }} behind the newest trade.",
    ),
    Alert(
        name="SlowStatisticsLate",
        severity="warning",
        expr="spreadlake_pair_tests_behind_seconds > 600",
        lasting="10m",
        summary="The slow statistics do not keep up.",
        description=(
            "Slow statistics of {{ $value | humanizeDuration }} ago are yet to be computed."
        ),
    ),
    Alert(
        name="NotificationsFail",
        severity="warning",
        expr=(
            "spreadlake_notifications_waiting > 0"
            " and increase(spreadlake_notification_failures_total[10m]) > 0"
        ),
        lasting="10m",
        summary="Alerts cannot be told.",
        description=(
            "{{ $value }} openings and ends of alerts wait to be told:"
            " a receiver does not take them."
        ),
    ),
    Alert(
        name="UploadStuck",
        severity="warning",
        expr=(
            "spreadlake_cold_waiting_files > 0"
            " unless increase(spreadlake_cold_uploaded_files_total[30m]) > 0"
        ),
        lasting="30m",
        summary="Nothing gets to object storage.",
        description=(
            "{{ $value }} finished files wait to be uploaded, and none was for half an hour."
        ),
    ),
    Alert(
        name="GapNotRepaired",
        severity="warning",
        expr="spreadlake_tick_gaps_open > 0",
        lasting="10m",
        summary="A gap in the trades is not repaired.",
        description="{{ $labels.symbol }} has {{ $value }} gaps that wait for repair.",
    ),
    Alert(
        name="GapLost",
        severity="warning",
        expr="delta(spreadlake_tick_gaps_lost[15m]) > 0",
        lasting="0s",
        summary="Trades are missing for good.",
        description="A gap of {{ $labels.symbol }} could not be repaired: its trades are lost.",
    ),
    Alert(
        name="TradesDropped",
        severity="warning",
        expr="increase(spreadlake_ticks_dropped_total[5m]) > 0",
        lasting="0s",
        summary="Trades had to be let go.",
        description=(
            "{{ $value | humanize }} trades were dropped in 5 min: memory or disk was full."
        ),
    ),
    Alert(
        name="DiskLow",
        severity="warning",
        expr=(
            "1 - spreadlake_disk_free_bytes / spreadlake_disk_size_bytes > 0.9"
            " and spreadlake_disk_free_bytes < 20e9"
        ),
        lasting="5m",
        summary="The lake's disk is nearly full.",
        description="The lake's disk is {{ $value | humanizePercentage }} full.",
    ),
    Alert(
        name="LogGrows",
        severity="warning",
        expr="spreadlake_database_wal_bytes > 1e9",
        lasting="10m",
        summary="A write-ahead log grows.",
        description=(
            "The log of {{ $labels.database }}.db has {{ $value | humanize1024 }}B:"
            " a reader holds it."
        ),
    ),
    # The log between captures and a store: without samples where there is none.
    Alert(
        name="StoreMissing",
        severity="critical",
        expr=(
            'spreadlake_log_max_bytes unless on() spreadlake_service_up{service="collector"} > 0'
        ),
        lasting="30s",
        summary="No store writes the lake out of the log.",
        description=(
            "No store holds the lease: what captures publish waits in the log,"
            " which takes {{ $value | humanize1024 }}B."
        ),
    ),
    Alert(
        name="LogUnreachable",
        severity="critical",
        expr=f"1 - spreadlake_log_reachable > 0 {_STORE_RUNS}",
        lasting="30s",
        summary="The store cannot read the log.",
        description="Redis has not let the store read the log for 30 s: no trade is stored.",
    ),
    Alert(
        name="LogLate",
        severity="warning",
        expr=f"spreadlake_log_oldest_age_seconds > 30 {_STORE_RUNS}",
        lasting="30s",
        summary="Trades wait long in the log.",
        description="The oldest trades in the log are {{ $value | humanizeDuration }} old.",
    ),
    Alert(
        name="LogNearlyFull",
        severity="warning",
        expr=f"spreadlake_log_bytes / spreadlake_log_max_bytes > 0.8 {_STORE_RUNS}",
        lasting="1m",
        summary="The log is near its bound.",
        description=(
            "The log takes {{ $value | humanizePercentage }} of redis.max_mib:"
            " at all of it the oldest trades are let go."
        ),
    ),
    Alert(
        name="SymbolsUncarried",
        severity="critical",
        expr=f"spreadlake_log_uncarried_symbols > 0 {_STORE_RUNS}",
        lasting="30s",
        summary="Symbols are carried by no capture.",
        description="No capture carries {{ $value }} of the symbols: their trades do not come.",
    ),
    Alert(
        name="CapturesFewer",
        severity="warning",
        # The median, so that one that is started anew, and for a moment is there twice, is no more.
        expr=(
            "quantile_over_time(0.5, spreadlake_log_captures[1h]) - spreadlake_log_captures > 0"
            f" {_STORE_RUNS}"
        ),
        lasting="2m",
        summary="Fewer captures publish than before.",
        description=(
            "{{ $value }} captures fewer publish than did most of the last hour:"
            " the others have no one to stand in for them."
        ),
    ),
)
