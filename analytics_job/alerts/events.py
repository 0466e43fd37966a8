"""An alert event as a row of `alert_events`. Pure."""

from spreadlake.quant.alerts import AlertEvent, event_id
from spreadlake.series import SeriesKey

EventRow = tuple[object, ...]
INTO_EVENTS = f"INTO alert_events VALUES ({', '.join('?' * 12)})"
"""What follows INSERT, for an `EventRow`."""


def event_row(rule: str, key: SeriesKey, threshold: float, event: AlertEvent) -> EventRow:
    """The row of an event, in the order of the table's columns."""
    return (
        event_id(rule, *key, event.opened_at),
        rule,
        *key,
        threshold,
        event.opened_at,
        event.opened_zscore,
        event.peak_zscore,
        event.closed_at,
        event.closed_zscore,
    )
