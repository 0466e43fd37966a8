"""The Redis server behind a URL: what it has to be able to, its keys, its errors in words."""

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qs, parse_qsl, urlsplit

from redis import exceptions
from redis.asyncio import Redis

from collector.broker import scripts
from spreadlake.config.sections import RedisSettings
from spreadlake.errors import InputError, ServiceError

log = logging.getLogger(__name__)
T = TypeVar("T")

_SCHEMES = ("redis", "rediss", "unix")
# XTRIM by id.
_OLDEST = (6, 2)
# XTRIM that looks at acknowledgements itself.
_TRIMS_ACKED = (8, 2)
_SECONDS = 5.0
_LAST_SECONDS = 0.5  # and at the end, where nothing depends on the answer
# After its last sign a capture counts as there for so long.
LIVES_MS = 15_000
# Answers that pass: what is asked again later may succeed as it is. Of some the client makes a
# class and takes the word away; errors of scripts have it further behind.
_PASSING = re.compile(
    r"\b(OOM|LOADING|READONLY|MISCONF|BUSY|TRYAGAIN|MASTERDOWN|CLUSTERDOWN|NOREPLICAS)\b"
)
_CLOSED = (
    exceptions.AuthenticationError,
    exceptions.AuthorizationError,
    exceptions.NoPermissionError,
)
_AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,  # a master that has become a replica
    exceptions.MasterDownError,
    exceptions.TryAgainError,
)

# What may stand behind the `?` of an address: what else the client takes there would change how it
# answers.
_TLS_OPTIONS = {
    "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs",
    "ssl_check_hostname",
}  # fmt: skip
# As redis-cli takes it: what stands in a command's options everybody on the machine can read.
PASSWORD = "REDISCLI_AUTH"  # noqa: S105 its name

_NAME = re.compile(r"[\w.-]*")
_BEHIND = re.compile(r"([?#]).*", re.DOTALL)
# What stands where a port would: a password, where the host was forgotten.
_NO_PORT = re.compile(r"^([^:/\[]*):(?!\d{1,5}(?:/|[?#]|$))[^/]*")


def shown(url: str) -> str:
    """The URL without its password, and without what may be one.

    By its text alone: what is no address, for a slash in a password, is shown as well.
    """
    scheme, there, rest = url.partition("://")
    if not there:
        scheme, rest = "", url
    who, at, place = rest.rpartition("@")
    user, colon, _ = who.partition(":")
    user = user if _NAME.fullmatch(user) else "***"
    place = _BEHIND.sub(r"\1***", place)
    if not at:
        place = _NO_PORT.sub(r"\1:***", place)
    return f"{scheme}{there}{user}{':***' if colon else ''}{at}{place}"


def check_url(url: str, option: str) -> None:
    """InputError for what is no address of a Redis server."""
    parts = _parts(url)
    if parts is None:
        signs = "; in a password signs are written as %2F for / and %23 for #" if "@" in url else ""
        raise InputError(
            f"{option} {shown(url)!r} is no address of a Redis server, such as "
            f"redis://127.0.0.1:6379/0, rediss://user:password@host:6380 or unix:///run/redis.sock"
            f"{signs}"
        )
    given = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    allowed = {"unix": {"db"}, "rediss": _TLS_OPTIONS}.get(parts.scheme, set())
    if wrong := sorted(given - allowed):
        may = f"may be {', '.join(sorted(allowed))}" if allowed else "nothing may be"
        raise InputError(
            f"{option} {shown(url)!r}: {', '.join(wrong)} cannot stand behind the “?”; there {may}"
        )


def _parts(url: str) -> SplitResult | None:
    """The parts of an address of a Redis server; None for any other text."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # beyond 65535 it is none
    except ValueError:
        return None
    place = parts.path.strip("/")
    if parts.scheme == "unix":
        right = bool(place) and not parts.hostname
        databases = parse_qs(parts.query, keep_blank_values=True).get("db", ["0"])
    else:
        right = bool(parts.hostname or place) and parts.port != 0
        databases = [place or "0"]
    # What the client does not understand of these it takes for the first database.
    numbers = all(one.isascii() and one.isdigit() for one in databases)
    whole = parts.scheme in _SCHEMES and "//" in url and not parts.fragment
    return parts if right and numbers and whole else None


def is_of_another_type(error: Exception) -> bool:
    """Whether a key holds what it does not hold for us: another program's."""
    return "WRONGTYPE" in str(error) or "wrong kind of value" in str(error)


def in_words(error: Exception) -> str:
    """What kept the server from answering; where nobody answers, also what to look at."""
    said = (str(error) or type(error).__name__).rstrip(".")
    # Of their subclasses each is an answer.
    if type(error) in (exceptions.ConnectionError, exceptions.TimeoutError):
        return (
            f"{said}; does a Redis server run there, is it reached from here, "
            "and does it speak TLS as rediss:// says and redis:// does not?"
        )
    return said


class Names:
    """The keys of one log."""

    GROUP = "store"

    def __init__(self, prefix: str) -> None:
        self.all = f"{prefix}:*"
        self.stream = f"{prefix}:trades"
        self.lease = f"{prefix}:lease"
        self.tokens = f"{prefix}:lease:tokens"
        self.dropped = f"{prefix}:dropped"
        self.symbols = f"{prefix}:symbols"
        self.captures = f"{prefix}:captures"
        self.claim = f"{prefix}:holds"
        self.living = f"{prefix}:captures:publish"
        self.lake = f"{prefix}:lake"
        self.refused = f"{prefix}:refused"


