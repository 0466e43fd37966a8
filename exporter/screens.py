"""Metrics of the live screens: how many pairs each tested, and how many are cointegrated."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric

from exporter.families import gauge
from spreadlake.lake.analytics.screens import ScreenKey, ScreenSummary, newest_screens
from spreadlake.status import LakeSnapshot

_LABELS = ("timeframe", "lookback", "window")


def read_screens(look: LakeSnapshot) -> dict[ScreenKey, ScreenSummary]:
    """The newest screen of each kind that the lake keeps."""
    with look.database(look.lake.analytics_db) as db:
        return {} if db is None else newest_screens(db)


def screen_families(screens: Mapping[ScreenKey, ScreenSummary]) -> Iterator[Metric]:
    """What the newest screens found; none where the job does not screen."""
    for name, field, text in (
        ("timestamp_seconds", "time", "Open of the bar that the newest screen is of."),
        ("symbols", "symbols", "Symbols in the newest screen."),
        ("pairs", "pairs", "Pairs tested by the newest screen."),
        ("cointegrated_pairs", "cointegrated", "Pairs that count as cointegrated in it."),
        ("duration_seconds", "seconds", "Time it took."),
    ):
        samples = [(key, getattr(summary, field)) for key, summary in screens.items()]
        yield gauge(f"spreadlake_screen_{name}", text, samples, _LABELS)
