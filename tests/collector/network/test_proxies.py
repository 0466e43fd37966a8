"""Proxies: REST and the streams read the same variables alike, and go the same way."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ProxyError

from collector.network.access import read_access
from collector.network.failures import is_fatal
from collector.network.proxies import proxy_for, unreadable_exceptions
from collector.rest import RestClient, RestError, WeightBudget
from collector.stream.connection import Connection
from collector.stream.frame_reader import FrameReader
from simulator import SimulatedExchange
from spreadlake import binance
from spreadlake.config import Settings
from spreadlake.config.sections import ExchangeSettings
from spreadlake.errors import ConfigError, ExchangeError
from spreadlake.lake import Lake
from tests.collector.live import FAST, collecting, counter, market, settings_for, ticks, until
from tests.collector.middlemen import Middleman, hanging_up, http_proxy, login_of, socks_proxy

NAME = "exchange.test"  # no such name exists: only a proxy leads there
PASSWORD = "p%40ss"
STREAM, REST = "wss://fstream.binance.com", "https://fapi.binance.com"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP", "HTTPS", "ALL", "NO", "WS", "WSS", "SOCKS"):
        monkeypatch.delenv(f"{name}_PROXY", raising=False)
        monkeypatch.delenv(f"{name.lower()}_proxy", raising=False)


def shown(url: str, **variables: str) -> str | None:
    found = proxy_for(url, variables)
    return None if found is None else found.shown


@pytest.mark.parametrize("url", [STREAM, REST])
@pytest.mark.parametrize(
    ("value", "leads"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("proxy:3128", "http://proxy:3128"),
        ("user:secret@proxy:3128", "http://proxy:3128"),
        ("http://proxy", "http://proxy:80"),
        ("http://proxy/", "http://proxy:80"),
        (" HTTP://Proxy:3128 ", "http://proxy:3128"),
        ("https://proxy", "https://proxy:443"),
        ("socks5://proxy:9050", "socks5h://proxy:9050"),
        ("socks5h://proxy", "socks5h://proxy:1080"),
        ("socks://proxy", "socks5h://proxy:1080"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("http://10.0.0.1:3128", "http://10.0.0.1:3128"),
    ],
)
def test_every_way_to_write_a_proxy_serves_both(url: str, value: str, leads: str) -> None:
    assert shown(url, https=value) == leads
    assert shown(url, all=value) == leads
    assert shown(url, http=value) is None


def test_the_variable_of_the_scheme_goes_before_that_for_all() -> None:
    variables = {"https": "https-proxy:1", "http": "http-proxy:2", "all": "all-proxy:3"}
    for url in (STREAM, REST):
        assert shown(url, **variables) == "http://https-proxy:1"
        assert shown(url, **{**variables, "https": ""}) == "http://all-proxy:3"
    for url in ("ws://plain.test:9443", "http://plain.test:9443"):
        assert shown(url, **variables) == "http://http-proxy:2"


@pytest.mark.parametrize("case", [str.upper, str.lower])
@pytest.mark.parametrize("variable", ["https_proxy", "all_proxy"])
def test_upper_and_lower_case_are_the_same(
    monkeypatch: pytest.MonkeyPatch, case: Any, variable: str
) -> None:
    monkeypatch.setenv(case(variable), "socks5://proxy:1080")
    for way in read_access(ExchangeSettings(), binance):
        assert way.proxy is not None
        assert way.proxy.shown == "socks5h://proxy:1080"
    monkeypatch.setenv(case("no_proxy"), ".binance.com")
    assert [way.proxy for way in read_access(ExchangeSettings(), binance)] == [None, None]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("socks4://proxy:1080", "a socks4:// proxy cannot be used"),
        ("ftp://proxy:21", "a ftp:// proxy cannot be used"),
        ("http://", "is no address of a proxy"),
        ("http://:3128", "is no address of a proxy"),
        ("http://user:secret@proxy:port", "is no address of a proxy"),
        ("http://user:secret@proxy:99999", "is no address of a proxy"),
        ("http://user:secret@proxy/path", "is no address of a proxy"),
        ("http://user:secret@[::1", "is no address of a proxy"),
        ("http://user:secret@pro..xy", "is no address of a proxy"),
    ],
)
@pytest.mark.parametrize("url", [STREAM, REST])
def test_what_cannot_be_used_is_said_without_its_password(url: str, value: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as refused:
        proxy_for(url, {"https": value})
    assert "HTTPS_PROXY" in str(refused.value)
    assert "socks5://" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", [STREAM, REST])
def test_a_login_that_socks_cannot_carry_is_said(url: str) -> None:
    value = "user:s%C3%BCcret@proxy:1080"
    with pytest.raises(ConfigError, match=r"ALL_PROXY: name and password .* ASCII") as refused:
        proxy_for(url, {"all": f"socks5://{value}"})
    assert "cret" not in str(refused.value)
    found = proxy_for(url, {"all": f"http://{value}"})
    assert found is not None
    assert found.url == f"http://{value}"
    assert "cret" not in repr(found)


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        (REST, "fapi.binance.com", True),
        (REST, "FAPI.Binance.com", True),
        (REST, "binance.com", True),
        (REST, ".binance.com", True),
        (REST, "*.binance.com", True),
        (REST, "other.test, .binance.com", True),
        (REST, "other.test .binance.com", True),
        (REST, "*", True),
        (REST, "fapi.binance.com:443", True),
        (REST, "fapi.binance.com:8443", False),
        (REST, "nance.com", False),
        (REST, "fapi.binance.co", False),
        (REST, "10.0.0.0/8", False),
        (REST, "[::1]", False),
        (REST, "", False),
        (REST, ",, .", False),
        ("https://fapi.binance.com:8443", "binance.com:8443", True),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3", "10.1.2.3", True),
        ("https://10.1.2.3:8443", "10.1.2.3:8443", True),
        ("https://10.1.2.3:8443", "10.1.2.3:443", False),
        ("https://10.1.2.3", "192.168.0.0/16", False),
        ("https://10.1.2.3", "fd00::/8", False),
        ("https://10.1.2.3", "10.0.0.0/99", False),
        ("https://10.1.2.3", "2.3", False),
        ("https://[fd00::7]", "fd00::7", True),
        ("https://[fd00::7]", "[fd00::7]", True),
        ("https://[fd00::7]", "fd00:0:0::7", True),
        ("https://[fd00::7]:8443", "[fd00::7]:8443", True),
        ("https://[fd00::7]:8443", "[fd00::7]:443", False),
        ("https://[fd00::7]", "fd00::/8", True),
        ("https://[fd00::7]", "[fd00::]/8", True),
        ("https://[fd00::7]", "[::1]", False),
        ("https://[::ffff:10.1.2.3]", "10.0.0.0/8", True),
        ("ws://127.0.0.1:9443", "", True),
        ("http://[::1]:9443", "", True),
        ("http://localhost:9443", "", True),
    ],
)
def test_what_no_proxy_excepts(url: str, no_proxy: str, direct: bool) -> None:
    for address in (url, url.replace("https://", "wss://").replace("http://", "ws://")):
        found = proxy_for(address, {"all": "http://proxy:3128", "no": no_proxy})
        assert (found is None) is direct, address


def test_an_exception_that_is_no_network_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert unreadable_exceptions("10.0.0.0/99, fd00::/8, x.test, a/b") == ["10.0.0.0/99", "a/b"]
    read_access(ExchangeSettings(), binance, {"no": "10.0.0.0/99"})
    assert "NO_PROXY: '10.0.0.0/99' is no network" in caplog.text


def named(exchange: SimulatedExchange, host: str = NAME) -> Settings:
    """The exchange by a name that only a proxy can lead to."""
    settings = settings_for(exchange)
    urls = {
        key: getattr(settings.exchange, key).replace("127.0.0.1", host)
        for key in ("ws_url", "rest_url")
    }
    return settings.model_copy(update={"exchange": settings.exchange.model_copy(update=urls)})


async def captured(settings: Settings, lake: Lake, exchange: SimulatedExchange) -> None:
    """Until trades have come by the streams, and REST has been asked whether symbols exist."""
    async with collecting(lake, settings):
        await until(lambda: ticks(lake) > 50 and exchange._budget.used >= 1)
    assert counter(lake, "rest_errors") == 0


@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("kind", ["http", "socks5", "socks5h"])
def test_rest_and_the_streams_go_through_the_proxy(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    login: bool,
) -> None:
    caplog.set_level("INFO")

    async def scenario() -> Middleman:
        proxy = http_proxy(login) if kind == "http" else socks_proxy(login)
        async with SimulatedExchange(market()) as exchange, proxy as man:
            url = f"{kind}://127.0.0.1:{man.port}"
            monkeypatch.setenv("ALL_PROXY", login_of(url) if login else url)
            await captured(named(exchange), Lake(tmp_path), exchange)
            place = f"{NAME}:{exchange.ws_url.rpartition(':')[2]}"
            if kind == "http":
                assert f"GET http://{place}/fapi/v1/exchangeInfo" in man.asked
                assert f"CONNECT {place}" in man.asked
            else:
                assert man.asked.count(f"CONNECT {place}") >= 2
            return man

    man = asyncio.run(scenario())
    assert f"is reached through {kind.replace('socks5h', 'socks5')}" in caplog.text
    assert f"://127.0.0.1:{man.port} (ALL_PROXY)" in caplog.text
    assert PASSWORD not in caplog.text


def test_what_no_proxy_names_goes_direct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a name of this machine that is no loopback address by itself."""
    resolved = asyncio.BaseEventLoop.getaddrinfo

    async def getaddrinfo(loop: Any, host: Any, *args: Any, **options: Any) -> Any:
        here = "127.0.0.1" if host in (NAME, NAME.encode()) else host
        return await resolved(loop, here, *args, **options)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange, socks_proxy() as man:
            monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{man.port}")
            monkeypatch.setenv("NO_PROXY", "[::1],fd00::/8,10.0.0.0/8,.test")
            await captured(named(exchange), Lake(tmp_path), exchange)
            assert man.asked == []

    asyncio.run(scenario())


