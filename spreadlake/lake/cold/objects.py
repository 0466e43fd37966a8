"""The bucket of a lake's cold part: puts files there and asks the server what it holds of them.

Who asks and where the server is come from where every S3 client finds them (AWS_ACCESS_KEY_ID,
AWS_PROFILE, AWS_ENDPOINT_URL, AWS_REGION, …); none of it is told to anybody.
"""

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from spreadlake.errors import ConfigError
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.errors import ColdError, cold_error

# Seconds until a server counts as away: to connect, and without a byte from it.
_CONNECT, _SILENT = 10, 60
_PAGE = 1 << 20
_AT_ONCE = 1000  # keys that one request may delete
REPLACED = "replaced"
"""Where objects are kept that were in the place of a file and not on record."""


class Stamp(NamedTuple):
    """Which file was read: one that is written since has another."""

    bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, there: os.stat_result) -> "Stamp":
        """That of a file."""
        return cls(there.st_size, there.st_mtime_ns, there.st_ino)


class Held(NamedTuple):
    """What the server says of an object; `sha256` in hex is None where it keeps none."""

    path: str
    bytes: int
    etag: str
    sha256: str | None = None


class Sent(NamedTuple):
    """A file that was found in the bucket as it was read here; `put` False: it was there before."""

    stamp: Stamp
    sha256: str
    put: bool = True


class _Digests(NamedTuple):
    sha256: str
    md5: str


