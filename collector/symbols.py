"""Asks the exchange at the start whether it knows the symbols."""

import logging
from collections.abc import Collection, Sequence
from difflib import get_close_matches

from collector.rest import RestClient, RestError, SymbolInfo
from spreadlake.errors import ExchangeError

__all__ = ["check_listing", "check_symbols"]

log = logging.getLogger(__name__)


async def check_symbols(
    rest: RestClient, symbols: Sequence[str], captured: Collection[str]
) -> None:
    """ExchangeError for a symbol that does not trade; an exchange that does not answer is told.

    A symbol in `captured`, which the lake holds trades of, once was right: it is only told.
    """
    try:
        listing = await rest.exchange_info()
    except RestError as error:
        log.warning("symbols could not be checked, going on without: %s", error)
        return
    for symbol, problem in check_listing(symbols, listing).items():
        if symbol not in captured:
            raise ExchangeError(problem)
        log.warning("%s", problem)


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
