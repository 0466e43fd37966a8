"""A bucket for tests: on versitygw, a real S3 server, where that is installed, else on moto's.

`go install github.com/versity/versitygw/cmd/versitygw@latest` installs it (see `.ci/run`).
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from spreadlake.lake.cold.address import ColdAddress
from spreadlake.ports import free_port
from tests.patience import Deadline

KEY, SECRET = "AKIDOFTHETESTS", "secret-of-the-tests-1234567890"
_NUMBERS = count(1)

_MOTO = """
import sys
from werkzeug.serving import make_server
from moto.server import DomainDispatcherApplication, create_backend_app
app = DomainDispatcherApplication(create_backend_app)
make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True).serve_forever()
"""


@dataclass(frozen=True)
class Server:
    """An S3 server on loopback. `folder` has the buckets of a real one; None: it is moto's."""

    endpoint: str
    folder: Path | None = None

    @property
    def is_real(self) -> bool:
        return self.folder is not None

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """The usual variables of whoever may do everything there; `endpoint`: by another way."""
        return {
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> Any:
        """boto3's, past everything of ours."""
        import boto3
        from botocore.config import Config

        return boto3.session.Session(KEY, SECRET, region_name="us-east-1").client(
            "s3", endpoint_url=self.endpoint, config=Config(s3={"addressing_style": "path"})
        )

    def make_bucket(self) -> str:
        """A new bucket's name."""
        name = f"tests-{os.getpid()}-{next(_NUMBERS)}"
        self.client().create_bucket(Bucket=name)
        return name


def has_real_server() -> bool:
    """Whether versitygw is here, as a command or where `go install` puts it."""
    return _versitygw() is not None


@cache
def _versitygw() -> str | None:
    places = f"{os.environ.get('PATH', '')}{os.pathsep}{Path.home() / 'go' / 'bin'}"
    return shutil.which("versitygw", path=places)


@contextmanager
def serving(folder: Path, *, real: bool | None = None) -> Iterator[Server]:
    """A server with its buckets below `folder`; `real`: versitygw or moto, by default the best."""
    port = free_port()
    program = _versitygw()
    if real is None:
        real = program is not None
    if not real:
        command, variables = [sys.executable, "-c", _MOTO, str(port)], {}
    else:
        assert program is not None
        (folder / "buckets").mkdir(parents=True, exist_ok=True)
        (folder / "meta").mkdir(exist_ok=True)  # beside: not every file system has attributes
        command = [
            program, "--port", f"127.0.0.1:{port}", "--quiet",
            "posix", "--sidecar", str(folder / "meta"), str(folder / "buckets"),
        ]  # fmt: skip
        variables = {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}
    with running(command, variables, folder):
        server = Server(f"http://127.0.0.1:{port}", folder / "buckets" if real else None)
        _await(server)
        yield server


@contextmanager
def running(command: list[str], variables: Mapping[str, str], folder: Path) -> Iterator[None]:
    """A server's process, for as long as it is needed."""
    with (folder / "server.txt").open("ab") as said:
        process = subprocess.Popen(
            command,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            ended = process.poll()
            process.kill()
            process.wait()
    # Else all that is asked of it after that fails, and nothing says why.
    said_last = (folder / "server.txt").read_text("utf-8", "replace")[-2000:]
    assert ended is None, f"{command[0]} ended by itself ({ended}):\n{said_last}"


def _await(server: Server) -> None:
    from botocore.exceptions import BotoCoreError

    deadline = Deadline()
    client = server.client()
    while True:
        try:
            client.list_buckets()
        except BotoCoreError:
            assert not deadline.passed, "the S3 server does not answer"
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Server]:
    """One server for all tests of a session: the real one where it is installed."""
    with TemporaryDirectory() as folder, serving(Path(folder)) as server:
        yield server


@pytest.fixture
def cold(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> ColdAddress:
    """A part of a new bucket, which the environment of the test may use."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return ColdAddress(s3_server.make_bucket(), "lake")