class Objects:
    """The objects under an address, by the path in the lake. Any number of threads may use it.

    Every method raises ColdError where the server does not do what it is asked.
    """

    def __init__(self, address: ColdAddress) -> None:
        """ConfigError where the client is not installed, or its configuration cannot be read."""
        self._address = address
        self._client = _client()

    def put_verified(self, path: str, file: Path, known: str | None = None) -> Sent:
        """Puts a local file in the bucket, and holds the server's own answer against it.

        `known` is the checksum that the bucket is known to have under this path: where it is the
        file's own, and is there, nothing is sent. Where nothing is known, an object that is none
        the less there is kept beside, and never overwritten: it may be of a lake whose back-up
        this one was restored from, and hold more.

        The server is told the checksum with the file, and then asked for size and checksum of what
        it holds. FileNotFoundError where the file is gone; ColdError (`wrong`) where the server
        holds something else, or the file was written to meanwhile.
        """
        with file.open("rb") as opened:
            stamp = Stamp.of(os.fstat(opened.fileno()))
            digests = _digests(opened)
            opened.seek(0)
            if known in (None, digests.sha256) and self._is_there(path, stamp.bytes, digests):
                return Sent(stamp, digests.sha256, put=False)
            with self._asking(path):
                self._client.put_object(
                    Bucket=self._address.bucket,
                    Key=self._address.key(path),
                    Body=opened,
                    ContentLength=stamp.bytes,
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(digests.sha256)).decode(),
                )
            if Stamp.of(os.fstat(opened.fileno())) != stamp:
                raise ColdError("wrong", f"{file} was written to while it was uploaded")
        self._verify(path, stamp.bytes, digests)
        return Sent(stamp, digests.sha256)

    def put_bytes(self, path: str, content: bytes) -> None:
        """Puts a small object in the bucket; the server refuses it where it comes damaged."""
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        with self._asking(path):
            self._client.put_object(**self._at(path), Body=content, ChecksumSHA256=digest)

    def put_new(self, path: str, content: bytes) -> None:
        """Puts a small object where there is none; one that is there stays as it is.

        A server that does not know of such a condition is asked without it.
        """
        try:
            with self._asking(path):
                self._client.put_object(**self._at(path), Body=content, IfNoneMatch="*")
        except ColdError as error:
            if error.kind == "refused":
                self.put_bytes(path, content)
            elif error.kind != "taken":
                raise

    def head(self, path: str) -> Held | None:
        """What the server has under a path; None where it has nothing."""
        try:
            with self._asking(path):
                found = self._client.head_object(**self._at(path), ChecksumMode="ENABLED")
        except ColdError as error:
            if error.kind == "missing":
                return None
            raise
        sha256 = found.get("ChecksumSHA256")
        if sha256 is not None:
            sha256 = base64.b64decode(sha256).hex()
        return Held(path, int(found["ContentLength"]), found["ETag"].strip('"'), sha256)

    def get(self, path: str) -> bytes | None:
        """The whole of a small object; None where there is none."""
        try:
            return b"".join(self._pages(path))
        except ColdError as error:
            if error.kind == "missing":
                return None
            raise

    def holds(self, path: str, size: int, sha256: str) -> bool:
        """Whether the object is one of this size and checksum, by the server's own answer."""
        held = self.head(path)
        if held is None or held.bytes != size:
            return False
        return (held.sha256 or self.read_back(path)[1]) == sha256

    def list(self, folder: str = "") -> Iterator[Held]:
        """The objects in a folder of the lake and in those within it; without it, all."""
        prefix = self._address.key(f"{folder}/" if folder else "")
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._address.bucket, Prefix=prefix
        )
        with self._asking(folder):
            for page in pages:
                for found in page.get("Contents", []):
                    path = self._address.path(found["Key"])
                    if path is not None:
                        yield Held(path, int(found["Size"]), found["ETag"].strip('"'))

    def delete(self, paths: Iterable[str]) -> None:
        """Removes objects; those that are not there are none the less gone."""
        keys = [{"Key": self._address.key(path)} for path in paths]
        for at in range(0, len(keys), _AT_ONCE):
            part = {"Objects": keys[at : at + _AT_ONCE], "Quiet": True}
            with self._asking(""):
                answer = self._client.delete_objects(Bucket=self._address.bucket, Delete=part)
            if refused := answer.get("Errors"):
                raise ColdError("refused", f"the server deletes no objects ({refused[0]['Code']})")

    def _is_there(self, path: str, size: int, digests: _Digests) -> bool:
        """Whether the bucket has it already; another object in its place is kept beside."""
        held = self.head(path)
        if held is None:
            return False
        if held.bytes == size and digests.sha256 == (held.sha256 or self.read_back(path)[1]):
            return True
        source = {"Bucket": self._address.bucket, "Key": self._address.key(path)}
        beside = self._at(f"{REPLACED}/{_plain(held.etag)}/{path}")
        with self._asking(path):
            self._client.copy_object(**beside, CopySource=source)
        return False

    def _verify(self, path: str, size: int, digests: _Digests) -> None:
        held = self.head(path)
        if held is None or held.bytes != size:
            there = "nothing" if held is None else f"{held.bytes:,} bytes"
            raise ColdError(
                "wrong", f"{self._address.url(path)} holds {there} and {size:,} bytes were uploaded"
            )
        # Where it keeps no checksum of its own, the ETag of an object that came as one is its MD5,
        # unless it is encrypted; else it is read back.
        same = held.sha256 == digests.sha256 if held.sha256 else held.etag == digests.md5
        if not same and (held.sha256 or self.read_back(path)[1] != digests.sha256):
            raise ColdError("wrong", f"{self._address.url(path)} does not hold what was uploaded")

    def read_back(self, path: str) -> tuple[int, str]:
        """Size and SHA-256 (hex) of what the server sends, whatever it says of it."""
        size, digest = 0, hashlib.sha256()
        for page in self._pages(path):
            size += len(page)
            digest.update(page)
        return size, digest.hexdigest()

    def _pages(self, path: str) -> Iterator[bytes]:
        with self._asking(path):
            body = self._client.get_object(**self._at(path))["Body"]
            while page := body.read(_PAGE):
                yield page

    def _at(self, path: str) -> dict[str, str]:
        return {"Bucket": self._address.bucket, "Key": self._address.key(path)}

    @contextmanager
    def _asking(self, path: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError  # noqa: PLC0415

        try:
            yield
        except (BotoCoreError, ClientError, HTTPClientError) as error:
            # Not as its cause: what others write of their errors may hold who asked.
            raise cold_error(error, self._address, path) from None


def _plain(etag: str) -> str:
    return "".join(letter for letter in etag if letter.isalnum())


def _digests(opened: BinaryIO) -> _Digests:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    while page := opened.read(_PAGE):
        sha256.update(page)
        md5.update(page)
    return _Digests(sha256.hexdigest(), md5.hexdigest())


def _client() -> Any:
    try:
        import boto3  # noqa: PLC0415 optional, and not small
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ConfigError(
            "object storage needs a package more: pip install 'spreadlake[s3]'"
        ) from None
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    virtual = os.environ.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "").lower() in ("1", "true", "yes")
    config = Config(
        connect_timeout=_CONNECT,
        read_timeout=_SILENT,
        retries={"mode": "standard", "total_max_attempts": 2},
        # Checksums are ours; others' servers know no trailers.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # A server of one's own seldom has a name for each bucket.
        s3={"addressing_style": "path" if endpoint and not virtual else "auto"},
    )
    try:
        session = boto3.session.Session()
        region = os.environ.get("AWS_REGION") or session.region_name or "us-east-1"
        return session.client("s3", region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:
        # Without what it is: it may hold a password.
        if endpoint and not endpoint.lower().startswith(("http://", "https://")):
            raise ConfigError(
                "AWS_ENDPOINT_URL is not the address of a server: write http:// or https:// before "
                "its host"
            ) from None
        raise ConfigError(
            f"object storage cannot be asked: {type(error).__name__}; look at AWS_ENDPOINT_URL, "
            "AWS_REGION, AWS_PROFILE and the files that they name"
        ) from None
