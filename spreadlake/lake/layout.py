"""Where everything in a lake is: paths are made here of the contract's file names."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
DAY_FILE = "day.parquet"


def hour_of(time_ms: int) -> int:
    """The start, in Unix ms, of the UTC hour that holds `time_ms`."""
    return time_ms - time_ms % HOUR_MS


def day_of(time_ms: int) -> int:
    """The start, in Unix ms, of the UTC day that holds `time_ms`."""
    return time_ms - time_ms % DAY_MS


@dataclass(frozen=True)
class Lake:
    """The folder of a lake; knows names only and opens nothing."""

    root: Path

    @property
    def ticks_db(self) -> Path:
        """Hot ticks; only the collector writes it."""
        return self.root / "ticks.db"

    @property
    def analytics_db(self) -> Path:
        """Bars, pair analytics and alerts; only the analytics job writes it."""
        return self.root / "analytics.db"

    @property
    def notify_db(self) -> Path:
        """What has been told to whom; only the notifier writes it."""
        return self.root / "notify.db"

    @property
    def backtests_db(self) -> Path:
        """Results of back-tests that were kept; only `spreadlake backtest --keep` writes it."""
        return self.root / "backtests.db"

    @property
    def cold_db(self) -> Path:
        """What is in object storage; only the uploader writes it, and few lakes have one."""
        return self.root / "cold.db"

    @property
    def cold_json(self) -> Path:
        """Which bucket has days of this lake; only the uploader writes it, beside `cold.db`."""
        return self.root / "cold.json"

    @property
    def backup_json(self) -> Path:
        """That the folder is a back-up, of what and of when; only `spreadlake backup` writes it."""
        return self.root / "backup.json"

    @property
    def ticks_dir(self) -> Path:
        """Root of the tick partitions."""
        return self.root / "ticks"

    @property
    def klines_dir(self) -> Path:
        """Root of the files of imported klines."""
        return self.root / "klines"

    def kline_partition(self, symbol: str, second: int) -> Path:
        """`klines/timeframe=1m/symbol=S/month=YYYY-MM/month.parquet`, the UTC month of `second`."""
        month = datetime.fromtimestamp(second, UTC)
        folder = self.klines_dir / "timeframe=1m" / f"symbol={symbol}" / f"month={month:%Y-%m}"
        return folder / "month.parquet"

    @property
    def latest_screen(self) -> Path:
        """The newest screen of the job, every pair of it."""
        return self.root / "screens" / "latest.parquet"

    @property
    def added_pairs(self) -> Path:
        """The pairs that were added by hand; only the command `spreadlake pairs` writes it."""
        return self.root / "pairs.json"

    @property
    def added_rules(self) -> Path:
        """The alert rules that were set by hand; only `spreadlake alerts` writes it."""
        return self.root / "rules.json"

    def accepted_config(self, service: str) -> Path:
        """The configuration that a running service last accepted."""
        return self.root / "accepted" / f"{service}.toml"

    @property
    def exporter_address(self) -> Path:
        """Where the running exporter listens, as it said itself: the address of its page."""
        return self.root / "accepted" / "exporter.address"

    def tick_partition(self, symbol: str, hour_ms: int) -> Path:
        """`ticks/symbol=S/date=YYYY-MM-DD/HH.parquet` for the UTC hour that starts at `hour_ms`."""
        hour = datetime.fromtimestamp(hour_ms // 1000, UTC)
        folder = self.ticks_dir / f"symbol={symbol}" / f"date={hour:%Y-%m-%d}"
        return folder / f"{hour:%H}.parquet"

    def tick_day(self, symbol: str, time_ms: int) -> Path:
        """`ticks/symbol=S/date=YYYY-MM-DD/day.parquet` for the UTC day that holds `time_ms`."""
        return self.tick_partition(symbol, hour_of(time_ms)).with_name(DAY_FILE)

    def partition_span(self, path: Path) -> tuple[str, int, int]:
        """What a file of `ticks_dir` may hold: (symbol, first ms, end in ms)."""
        if path.name != DAY_FILE:
            symbol, hour_ms = self.partition_hour(path)
            return symbol, hour_ms, hour_ms + HOUR_MS
        symbol, midnight = self.partition_hour(path.with_stem("00"))
        return symbol, midnight, midnight + DAY_MS

    def partition_hour(self, path: Path) -> tuple[str, int]:
        """The inverse of `tick_partition`: (symbol, start of the hour in ms)."""
        symbol = path.parent.parent.name.removeprefix("symbol=")
        date = path.parent.name.removeprefix("date=")
        hour = datetime.strptime(f"{date} {path.stem}", "%Y-%m-%d %H").replace(tzinfo=UTC)
        return symbol, int(hour.timestamp()) * 1000
