"""Metrics of the funding rates: the latest of each captured symbol."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import Metric

from exporter.families import gauge
from spreadlake.funding import FundingRate
from spreadlake.lake.ticks.funding import latest_funding
from spreadlake.lake.ticks.universe import captured_symbols
from spreadlake.status import LakeSnapshot


def read_funding_rates(look: LakeSnapshot, configured: Sequence[str]) -> list[FundingRate]:
    """The newest rate of each captured symbol; a seek a symbol."""
    with look.database(look.lake.ticks_db) as db:
        if db is None:
            return []
        captured = captured_symbols(db)
        return latest_funding(db, configured if captured is None else captured)


def funding_families(rates: Sequence[FundingRate]) -> Iterator[Metric]:
    """What a long position paid last; absent where nothing is known."""
    yield gauge(
        "spreadlake_funding_rate",
        "Latest funding rate: what a long position paid, as a share of its notional.",
        [((rate.symbol,), rate.rate) for rate in rates],
        ["symbol"],
    )
    yield gauge(
        "spreadlake_funding_timestamp_seconds",
        "When the latest funding rate was paid.",
        [((rate.symbol,), rate.time_ms / 1000) for rate in rates],
        ["symbol"],
    )