def test_the_simulated_exchange_needs_no_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange, http_proxy() as man:
            monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{man.port}")
            await captured(settings_for(exchange), Lake(tmp_path), exchange)
            assert man.asked == []

    asyncio.run(scenario())


def test_a_proxy_that_wants_a_login_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange, http_proxy(login=True) as man:
            monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{man.port}")
            async with collecting(Lake(tmp_path), named(exchange)) as task:
                await task

    with pytest.raises(ExchangeError, match=r"HTTP 407: it wants a name and a password") as refused:
        asyncio.run(scenario())
    assert "through the proxy http://127.0.0.1:" in str(refused.value)
    assert "(HTTP_PROXY)" in str(refused.value)


def test_a_proxy_that_hangs_up_is_named_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And its password is in no line of the log."""

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange, hanging_up() as man:
            monkeypatch.setenv("ALL_PROXY", f"http://user:{PASSWORD}@127.0.0.1:{man.port}")
            async with collecting(Lake(tmp_path), named(exchange), FAST):
                await until(lambda: caplog.text.count("no connection for BTCUSDT") >= 2)
                await until(lambda: "symbols could not be checked" in caplog.text)

    asyncio.run(scenario())
    for line in caplog.text.splitlines():
        if "no connection for BTCUSDT" in line or "symbols could not be checked" in line:
            assert "through the proxy" in line
    assert PASSWORD not in caplog.text
    assert "p@ss" not in caplog.text


# httpcore leaves the socket of a SOCKS handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_socks_proxy_that_hangs_up_is_named_by_both() -> None:
    async def scenario() -> list[str]:
        async with hanging_up() as man:
            variables = {"all": f"socks5://user:{PASSWORD}@127.0.0.1:{man.port}"}
            streams, way = read_access(ExchangeSettings(), binance, variables)
            async with RestClient(way, WeightBudget(2400)) as rest:
                with pytest.raises(RestError) as by_rest:
                    await rest.listing()
            reader = FrameReader(binance.frame_decoder("aggTrade"), 10, lambda: None)
            with pytest.raises((OSError, ProxyError)) as by_streams:
                await Connection.open(
                    binance.subscription(STREAM, ["A"], "aggTrade"), streams, reader, FAST
                )
            assert not is_fatal(by_streams.value, binance, worked=False)
            return [str(by_rest.value), streams.explain(by_streams.value)]

    said = asyncio.run(scenario())
    gc.collect()
    for line in said:
        assert "through the proxy socks5h://127.0.0.1:" in line
        assert PASSWORD not in line
