"""Certificates: REST and the streams trust the same ones, and say what is wrong with another."""

import asyncio
import shutil
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collector.network.access import read_access
from collector.network.failures import is_fatal
from collector.rest import RestClient, RestError, WeightBudget
from collector.stream.connection import Connection
from collector.stream.frame_reader import FrameReader
from simulator import SimulatedExchange
from spreadlake import binance
from spreadlake.config import Settings
from spreadlake.config.sections import ExchangeSettings
from spreadlake.errors import ConfigError
from spreadlake.lake import Lake
from tests.collector.live import FAST, collecting, counter, market, settings_for, ticks, until
from tests.collector.middlemen import http_proxy, socks_proxy, tls_front

trustme = pytest.importorskip("trustme")
HOST = "exchange.test"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def company() -> Any:
    """An authority that no store knows."""
    return trustme.CA()


def served(company: Any, *names: str, **validity: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    company.issue_cert(*names, **validity).configure_cert(context)
    return context


def bundle(company: Any, folder: Path) -> Path:
    file = folder / "company.pem"
    company.cert_pem.write_to_path(str(file))
    return file


def secure(exchange: SimulatedExchange, port: int, host: str = "127.0.0.1") -> Settings:
    settings = settings_for(exchange)
    urls = {"ws_url": f"wss://{host}:{port}", "rest_url": f"https://{host}:{port}"}
    return settings.model_copy(update={"exchange": settings.exchange.model_copy(update=urls)})


async def captured(settings: Settings, lake: Lake, exchange: SimulatedExchange) -> None:
    """Until trades have come by the streams, and REST has been asked whether symbols exist."""
    async with collecting(lake, settings):
        await until(lambda: ticks(lake) > 50 and exchange._budget.used >= 1)
    assert counter(lake, "rest_errors") == 0


def know_by(monkeypatch: pytest.MonkeyPatch, where: str, file: Path) -> None:
    """Makes the authority known to one store only."""
    if where == "certifi":
        monkeypatch.setattr("certifi.where", lambda: str(file))
    elif where == "system":
        paths = ssl.get_default_verify_paths()._replace(openssl_cafile=str(file))
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    else:
        monkeypatch.setenv(where, str(file))


@pytest.mark.parametrize("where", ["system", "certifi", "SSL_CERT_FILE"])
def test_one_store_that_knows_the_authority_is_enough_for_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, company: Any, where: str
) -> None:
    know_by(monkeypatch, where, bundle(company, tmp_path))

    async def scenario() -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            tls_front(int(exchange.ws_url.rpartition(":")[2]), served(company, "127.0.0.1")) as tls,
        ):
            await captured(secure(exchange, tls.port), Lake(tmp_path / "lake"), exchange)

    asyncio.run(scenario())


def test_other_stores_stay_known_beside_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, company: Any
) -> None:
    """The company's proxy signs one of two addresses, a public authority the other."""
    public = trustme.CA()
    know_by(monkeypatch, "certifi", bundle(public, tmp_path))
    (tmp_path / "own").mkdir()
    know_by(monkeypatch, "SSL_CERT_FILE", bundle(company, tmp_path / "own"))

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            port = int(exchange.ws_url.rpartition(":")[2])
            async with (
                tls_front(port, served(public, "127.0.0.1")) as one,
                tls_front(port, served(company, "127.0.0.1")) as other,
            ):
                settings = secure(exchange, one.port)
                urls = {"rest_url": f"https://127.0.0.1:{other.port}"}
                exchange_settings = settings.exchange.model_copy(update=urls)
                settings = settings.model_copy(update={"exchange": exchange_settings})
                await captured(settings, Lake(tmp_path / "lake"), exchange)

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
def test_tls_goes_through_proxies_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, company: Any, kind: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle(company, tmp_path)))

    async def scenario() -> None:
        between = served(company, "127.0.0.1") if kind == "https" else None
        proxy = socks_proxy() if kind == "socks5" else http_proxy(tls=between)
        async with (
            SimulatedExchange(market()) as exchange,
            tls_front(int(exchange.ws_url.rpartition(":")[2]), served(company, HOST)) as tls,
            proxy as man,
        ):
            monkeypatch.setenv("https_proxy", f"{kind}://127.0.0.1:{man.port}")
            await captured(secure(exchange, tls.port, HOST), Lake(tmp_path / "lake"), exchange)
            assert man.asked.count(f"CONNECT {HOST}:{tls.port}") >= 2

    asyncio.run(scenario())


def past(days: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"not_before": now - timedelta(days=days + 9), "not_after": now - timedelta(days=days)}