class Server:
    """One server, and the log in it; nothing is sent before it is asked for."""

    def __init__(self, url: str, settings: RedisSettings) -> None:
        self.url = shown(url)
        self.names = Names(settings.prefix)
        self.version: tuple[int, ...] = ()
        self.claim: str | None = None  # what the log holds, once it was looked at
        self._asked: set[asyncio.Future[Any]] = set()
        self.redis: Redis = Redis.from_url(
            url,
            password=os.environ.get(PASSWORD),  # where the address has none
            protocol=2,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=None,
            retry_on_error=[],
        )

    async def ask(self, question: Awaitable[T]) -> T:
        """The answer. Whoever waits for it may be cancelled, and is so at once.

        The client itself loses a cancellation that comes while it waits for the server, and whoever
        ends its tasks would wait for ever.
        """
        asked = asyncio.ensure_future(question)
        self._asked.add(asked)
        asked.add_done_callback(self._answered)
        return await asyncio.shield(asked)

    async def settle(self) -> None:
        """Waits for answers that nobody waits for any more."""
        if self._asked:
            await asyncio.wait(self._asked)

    def _answered(self, asked: "asyncio.Future[Any]") -> None:
        self._asked.discard(asked)
        if not asked.cancelled():
            asked.exception()  # of one that nobody waits for it is no news

    async def look(self, claim: str, *, publishes: bool = False) -> None:
        """Whether it can hold the log, for trades that `claim` tells of; asked at every connection.

        A log of other trades is taken over where it is empty, and nobody uses it.
        ServiceError or InputError for what does not pass; RedisError for what may.
        """
        try:
            info = await self.ask(self.redis.info("server"))
            self.version = _numbers(str(info.get("redis_version", "0")))
            if self.version < _OLDEST:
                raise ServiceError(
                    f"{self.url} is Redis {info['redis_version']}; streams that are trimmed by id "
                    "need 6.2 or later"
                )
            if (mode := info.get("redis_mode", "standalone")) != "standalone":
                raise ServiceError(
                    f"{self.url} is of a Redis {mode}; a log is one stream on one server that "
                    "stands alone, with replicas or without: give its own address"
                )
            kind = _text(await self.ask(self.redis.type(self.names.stream)))
            if kind not in ("none", "stream"):
                raise InputError(
                    f"{self.url}: the key {self.names.stream} holds a {kind} and no "
                    "stream; another program uses it: name others with redis.prefix"
                )
            await self._claim(claim, LIVES_MS if publishes else 0)
        except exceptions.RedisError as error:
            if (reason := self.refusal(error)) is not None:
                raise ServiceError(reason) from error
            raise

    async def _claim(self, claim: str, lives_ms: int) -> None:
        self.claim, names = claim, self.names
        keys = [names.claim, names.stream, names.lease, names.living, names.symbols]
        held = await self.run(scripts.CLAIM, keys, claim, names.GROUP, lives_ms)
        if held is not None and _text(held) != claim:
            raise InputError(
                f"the log in {self.url} holds {_text(held)}, and this is for {claim}: their ids "
                "count apart. Name another log with redis.prefix, or another server or database; "
                "or end the captures and stores that use this one: it is free once it was read to "
                "its end; or, where nobody wants what is in it, forget it: "
                f"{self.client} DEL {names.stream} {names.claim}"
            )

    def refusal(self, error: Exception) -> str | None:
        """Why a server refuses for good what was asked, and what to do; None: it may pass."""
        if isinstance(error, _CLOSED):
            return (
                f"{self.url} does not let us in ({error}); check user and password in the URL "
                f"(or {PASSWORD}), and what they may do with keys {self.names.all}"
            )
        if isinstance(error, _AWAY) or not isinstance(error, exceptions.ResponseError):
            return None
        if _PASSING.search(str(error)):
            return None
        if "unknown command" in str(error).lower():
            return f"{self.url} has no streams ({error}); it has to be Redis 6.2 or later"
        if is_of_another_type(error):
            return (
                f"{self.url}: one of the keys {self.names.all} is not of the type that it has here "
                f"({error}); another program uses it: name others with redis.prefix"
            )
        return f"{self.url} refuses: {error}"

    async def run_id(self) -> str:
        """What the server calls this run of itself: another one may have forgotten entries."""
        return str((await self.ask(self.redis.info("server"))).get("run_id", ""))

    @property
    def client(self) -> str:
        """How a person speaks to this server; a password is theirs to put in."""
        parts = urlsplit(self.url)
        place = f"-s {parts.path}" if parts.scheme == "unix" else f"-u {self.url}"
        return f"redis-cli {place}"

    @property
    def trims_acked(self) -> bool:
        """Whether it can trim only what was acknowledged by itself."""
        return self.version >= _TRIMS_ACKED

    async def run(self, script: str, keys: Sequence[str], *arguments: object) -> Any:
        """The answer of one of the scripts."""
        text = scripts.for_server(script, self.version or _OLDEST)
        # Their text is short: sent whole, they also are there after the server was restarted.
        return await self.ask(self.redis.eval(text, len(keys), *keys, *map(str, arguments)))

    async def close(self) -> None:
        """Closes the connections; who says nothing in a moment, over TLS also to that, is left."""
        if self._asked:
            await asyncio.wait(self._asked, timeout=_LAST_SECONDS)
        with suppress(exceptions.RedisError, TimeoutError):
            await asyncio.wait_for(self.redis.connection_pool.disconnect(), _LAST_SECONDS)
        await self.settle()
        with suppress(exceptions.RedisError, TimeoutError):
            await asyncio.wait_for(self.redis.aclose(), _LAST_SECONDS)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
