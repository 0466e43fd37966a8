"""A lake whose alerts a test writes, and the notifier on it as a process of its own."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spreadlake.lake import Lake, atomic, open_analytics_writer, read_counters, read_status
from spreadlake.status import snapshot
from tests.patience import PATIENCE
from tests.running import COMMAND, environment


class AlertLake:
    """Stands in for the analytics job."""

    def __init__(self, root: Path) -> None:
        self.lake = Lake(root)
        self.db = open_analytics_writer(self.lake)

    def open(self, number: int, ago: float = 2.0, pair: str | None = None) -> None:
        """Event `number`, opened so many seconds ago."""
        row = {
            "id": number,
            "rule": "zscore",
            "pair": pair or f"S{number:04}/BUSDT",
            "timeframe": "1s",
            "window_bars": 60,
            "lookback_bars": 300,
            "threshold": 2.0,
            "opened_at": int(time.time() - ago),
            "opened_zscore": 2.0 + number / 1000,
            "peak_zscore": 3.0,
        }
        with atomic(self.db):
            self.db.execute(
                f"INSERT INTO alert_events({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                tuple(row.values()),
            )
            self.db.execute(
                "INSERT OR IGNORE INTO alert_rules VALUES ('zscore', ?, '1s', 60, 300, 2.0, '{}')",
                (row["pair"],),
            )

    def close_event(self, number: int) -> None:
        with atomic(self.db):
            self.db.execute(
                "UPDATE alert_events SET closed_at = ?, closed_zscore = 0.5 WHERE id = ?",
                (int(time.time()), number),
            )

    def status(self) -> dict[str, Any]:
        """What the notifier says of itself; nothing before it has begun."""
        with snapshot(self.lake.notify_db) as db:
            return {} if db is None else dict(read_status(db).get("notifier", ({}, 0))[0])

    def counter(self, name: str) -> float:
        with snapshot(self.lake.notify_db) as db:
            return 0.0 if db is None else read_counters(db).get((name, ""), 0.0)


@contextmanager
def notifying(root: Path, urls: list[str], **settings: object) -> Iterator["subprocess.Popen[str]"]:
    """`spreadlake notify` on the lake, ended with SIGTERM."""
    variables = {"SPREADLAKE_NOTIFY__URLS": json.dumps(urls)} | {
        f"SPREADLAKE_NOTIFY__{key.upper()}": str(value) for key, value in settings.items()
    }
    root.mkdir(exist_ok=True)
    with (root / "notify.log").open("a") as log:
        process = subprocess.Popen(
            [*COMMAND, "notify", "--data", str(root), "--config", os.devnull],
            env=environment(**variables),
            stderr=log,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
