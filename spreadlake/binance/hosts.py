"""Which exchange an address leads to, as far as its host tells. Pure.

Source: Binance open platform, USDⓈ-M futures, "General info": the base addresses of the exchange
and of its testnet. An exchange has many hosts; their trades and ids are the same.
"""

from urllib.parse import urlsplit

from spreadlake.errors import InputError

BINANCE = "binance-usdm"
_TESTNET = "binance-usdm-testnet"

VENUE_WORDS = {
    BINANCE: "Binance's USDⓈ-M futures",
    _TESTNET: "Binance's testnet",
}


def venue_of(*urls: str) -> str | None:
    """The exchange behind addresses that belong together; None where no host names one.

    A relay or a proxy of one's own, and the simulated exchange, tell nothing: what comes by them is
    taken into any lake. InputError where one address is of another exchange than the others.
    """
    known = {url: venue for url in urls if (venue := _of_host(urlsplit(url).hostname or ""))}
    if len(set(known.values())) > 1:
        named = " and ".join(f"{url} ({VENUE_WORDS[venue]})" for url, venue in known.items())
        raise InputError(
            f"exchange.ws_url and exchange.rest_url are of two exchanges: {named}; their trade ids "
            "count apart, set both to one of them"
        )
    return next(iter(known.values()), None)


def _of_host(host: str) -> str | None:
    host = host.lower().rstrip(".")
    if host == "binancefuture.com" or host.endswith(".binancefuture.com"):
        return _TESTNET
    if not host.endswith(".binance.com"):
        return None
    return _TESTNET if host.startswith(("demo-", "testnet")) else BINANCE
