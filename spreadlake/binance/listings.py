"""The statuses of Binance's contracts, and the list of them. Pure.

Source: Binance open platform, USDⓈ-M futures, "Public endpoints info", contract status.
"""

import msgspec
from msgspec import Struct

from spreadlake.venue import Listed, Standing

TRADING = "TRADING"
NEVER_TRADED = "PENDING_TRADING"
# Any other status passes, or is one that the exchange has yet to invent.
OVER = ("DELIVERING", "DELIVERED", "SETTLING", "CLOSE")
STATUSES = (TRADING, NEVER_TRADED, "TRADING_HALT", "PRE_DELIVERING", "PRE_SETTLE", *OVER)


class _Contract(Struct, gc=False):
    symbol: str
    status: str


class _ExchangeInfo(Struct, gc=False):
    symbols: list[_Contract]


_info = msgspec.json.Decoder(_ExchangeInfo)


def decode_listing(body: bytes) -> list[Listed]:
    """The contracts of an `exchangeInfo` answer."""
    return [listed(contract.symbol, contract.status) for contract in _info.decode(body).symbols]


def listed(symbol: str, status: str) -> Listed:
    """A contract by its status."""
    if status == TRADING:
        return Listed(symbol, status, Standing.TRADES)
    return Listed(symbol, status, Standing.OVER if status in OVER else Standing.WAITS)
