"""How the exchange is reached: proxies and certificates, read once, for REST and streams alike."""

import logging
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from collector.network.failures import explain
from collector.network.proxies import Proxy, proxy_for, unreadable_exceptions
from collector.network.trust import Trust, read_trust
from spreadlake.config.sections import ExchangeSettings
from spreadlake.venue import Venue

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Access:
    """The way to one address of `venue`, which `setting` names.

    `trust` is None where there is no TLS.
    """

    url: str
    setting: str
    venue: Venue
    proxy: Proxy | None = None
    trust: Trust | None = None

    @property
    def stream_options(self) -> dict[str, Any]:
        """The way as `websockets.connect` takes it."""
        options: dict[str, Any] = {"proxy": self.proxy.url if self.proxy else None}
        if self.trust and _is_secure(self.url):
            options["ssl"] = self.trust.context
        if self.trust and self.proxy and _is_secure(self.proxy.url):
            options["proxy_ssl"] = self.trust.context
        return options

    @property
    def rest_options(self) -> dict[str, Any]:
        """The way as `httpx.AsyncClient` takes it, which is to look at no variable itself."""
        context = self.trust.context if self.trust else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        options: dict[str, Any] = {"trust_env": False, "verify": context}
        if self.proxy:
            secure = context if _is_secure(self.proxy.url) else None
            options["proxy"] = httpx.Proxy(self.proxy.url, ssl_context=secure)
        return options

    def explain(self, error: BaseException) -> str:
        """One line for people: what happened on this way, and what to do about it."""
        said = explain(error, self.venue, self.setting, self.trust.words if self.trust else "none")
        if self.proxy is None:
            return said
        return f"{said}, through the proxy {self.proxy.shown} ({self.proxy.variable})"


def read_access(
    exchange: ExchangeSettings, venue: Venue, variables: Mapping[str, str] | None = None
) -> tuple[Access, Access]:
    """The ways to the streams and to REST; ConfigError for a variable that cannot be used.

    `variables` are the proxies, by default those of the environment (or of the system, where it
    keeps them).
    """
    variables = urllib.request.getproxies() if variables is None else variables
    for entry in unreadable_exceptions(variables.get("no", "")):
        log.warning("NO_PROXY: %r is no network, and excepts nothing", entry)
    ways = [
        (exchange.ws_url, "exchange.ws_url", proxy_for(exchange.ws_url, variables)),
        (exchange.rest_url, "exchange.rest_url", proxy_for(exchange.rest_url, variables)),
    ]
    addresses = [url for url, _, proxy in ways] + [proxy.url for *_, proxy in ways if proxy]
    trust = read_trust() if any(map(_is_secure, addresses)) else None
    streams, rest = (Access(url, setting, venue, proxy, trust) for url, setting, proxy in ways)
    for way in (streams, rest):
        if way.proxy:
            log.info("%s is reached through %s (%s)", way.url, way.proxy.shown, way.proxy.variable)
    return streams, rest


def _is_secure(url: str) -> bool:
    return url.startswith(("wss://", "https://"))
