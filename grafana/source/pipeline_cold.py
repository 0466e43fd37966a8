"""The charts of what is in object storage; in a row of its own, closed at first."""

from grafana.source.pipeline_charts import Chart

# What an uploader says stays in the lake after its end, and is not true any more.
_RUNS = 'and on() (spreadlake_service_up{service="uploader"} > 0)'
_NOTHING_WAITS = "0 * spreadlake_cold_files"


def _now(metric: str) -> str:
    return f"spreadlake_cold_{metric} {_RUNS}"


COLD_CHARTS: tuple[Chart, ...] = (
    (
        "Files in object storage", "short", 1,
        "Files of finished days that the bucket has, verified, and those that wait to get there.",
        [(_now("files"), "in the bucket"), (_now("waiting_files"), "wait for it")],
    ),
    (
        "Bytes in object storage", "bytes", 1e6,
        "What these files take: in the bucket, and of those that wait for it on the disk.",
        [(_now("bytes"), "in the bucket"), (_now("waiting_bytes"), "wait for it")],
    ),
    (
        "Oldest day that waits", "s", 3_600,
        "How long the oldest day that is not in the bucket has been over; 0 while nothing waits.",
        [
            (
                f"((time() - spreadlake_cold_oldest_waiting_timestamp_seconds) or {_NOTHING_WAITS})"
                f" {_RUNS}",
                "oldest day",
            )
        ],
    ),
    (
        "Uploads", "short", 1,
        "Files a minute that were uploaded and verified, and that left the disk since the bucket "
        "has them; and requests that the bucket did not do: `spreadlake status` says why.",
        [
            ("increase(spreadlake_cold_uploaded_files_total[1m])", "uploaded a minute"),
            ("increase(spreadlake_cold_left_files_total[1m])", "left the disk a minute"),
            ("increase(spreadlake_cold_failures[1m])", "requests that failed a minute"),
        ],
    ),
)  # fmt: skip
