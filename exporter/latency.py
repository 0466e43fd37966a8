"""Metrics of latency: from the exchange's event to our receipt, and to the commit."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric

from exporter.families import counter, histogram
from spreadlake.latency import COMMIT, RECEIVE, cumulative, negative


def latency_families(counters: Mapping[tuple[str, str], float]) -> Iterator[Metric]:
    """Histograms of all live trades, whichever process counted them."""
    for name, metric, text in (
        (
            RECEIVE,
            "spreadlake_trade_receive_latency_seconds",
            "From the exchange's event time of a live trade to its receipt, by the local clock.",
        ),
        (
            COMMIT,
            "spreadlake_trade_commit_latency_seconds",
            "From the exchange's event time of a live trade to its commit, by the local clock.",
        ),
    ):
        yield histogram(metric, text, *cumulative(name, counters))
    yield counter(
        "spreadlake_trades_before_event",
        "Live trades received before their event time: the local clock is behind the exchange's.",
        [((), negative(RECEIVE, counters))],
    )
