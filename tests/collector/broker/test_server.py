"""The server behind an address: who is let in, over what, and which servers hold no log."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
import trustme

from collector.broker.server import Server, check_url, shown
from simulator import SimulatedExchange
from spreadlake.config import load_settings
from spreadlake.errors import InputError, ServiceError
from spreadlake.lake import Lake
from tests.collector.broker import test_log
from tests.collector.broker.servers import RedisServer, capturing, redis_server, storing
from tests.collector.broker.test_log import CLEAN, all_stored
from tests.collector.live import differences, market, settings_for, until
from tests.paths import ROOT


def looked_at(url: str) -> None:
    async def look() -> None:
        server = Server(url, load_settings(None).redis)
        try:
            await server.look("trades")
        finally:
            await server.close()

    asyncio.run(look())


def through(tmp_path: Path, server: RedisServer, url: str) -> None:
    """A capture and a store by the address `url`: every trade once."""
    lake = Lake(tmp_path / "lake")

    async def scenario() -> Counter[str]:
        async with SimulatedExchange(market()) as exchange:
            settings, way = settings_for(exchange), {"from": url}
            async with storing(server, lake, settings, **way), capturing(server, settings, to=url):
                await all_stored(lake, exchange)
            return Counter(differences(lake, exchange))

    found = asyncio.run(scenario())
    assert found.pop("right") > 50
    assert found == CLEAN


def documented_user() -> list[str]:
    """The arguments of the ACL that docs/several-machines.md shows."""
    text = (ROOT / "docs" / "several-machines.md").read_text("utf-8")
    (said,) = re.findall(r"redis-cli (ACL SETUSER .*?)\n```", text, re.DOTALL)
    return [word.strip("'") for word in said.replace("\\\n", " ").split()]


def test_the_documented_user_may_do_all_that_is_needed_and_no_more(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as server:
        server.client.execute_command(*documented_user())
        url = server.url.replace("//", "//spreadlake:password@")
        through(tmp_path, server, url)
        user: Any = redis.Redis.from_url(url, protocol=2)
        for forbidden in (("GET", "other"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                user.execute_command(*forbidden)
        user.close()
        server.client.execute_command("ACL", "SETUSER", "spreadlake", "-type")
        with pytest.raises(ServiceError, match=r"does not let us in .* with keys spreadlake:\*"):
            looked_at(url)


def test_a_password_may_come_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_server(tmp_path / "redis", "--requirepass", "secret") as server:
        with pytest.raises(ServiceError, match=r"does not let us in .*REDISCLI_AUTH"):
            looked_at(server.url)
        monkeypatch.setenv("REDISCLI_AUTH", "secret")
        looked_at(server.url)
        with pytest.raises(ServiceError, match="does not let us in"):
            looked_at(server.url.replace("//", "//:of the address@"))


@contextmanager
def over_tls(tmp_path: Path) -> Iterator[tuple[RedisServer, str]]:
    """A server that also speaks TLS, and its address for that; its authority is `ca.pem`."""
    company = trustme.CA()
    company.cert_pem.write_to_path(tmp_path / "ca.pem")
    company.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "server.pem"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pem = str(tmp_path / "server.pem")
    options = ["--tls-port", str(port), "--tls-cert-file", pem, "--tls-key-file", pem]
    with redis_server(tmp_path / "redis", *options, "--tls-auth-clients", "no") as server:
        yield server, f"rediss://localhost:{port}/0"


def test_over_tls(tmp_path: Path) -> None:
    with over_tls(tmp_path) as (server, url):
        through(tmp_path, server, f"{url}?ssl_ca_certs={tmp_path / 'ca.pem'}")
        with pytest.raises(redis.exceptions.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            looked_at(url)


def test_who_says_nothing_any_more_is_left_all_the_same(tmp_path: Path) -> None:
    """Over TLS both sides say that they end, and one of them does not."""

    async def scenario(redis_server: RedisServer, url: str) -> None:
        server = Server(url, load_settings(None).redis)
        await server.run_id()
        with redis_server.frozen():
            for asks in (False, True):
                waits = asyncio.create_task(server.run_id()) if asks else None
                await asyncio.sleep(0)
                await server.close()
                if waits is not None:
                    await asyncio.wait([waits])
                    assert isinstance(waits.exception(), redis.RedisError)

    with over_tls(tmp_path) as (server, url):
        asyncio.run(scenario(server, f"{url}?ssl_ca_certs={tmp_path / 'ca.pem'}"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://h/0?protocol=3", "protocol cannot stand behind .* there nothing may be"),
        ("redis://h?decode_responses=yes&x=", "decode_responses, x cannot"),
        ("rediss://h?password=secret", "password cannot stand .* there may be ssl_ca_certs, "),
        ("redis://h?ssl_ca_certs=a", "ssl_ca_certs cannot"),
        ("unix:///run/r.sock?password=secret", "password cannot stand .* there may be db"),
    ],
)
def test_what_would_change_how_the_client_answers_is_refused(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        check_url(url, "--to")
    assert "secret" not in str(refused.value)


def test_nothing_that_may_be_secret_is_shown() -> None:
    check_url("unix:///run/r.sock?db=2", "--to")
    check_url("rediss://h:1/0?ssl_ca_certs=/a.pem&ssl_check_hostname=false", "--to")
    assert shown("rediss://u:p%40@h:1/0?ssl_keyfile=/a") == "rediss://u:***@h:1/0?***"
    assert shown("redis://u@h") == "redis://u@h"
    for plain in ("redis://h:6379/0", "rediss://[::1]:6380", "unix:///run/r.sock", "redis://h"):
        assert shown(plain) == plain


@pytest.mark.parametrize(
    "url",
    ["redis://u:pa@ss/wo@h/0", "redis://:pa#ss@h", "redis://:pa?ss@h/0", "redis://:pa/ss@h",
     "redis://pa/ss@h", "u:pass@h:1", "redis:u:pass@h", "redis://:pass/0", "redis://:pass",
     "redis://u:p:a@s?s@h"],
)  # fmt: skip
def test_a_password_of_what_is_no_address_is_not_shown(url: str) -> None:
    with pytest.raises(InputError) as refused:
        check_url(url, "--to")
    assert not {"pa", "ss", "pass", "wo"} & set(re.findall(r"\w+", str(refused.value)[:40]))


def test_a_cluster_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(ServiceError, match="is of a Redis cluster; a log is one stream on one")
    with redis_server(tmp_path / "redis", "--cluster-enabled", "yes") as server, refused:
        looked_at(server.url)


def test_a_master_that_is_a_replica_for_a_while_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a failover: what it answers then passes, and ends nobody."""

    async def replica(server: RedisServer, *_: object) -> None:
        server.client.execute_command("REPLICAOF", "127.0.0.1", "1")
        told = "read only replica", "cannot be published"
        await until(lambda: all(word in caplog.text for word in told))
        server.client.execute_command("REPLICAOF", "NO", "ONE")

    test_log.through(tmp_path, replica)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_is_full_under_the_append_only_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis refuses every write until there is room, scripts and reads of a group among them."""
    lake, disk = Lake(tmp_path / "lake"), tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    small = [mount or "mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if mount is None or subprocess.run(small, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")

    async def scenario(server: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market(rate=150)) as exchange:
            settings = settings_for(exchange)
            async with storing(server, lake, settings), capturing(server, settings):
                await all_stored(lake, exchange)
                filler = disk / "filler"
                with suppress(OSError), filler.open("wb", buffering=0) as file:
                    while file.write(b"x" * 4096):
                        pass
                await until(lambda: "No space left" in caplog.text)
                await asyncio.sleep(1.0)
                filler.unlink()
                await all_stored(lake, exchange)
            return Counter(differences(lake, exchange))

    try:
        with redis_server(disk / "redis") as server:
            found = asyncio.run(scenario(server))
    finally:
        subprocess.run([shutil.which("umount") or "umount", str(disk)], check=True)
    assert found.pop("right") > 100
    assert found == CLEAN
