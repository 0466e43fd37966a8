"""The bucket's client on a real S3 server: what it puts is what the server says it has."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from spreadlake.errors import ConfigError
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.errors import ColdError
from spreadlake.lake.cold.objects import Objects, Sent, Stamp
from tests.buckets import Server, has_real_server, serving

PAIR = "bars/timeframe=1m/pair=BTCUSDT%2FETHUSDT/date=2026-11-01/day.parquet"
CONTENT = bytes(range(256)) * 5000


@pytest.fixture(scope="module", params=["versitygw", "moto"])
def s3_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Each of the servers that there are."""
    real = request.param == "versitygw"
    if real and not has_real_server():
        pytest.skip("versitygw is not installed (see .ci/run)")
    with serving(tmp_path_factory.mktemp("s3"), real=real) as server:
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "day.parquet"
    path.write_bytes(CONTENT)
    return path


def test_what_was_put_is_there_as_the_server_says(
    cold: ColdAddress, s3_server: Server, file: Path
) -> None:
    objects = Objects(cold)
    assert objects.head(PAIR) is None
    assert objects.get(PAIR) is None
    sent = objects.put_verified(PAIR, file)
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert sent == Sent(Stamp.of(file.stat()), digest)
    again = objects.put_verified(PAIR, file, known=digest)
    assert again == Sent(sent.stamp, digest, put=False)
    held = objects.head(PAIR)
    assert held is not None
    # moto keeps no checksum, as old servers do not: then the ETag or what is read back says it.
    assert (held.bytes, held.sha256) == (len(CONTENT), digest if s3_server.is_real else None)
    assert objects.get(PAIR) == CONTENT
    assert objects.holds(PAIR, len(CONTENT), digest)
    assert not objects.holds(PAIR, len(CONTENT), digest[::-1])
    assert [found.path for found in objects.list()] == [PAIR]
    assert list(objects.list("ticks")) == []
    objects.delete([PAIR, "never/there"])
    assert objects.head(PAIR) is None


def test_the_key_is_the_path_for_every_reader(
    cold: ColdAddress, s3_server: Server, file: Path
) -> None:
    Objects(cold).put_verified(PAIR, file)
    found = s3_server.client().list_objects_v2(Bucket=cold.bucket)["Contents"]
    assert [one["Key"] for one in found] == [f"lake/{PAIR}"]


def test_a_file_that_is_written_to_while_it_is_uploaded_is_none_that_is_there(
    cold: ColdAddress, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the time of change as well: whoever wrote may have written more since it was read."""
    objects = Objects(cold)
    put = objects._client.put_object

    def write_meanwhile(**asked: object) -> object:
        answer = put(**asked)
        os.utime(file, ns=(1, 1))
        return answer

    monkeypatch.setattr(objects._client, "put_object", write_meanwhile)
    with pytest.raises(ColdError, match="was written to while it was uploaded") as caught:
        objects.put_verified(PAIR, file)
    assert caught.value.kind == "wrong"


def test_no_bucket_is_told_with_its_name(cold: ColdAddress, file: Path) -> None:
    with pytest.raises(ColdError, match=r"s3://nowhere-of-ours/.*storage\.cold") as caught:
        Objects(ColdAddress("nowhere-of-ours")).put_verified(PAIR, file)
    assert caught.value.kind == "no bucket"


def test_a_server_that_is_away(
    cold: ColdAddress, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ColdError, match="AWS_ENDPOINT_URL") as caught:
        Objects(cold).put_verified(PAIR, file)
    assert caught.value.kind == "away"


def test_who_may_not_is_told_and_no_secret_with_it(
    cold: ColdAddress, s3_server: Server, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not s3_server.is_real:
        pytest.skip("moto lets everybody in")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret-than-the-servers")
    with pytest.raises(ColdError, match="AWS_SECRET_ACCESS_KEY") as caught:
        Objects(cold).put_verified(PAIR, file)
    assert caught.value.kind == "forbidden"
    assert os.environ["AWS_ACCESS_KEY_ID"] not in str(caught.value)
    assert "another-secret" not in str(caught.value)


def test_without_credentials(
    cold: ColdAddress, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ColdError, match="no credentials") as caught:
        Objects(cold).put_verified(PAIR, file)
    assert caught.value.kind == "forbidden"


def test_an_endpoint_without_its_scheme_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "key:secret@127.0.0.1:9000")
    with pytest.raises(ConfigError, match="write http:// or https:// before its host") as told:
        Objects(ColdAddress("bucket"))
    assert "secret" not in str(told.value)
