"""Where the cold part of a lake is: a bucket, and what the keys in it begin with. Pure."""

import re
from dataclasses import dataclass

_SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# What no S3 needs quoted in a key; names of a lake's own files are made of these, `=` and `%`.
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()=%-]+(/[A-Za-z0-9!_.*'()=%-]+)*")


def is_cold_address(text: str) -> bool:
    """Whether it is meant as one, and not as a folder."""
    return text.lower().startswith(_SCHEME)


@dataclass(frozen=True)
class ColdAddress:
    """`s3://bucket/prefix`; a file of the lake has the key `prefix/` and its path in the lake."""

    bucket: str
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> "ColdAddress":
        """The address that `text` says; ValueError with a sentence where it says none."""
        shown = "s3://…" if "@" in text else text  # what stands before an @ may be a secret
        bucket, _, prefix = text[len(_SCHEME) :].rstrip("/").partition("/")
        if not is_cold_address(text) or not _BUCKET.fullmatch(bucket):
            raise ValueError(
                f"{shown} is not the address of a bucket, such as s3://bucket/prefix (its name has "
                "3 to 63 lower-case letters, digits, - and .); where the server is and who asks "
                "come from the environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, …)"
            )
        if prefix and (not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/"))):
            raise ValueError(
                f"{shown} has a prefix that cannot begin a key: letters, digits, - _ . = and "
                "single slashes between them can"
            )
        return cls(bucket, prefix)

    @property
    def text(self) -> str:
        """As it is written in the settings."""
        return f"{_SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    def key(self, path: str) -> str:
        """The key of the lake's file `path` (relative, with slashes)."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def path(self, key: str) -> str | None:
        """The inverse of `key`; None for a key outside the prefix."""
        begin = self.key("")
        return key[len(begin) :] if key.startswith(begin) else None

    def url(self, path: str) -> str:
        """`s3://bucket/prefix/path`, for polars, DuckDB and everybody."""
        return f"{self.text}/{path}"
