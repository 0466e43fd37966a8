"""The sections of the configuration, one class each; every field says what it means.

The descriptions are shown in `spreadlake.example.toml` and in the reference.
"""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from spreadlake.pairs import Pair, check_symbol, is_coin_margined
from spreadlake.times import timeframe_seconds

_COIN_MARGINED_HOST = re.compile(r"(?:dapi|dstream)[\w-]*\..*binance")


def _check_timeframe(timeframe: str) -> str:
    timeframe_seconds(timeframe)
    return timeframe


def _check_pair(pair: Pair) -> Pair:
    if pair.a == pair.b:
        raise ValueError(f"pair {pair.name} needs two different symbols")
    return pair


def _check_margin(symbol: str) -> str:
    if is_coin_margined(symbol):
        raise ValueError(
            f"symbol {symbol} is a COIN-M contract, whose quantities are contracts and not coins; "
            "name USDⓈ-M contracts, e.g. BTCUSDT"
        )
    return symbol


def _check_usd_margined(url: str) -> str:
    host = urlsplit(url).hostname or ""
    if _COIN_MARGINED_HOST.match(host):
        raise ValueError(
            f"{host} is Binance's COIN-M exchange, whose quantities are contracts and not coins; "
            "the USDⓈ-M one is at wss://fstream.binance.com and https://fapi.binance.com"
        )
    return url


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("ws", "wss", "http", "https") and bool(parts.hostname)
        _ = parts.port  # beyond 65535 it is none
    except ValueError:
        known = False
    if not known:
        raise ValueError("it is not an address such as wss://host or https://host:port")
    return url.rstrip("/")


def _check_page_url(url: str) -> str:
    parts = urlsplit(_check_url(url))
    if parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise ValueError("it is not an address that a browser opens, such as https://host:port")
    return url.rstrip("/")


PageUrl = Annotated[str, AfterValidator(_check_page_url)]
Symbol = Annotated[str, AfterValidator(check_symbol), AfterValidator(_check_margin)]
Timeframe = Annotated[str, AfterValidator(_check_timeframe)]
Url = Annotated[str, AfterValidator(_check_url), AfterValidator(_check_usd_margined)]
PairList = Literal["all"] | list[Annotated[Pair, AfterValidator(_check_pair)]]
PairsToFollow = Literal["all", "screen"] | list[Annotated[Pair, AfterValidator(_check_pair)]]


