"""The commands with a log: what is wrong is told in one line, with the remedy."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from collector.broker.server import Server, check_url, shown
from collector.service import run as run_service
from spreadlake.config import load_settings
from spreadlake.errors import InputError, ServiceError
from spreadlake.lake import Lake
from spreadlake.service import ServiceContext
from tests.collector.broker.servers import STREAM, redis_server
from tests.running import invoke, run

URL = "redis://127.0.0.1:1/0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["collect", "--to", URL, "--data", "lake"], "--to publishes trades and writes no lake"),
        (["collect", "--shard", "1/2"], "--shard 1/2 needs --to"),
        (["collect", "--to", URL, "--shard", "3/2"], "--shard '3/2' is no share of the symbols"),
        (["collect", "--to", "http://host/0"], "--to 'http://host/0' is no address of a Redis"),
        (["store", "--from", "host:6379"], "--from 'host:6379' is no address of a Redis server"),
        (["store", "--from", URL, "--origin", "moon"], "--origin 'moon' is neither"),
        # As a variable that is not set leaves it: a collector of its own is not what was meant.
        (["store", "--from", ""], "--from '' is no address of a Redis server"),
        (["collect", "--to", ""], "--to '' is no address of a Redis server"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = invoke(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "redis://", "redis://h:99999/0", "redis://h/name", "unix://", "", "redis//h",
        "redis://[::1", "redis:6379", "redis:h", "unix:/run/r.sock", "unix://run/redis.sock",
        "redis://h/²", "redis://h/١", "unix:///run/r.sock?db=x", "unix:///run/r.sock?db=",
        "redis://h:0", "redis://h#1", "unix:///run/r#1",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="is no address of a Redis server"):
        check_url(url, "--to")


@pytest.mark.parametrize(
    "url",
    ["redis://h", "redis://h:1/3", "rediss://u:p@h:1", "unix:///run/r.sock", "redis://[::1]/"],
)
def test_addresses_are_taken(url: str) -> None:
    check_url(url, "--to")


def test_a_first_start_without_a_server_asks_for_one(tmp_path: Path) -> None:
    told = run("store", "--from", URL, "--duration", "0.5", cwd=tmp_path).stderr
    assert re.match(r"\S+ store         WARNING redis://127.0.0.1:1/0 cannot be reached \(", told)
    assert "; does a Redis server run there, is it reached from here, and does it speak TLS" in told


def test_how_to_speak_to_a_server() -> None:
    def client(url: str) -> str:
        return Server(url, load_settings(None).redis).client

    assert client("redis://user:secret@host:1/2") == "redis-cli -u redis://user:***@host:1/2"
    assert client("unix:///run/r.sock") == "redis-cli -s /run/r.sock"


def test_a_password_is_not_shown() -> None:
    assert shown("redis://user:secret@host:1/2") == "redis://user:***@host:1/2"
    with pytest.raises(InputError) as refused:
        check_url("http://user:secret@host", "--to")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("sign", ["/", "#", "?", "[", "/a@", "?@/", ":0/"])
def test_a_password_that_is_no_part_of_an_address_is_not_shown(sign: str) -> None:
    with pytest.raises(InputError) as refused:
        check_url(f"redis://:sec{sign}ret@host:1/2", "--to")
    assert not any(part in str(refused.value) for part in ("sec", "ret"))
    assert "%23 for #" in str(refused.value)


def test_without_the_client_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    for name in [n for n in sys.modules if n.startswith(("collector.broker", "collector.capture"))]:
        monkeypatch.delitem(sys.modules, name)
    context = ServiceContext(load_settings(None), Lake(tmp_path), options={"to": URL})
    with pytest.raises(InputError, match=r"pip install 'spreadlake\[redis\]'"):
        run_service(context)


def test_a_key_of_another_program_and_a_log_of_another_market_are_refused(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as server:
        server.client.lpush(STREAM, "x")
        ended = run("store", "--from", server.url, cwd=tmp_path)
        assert ended.returncode == 2
        assert f"the key {STREAM} holds a list and no stream" in ended.stderr
        server.client.delete(STREAM)
        server.client.set("spreadlake:holds", "aggTrade trades of the simulated market")
        server.client.xadd(STREAM, {"n": 1})  # an empty one may be taken for another
        ended = run("store", "--from", server.url, cwd=tmp_path)
        assert ended.returncode == 2
        assert "holds aggTrade trades of the simulated market, and this is for" in ended.stderr


def test_a_server_that_is_too_old_or_closed_to_us_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def looked_at(url: str, version: str | None = None) -> None:
        server = Server(url, load_settings(None).redis)

        async def info(section: str) -> dict[str, str | None]:
            return {"redis_version": version}

        if version is not None:
            monkeypatch.setattr(server.redis, "info", info)
        try:
            await server.look("trades")
        finally:
            await server.close()

    with redis_server(tmp_path / "redis", "--requirepass", "secret") as server:
        with pytest.raises(ServiceError, match="does not let us in"):
            asyncio.run(looked_at(server.url))
        right = server.url.replace("//", "//:secret@")
        asyncio.run(looked_at(right))
        with pytest.raises(ServiceError, match=r"is Redis 4\.0\.9; streams .* need 6\.2"):
            asyncio.run(looked_at(right, "4.0.9"))
