"""The profile `cluster` of docker-compose.yml, and its services run by hand as it says."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from spreadlake.config import load_settings
from spreadlake.lake import Lake
from tests.collector.broker.servers import RedisServer, redis_server
from tests.deploy.compose import SERVICES, filled, profile, settings_of, variables_of
from tests.deploy.parsing import config_in, is_setting, parsed
from tests.end_to_end.processes import poll
from tests.running import COMMAND, environment

CAPTURES = ("capture-1", "capture-2")
LOG = "redis://redis:6379/0"
# Without what came before, which takes a minute to fetch.
QUICK = {"SPREADLAKE_COLLECTOR__WARM_START_MINUTES": "0"}
OWN = {"AWS_SECRET_ACCESS_KEY": "of-the-test"}


def test_the_profile_has_a_store_in_place_of_the_collector() -> None:
    added = profile("cluster").keys() - profile(None).keys()
    assert added == {
        *("redis", *CAPTURES, "store", "objects", "uploader"),
        *("scheduler", "worker"),
    }
    variables = variables_of("cluster.env")
    assert variables["COMPOSE_PROFILES"] == "cluster"
    scale = SERVICES["collector"]["scale"]
    assert (filled(scale, {}), filled(scale, variables)) == ("1", "0")


def test_everything_in_its_file_is_used() -> None:
    text = json.dumps(SERVICES)
    for name in variables_of("cluster.env"):
        assert name in text or name.startswith("COMPOSE_"), name
        assert not name.startswith("SPREADLAKE_") or is_setting(name), name


def test_the_object_store_has_no_default_password() -> None:
    variables = variables_of("cluster.env")
    assert variables["AWS_SECRET_ACCESS_KEY"].startswith("${AWS_SECRET_ACCESS_KEY:?")
    bucket = variables["SPREADLAKE_STORAGE__COLD"].removeprefix("s3://").partition("/")[0]
    objects = SERVICES["objects"]
    *_, folder = objects["command"]
    inline = objects["build"]["dockerfile_inline"]
    assert f"{folder}/{bucket}" in inline.split()
    assert f"-o {objects['user'].partition(':')[0]} " in inline
    assert [f"objects:{folder}"] == objects["volumes"]
    port = objects["command"][objects["command"].index("--port") + 1]
    assert variables["AWS_ENDPOINT_URL"] == f"http://objects{port}"


def test_the_log_is_one_that_all_mean() -> None:
    for name in CAPTURES:
        values = parsed([filled(word, {}) for word in SERVICES[name]["command"]])
        assert (values["to"], values["shard"]) == (LOG, None), "both capture all"
        *_, asked, config = SERVICES[name]["healthcheck"]["test"]
        assert asked == LOG
        assert config in SERVICES[name]["command"]
        assert not any(mount.startswith("lake:") for mount in SERVICES[name]["volumes"])
    assert parsed([filled(w, {}) for w in SERVICES["store"]["command"]])["source"] == LOG


def redis_options() -> list[str]:
    """What Redis is started with, but for where its data is."""
    program, _, _, *options = SERVICES["redis"]["command"]
    assert program == "redis-server"
    return list(options)


def test_redis_keeps_what_it_holds_and_evicts_nothing(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis", *redis_options()) as server:
        told = {
            key: server.client.config_get(key)[key]
            for key in ("appendonly", "appendfsync", "save", "maxmemory-policy")
        }
        assert told == {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        bound = load_settings(None).redis.max_mib * 2**20
        assert int(server.client.config_get("maxmemory")["maxmemory"]) >= 1.5 * bound


@contextmanager
def running(name: str, server: RedisServer, folder: Path, port: int) -> Iterator[None]:
    """The service of compose as a process of this machine, with the lake in `folder`."""
    service = SERVICES[name]
    variables = settings_of(service, ("demo.env", "cluster.env"), **OWN)
    variables = {key: at_home(text, server, port) for key, text in variables.items()}
    demo = variables_of("demo.env")
    words = [at_home(filled(word, demo), server, port) for word in service["command"]]
    words = [str(config_in(folder)) if word == "/etc/spreadlake.toml" else word for word in words]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=folder,
            env=environment(SPREADLAKE_DATA=str(folder / "lake"), **variables, **QUICK),
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    assert code == 0, (folder / f"{name}.log").read_text("utf-8")


def at_home(text: str, server: RedisServer, port: int) -> str:
    """Names of other containers are addresses of this machine."""
    text = text.replace(LOG, server.url).replace("//simulator:9443", f"//127.0.0.1:{port}")
    return {"9443": str(port), "0.0.0.0": "127.0.0.1"}.get(text, text)


def is_healthy(name: str, server: RedisServer, folder: Path) -> bool:
    """What its health check says."""
    _, _, *words = SERVICES[name]["healthcheck"]["test"]
    words = [str(config_in(folder)) if word == "/etc/spreadlake.toml" else word for word in words]
    checked = subprocess.run(
        [sys.executable, *(word.replace(LOG, server.url) for word in words)],
        env=environment(SPREADLAKE_DATA=str(folder / "lake")),
        capture_output=True,
        check=False,
    )
    return checked.returncode == 0


def stored(folder: Path) -> list[tuple[int, int]]:
    """Trades in the lake, and how many different ones."""
    database = Lake(folder / "lake").ticks_db
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        try:
            query = "SELECT count(*), count(DISTINCT symbol || ' ' || trade_id) FROM ticks"
            return db.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []


def test_its_services_fill_a_lake_of_the_simulated_exchange(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with redis_server(tmp_path / "redis", *redis_options()) as server:
        here = (server, tmp_path, port)
        with running("simulator", *here), running("capture-1", *here), running("store", *here):
            with running("capture-2", *here):
                poll(lambda: server.client.hlen("spreadlake:captures") == 2)
                poll(lambda: is_healthy("store", server, tmp_path))
                assert is_healthy("capture-1", server, tmp_path)
            found = poll(lambda: [row for row in stored(tmp_path) if row[0] > 50])
        assert found[0][0] == found[0][1]
        assert not is_healthy("capture-1", server, tmp_path)
