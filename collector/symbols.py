"""Asks the exchange at the start, or as soon as it answers, whether it knows the symbols."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from collector.rate import Bounded
from collector.rest import RestClient, RestError, SymbolInfo
from spreadlake.errors import ExchangeError

__all__ = ["check_listing", "check_symbols"]

log = logging.getLogger(__name__)
# An exchange that does not answer is asked again after so many seconds, and told once an hour.
_AGAIN = 60.0
_TOLD = 3600.0


async def check_symbols(
    rest: RestClient, symbols: Sequence[str], is_captured: Callable[[str], bool]
) -> None:
    """ExchangeError for a symbol that does not trade, as soon as the exchange has answered.

    A symbol that `is_captured`, which the lake holds trades of, once was right: it is only told.
    """
    listing = await _listing(rest)
    for symbol, problem in check_listing(symbols, listing).items():
        if not is_captured(symbol):
            raise ExchangeError(problem)
        log.warning("%s", problem)


async def _listing(rest: RestClient) -> list[SymbolInfo]:
    warn = Bounded(log.warning, _TOLD)
    while True:
        try:
            return await rest.exchange_info()
        except RestError as error:
            warn("symbols could not be checked, going on without until they can be: %s", error)
        await asyncio.sleep(_AGAIN)


def check_listing(symbols: Sequence[str], listing: Sequence[SymbolInfo]) -> dict[str, str]:
    """What is wrong with each of `symbols` that does not trade, by symbol."""
    statuses = {info.symbol: info.status for info in listing}
    problems = {}
    for symbol in symbols:
        status = statuses.get(symbol)
        if status is None:
            near = get_close_matches(symbol, statuses, 3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            problems[symbol] = f"symbols: the exchange does not know {symbol!r}{hint}"
        elif status != "TRADING":
            problems[symbol] = (
                f"symbols: {symbol!r} does not trade now (status {status}); remove it from symbols"
            )
    return problems