class Section(BaseModel):
    """A part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ExchangeSettings(Section):
    """Where the trades come from."""

    ws_url: Url = Field(
        "wss://fstream.binance.com",
        description="the collector adds /market/stream?streams=… (aggTrade) or "
        "/public/stream?streams=… (trade)",
    )
    rest_url: Url = Field("https://fapi.binance.com", description="the collector adds /fapi/v1/…")
    trades: Literal["aggTrade", "trade"] = Field(
        "aggTrade",
        description="kind of trade events; a lake holds one kind; only aggTrade is repaired",
    )


class CollectorSettings(Section):
    """How trades are captured."""

    flush_interval: float = Field(0.05, ge=0.01, le=10, description="seconds between commits")
    buffer_trades: int = Field(
        200_000, ge=1_000, description="most trades held in memory; reading pauses when it is full"
    )
    streams_per_connection: int = Field(
        200, ge=1, le=1024, description="streams on one connection; the exchange allows 1024"
    )
    connections_per_symbol: int = Field(
        2,
        ge=1,
        le=4,
        description="connections that carry each stream at once, opened and replaced at different "
        "times; what comes twice is stored once, and what one misses the other has",
    )
    connection_hours: float = Field(
        23.0,
        gt=0,
        lt=24,
        description="age at which a connection is replaced; it lives 24 h at most",
    )
    silence_seconds: float = Field(
        30.0,
        gt=0,
        description="least seconds without any trade after which the exchange is asked whether it "
        "has one; a connection that missed it is replaced",
    )
    request_weight: int = Field(
        1200,
        ge=20,
        le=2400,
        description="REST weight a minute to use, with what other programs at this address use; "
        "the exchange allows 2400",
    )
    warm_start_minutes: int = Field(
        15, ge=0, le=1440, description="minutes of trades fetched first into an empty lake; 0: none"
    )
    funding: bool = Field(
        True, description="funding rates of the captured symbols, from their first trade on"
    )
    repair_hours: float = Field(
        48.0,
        ge=0,
        le=168,
        description="gaps older than this are recorded as lost instead of repaired; "
        "the exchange's REST reaches back about 48",
    )


class RedisSettings(Section):
    """The log between captures and a store: `spreadlake collect --to`, `spreadlake store --from`.

    Its address is an option of these commands. Read at their start.
    """

    prefix: str = Field(
        "spreadlake",
        min_length=1,
        max_length=100,
        pattern=r"^[\w.:{}-]+$",
        description="what the names of its keys begin with; each lake has a log of its own",
    )
    max_mib: float = Field(
        256.0,
        gt=0,
        description="MiB that the log may take while no store reads it; beyond that captures let "
        "go of the oldest trades, which the store then fetches like any others that are missing",
    )
    lease_seconds: float = Field(
        10.0,
        ge=1,
        le=600,
        description="seconds after which another store takes over from one that says nothing",
    )


class JobSettings(Section):
    """When the analytics job computes."""

    interval: float = Field(0.25, ge=0.05, le=60, description="seconds between steps")
    lateness: float = Field(
        0.25, ge=0, le=60, description="seconds of exchange time a bar waits for late trades"
    )
    break_minutes: float = Field(
        15.0,
        ge=0.1,
        le=1440,
        description="minutes without a trade of any symbol that are a break: no bar is carried "
        "over it, and windows begin anew after it",
    )
    tests_interval: float = Field(
        60.0, ge=1, description="seconds between runs of the slow statistics (pair_tests)"
    )


class KalmanSettings(Section):
    """Noise of the Kalman-filter hedge ratio."""

    delta: float = Field(
        1e-4, gt=0, lt=1, description="how fast the hedge ratio may move: delta / (1 - delta)"
    )
    observation_variance: float = Field(
        1e-3, gt=0, description="variance of the observation noise, relative to the prices' own"
    )


class ExporterSettings(Section):
    """Where the metrics are served."""

    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(9464, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    command: str | None = Field(
        None,
        min_length=1,
        examples=["docker compose exec analytics-job spreadlake"],
        description="how spreadlake is called where its commands are run, for lines that the page "
        "offers to paste; unset: as it was called when it was started",
    )
    url: PageUrl | None = Field(
        None,
        examples=["https://charts.example.org"],
        description="where a browser finds the page, for links to it, and the one name beside "
        "localhost that it may be asked by where it listens on its own machine alone; unset: host "
        "and port",
    )
    dashboards: Annotated[str, AfterValidator(_check_url)] | None = Field(
        None,
        examples=["http://127.0.0.1:3000"],
        description="where a browser finds Grafana, for links from the page; unset: one that was "
        "started beside it, if any",
    )

    @property
    def browser_url(self) -> str | None:
        """Where a browser finds the page, without a slash at its end; None where nobody knows."""
        if self.url is not None or self.port == 0:
            return self.url
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{host}:{self.port}"


class NotifySettings(Section):
    """Who is told of alerts without Grafana, by `spreadlake notify`; read at its start."""

    urls: list[str] = Field(
        [],
        examples=[["slack://TOKEN_A/TOKEN_B/TOKEN_C", "mailto://user:password@example.org"]],
        description="addresses as apprise writes them (Slack, e-mail, Telegram, webhooks, …); "
        "empty: nobody is told",
    )
    closings: bool = Field(True, description="whether the end of an alert is told too")
    group_seconds: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="seconds for which more alerts are waited for, to tell as one",
    )
    interval: float = Field(
        120.0, ge=0, description="least seconds between two messages to one address"
    )
    max_age_minutes: float = Field(
        60.0,
        gt=0,
        le=52_560_000,
        description="alerts that are older than this when they are found are not told",
    )
