"""How long the collector waits for what, where tests have to shrink it."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """All in seconds."""

    backoff_first: float = 0.5
    backoff_cap: float = 30.0
    # Data has to flow this long before the back-off starts again from its first step.
    steady: float = 10.0
    open_timeout: float = 10.0
    # Connections that carry the same symbols are opened so far apart at the start.
    stagger: float = 1.0
    ping_interval: float = 20.0
    close_timeout: float = 1.0
    # A new connection and the one it replaces run side by side this long.
    overlap: float = 5.0
    # Where the new one is silent the old one stays, and this passes before the next attempt.
    renew_again: float = 60.0
    # Trades may arrive this much out of order before a jump counts as a gap.
    disorder: float = 1.0
    # A gap is waited with so long for another connection that is behind, and may still fill it.
    copy_late: float = 10.0
    # A connection that brings nothing for so long, while another one does, is replaced.
    outrun: float = 10.0
    repair_interval: float = 0.25
    # REST is asked again for trades that it did not have after this, then after ever longer.
    ask_again: float = 1.0
    ask_again_cap: float = 60.0
    # REST that for this long has no trade at all of a symbol that trades will not get them.
    nothing_believed: float = 45.0
    # Whether a silence is real is asked this long; after that it counts as real.
    question: float = 5.0
    # History waits this long for live trades to join on to.
    first_live: float = 3.0
    # What of the history could not be had is asked for again after this.
    history_again: float = 60.0
    # What is missing of the funding rates is looked at this often.
    funding_interval: float = 5.0
    # The exchange's list of symbols is asked for again after this, sooner while one that does not
    # trade now is waited for, and where there was no answer.
    listing_again: float = 3600.0
    listing_waiting: float = 30.0
    # A wait that lasts is asked about ever less often, down to this: a list is some megabyte.
    listing_waiting_cap: float = 120.0
    # It is asked for when a symbol falls silent, and the last answer is so old.
    listing_quiet: float = 300.0
    listing_unanswered: float = 60.0
    silence_interval: float = 1.0
    # An edited configuration is taken on within this.
    reload_interval: float = 0.5
    roll_interval: float = 30.0
    status_interval: float = 1.0
    # At the end, storing what is left is tried this long.
    last_flush: float = 5.0
    write_retry_cap: float = 5.0


async def set_within(event: asyncio.Event, seconds: float) -> None:
    """Returns when `event` is set, or after so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