@pytest.mark.parametrize(
    ("names", "validity", "known", "remedy"),
    [
        ([HOST], {}, True, "something else answers there: check exchange.{key}_url"),
        (["127.0.0.1"], past(1), True, "if this machine's date is right"),
        (["127.0.0.1"], past(-30), True, "if this machine's date is right"),
        (["127.0.0.1"], {}, False, "a file that the variable SSL_CERT_FILE names"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_said_by_both(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    company: Any,
    names: list[str],
    validity: dict[str, Any],
    known: bool,
    remedy: str,
) -> None:
    file = bundle(company if known else trustme.CA(), tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))

    async def scenario() -> tuple[str, str]:
        async with (
            SimulatedExchange(market()) as exchange,
            tls_front(
                int(exchange.ws_url.rpartition(":")[2]), served(company, *names, **validity)
            ) as tls,
        ):
            settings = secure(exchange, tls.port)
            streams, access = read_access(settings.exchange, binance)
            async with RestClient(access, WeightBudget(2400)) as rest:
                with pytest.raises(RestError) as by_rest:
                    await rest.listing()
            subscription = binance.subscription(streams.url, settings.symbols, "aggTrade")
            reader = FrameReader(binance.frame_decoder("aggTrade"), 10, lambda: None)
            with pytest.raises(ssl.SSLCertVerificationError) as by_streams:
                await Connection.open(subscription, streams, reader, FAST)
            assert is_fatal(by_streams.value, binance, worked=False)
            return str(by_rest.value), streams.explain(by_streams.value)

    by_rest, by_streams = asyncio.run(scenario())
    for key, said in (("rest", by_rest), ("ws", by_streams)):
        assert "its certificate is not accepted: " in said
        assert remedy.format(key=key) in said
        assert known or f"SSL_CERT_FILE = {file}" in said


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_refused_certificate_behind_a_proxy_is_one_line_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, company: Any, kind: str
) -> None:
    async def scenario() -> list[object]:
        beside: list[object] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, error: beside.append(error.get("exception"))
        )
        async with (
            SimulatedExchange(market()) as exchange,
            tls_front(int(exchange.ws_url.rpartition(":")[2]), served(company, HOST)) as tls,
            socks_proxy() if kind == "socks5" else http_proxy() as man,
        ):
            monkeypatch.setenv("https_proxy", f"{kind}://127.0.0.1:{man.port}")
            settings = secure(exchange, tls.port, HOST)
            streams, _ = read_access(settings.exchange, binance)
            subscription = binance.subscription(streams.url, settings.symbols, "aggTrade")
            with pytest.raises(ssl.SSLCertVerificationError):
                await Connection.open(
                    subscription,
                    streams,
                    FrameReader(binance.frame_decoder("aggTrade"), 10, lambda: None),
                    FAST,
                )
        return beside

    beside = asyncio.run(scenario())
    assert [e for e in beside if not isinstance(e, asyncio.CancelledError)] == []


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        ("SSL_CERT_FILE", "missing.pem", "No such file or directory"),
        ("SSL_CERT_FILE", "empty.pem", "there is no certificate in it"),
        ("SSL_CERT_FILE", ".", "Is a directory|there is no certificate|cannot be used"),
        ("SSL_CERT_DIR", "missing", "is not a folder"),
        ("SSL_CERT_DIR", "empty.pem", "is not a folder"),
    ],
)
def test_a_variable_that_cannot_be_used_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, what: str
) -> None:
    (tmp_path / "empty.pem").write_text("no certificate\n")
    monkeypatch.setenv(variable, str(tmp_path / value))
    with pytest.raises(ConfigError, match=what) as refused:
        read_access(ExchangeSettings(), binance)
    assert f"{variable} = {tmp_path / value}" in str(refused.value)
    # What is not asked for has nothing to be trusted with.
    plain = {"ws_url": "ws://127.0.0.1:1", "rest_url": "http://127.0.0.1:1"}
    assert [way.trust for way in read_access(ExchangeSettings(**plain), binance)] == [None, None]


def test_a_folder_of_certificates_is_honoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, company: Any
) -> None:
    file = bundle(company, tmp_path)
    name = subject_hash(file)
    if name is None:
        pytest.skip("needs the command openssl, which names a certificate by its subject")
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / f"{name}.0").write_bytes(file.read_bytes())
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "certs"))

    async def scenario() -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            tls_front(int(exchange.ws_url.rpartition(":")[2]), served(company, "127.0.0.1")) as tls,
        ):
            await captured(secure(exchange, tls.port), Lake(tmp_path / "lake"), exchange)

    asyncio.run(scenario())


def subject_hash(file: Path) -> str | None:
    """The name under which OpenSSL looks for a certificate in a folder."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    command = [openssl, "x509", "-noout", "-subject_hash", "-in", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
