"""Which hours are finished. Pure."""

from spreadlake.lake import HOUR_MS, hour_of


def finished_before(watermark_ms: int, after_hours: int) -> int:
    """Hours that end at or before this time (ms) are finished.

    The clock is the watermark, the greatest trade time stored, not the local one.
    """
    return hour_of(watermark_ms - after_hours * HOUR_MS)


def next_roll_ms(watermark_ms: int, after_hours: int) -> int:
    """The trade time (ms) at which the hour that is next in line rolls."""
    return finished_before(watermark_ms, after_hours) + (1 + after_hours) * HOUR_MS
