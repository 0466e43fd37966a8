"""Reads objects of the cold part as polars does: ranges of them, as far as they are asked for.

Where the server is and who asks comes from the environment (`AWS_ENDPOINT_URL`,
`AWS_ACCESS_KEY_ID`, …). A server that does not answer is waited for some ten seconds, once: from
then on it is asked beside all work until it answers, and whoever reads is told at once.
"""

import os
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import polars as pl

from spreadlake.caches import cache_folder
from spreadlake.errors import DamagedFileError, MissingFileError, ObjectStorageError
from spreadlake.lake.cold.errors import CLOCK_CODE, CLOCK_REMEDY

T = TypeVar("T")

_REST = 10.0  # seconds between two looks at a server that is away
_PATIENCE = {
    "connect_timeout": "3s",
    "read_timeout": "5s",  # without a byte; a range that is long may take its time
    "timeout": "120s",
    "max_retries": 3,
    "retry_timeout_ms": 4_000,
}
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3} [A-Za-z ]+)")
_BEYOND_ITS_END = "416"
# All others of its kind are answers, which it gives to this object or to whoever asks: the server
# is there.
_SILENCE = ("408", "429")

_REMEDY = (
    "see that the server runs and is reached from here, and that AWS_ENDPOINT_URL, "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are those of the bucket"
)

_away: dict[str, str] = {}
"""The servers that did not answer, and what kept them from it."""


def ask_object(url: str, path: Path, question: Callable[[pl.LazyFrame], T]) -> T:
    """What `question` makes of the object at `url`, which is the file `path` of the lake.

    MissingFileError where there is no such object, ObjectStorageError where it is not given, and
    DamagedFileError where it is no Parquet file.
    """
    _refuse_endpoint(url, path)
    _refuse_while_away(url, path)
    try:
        return _of_one_version(url, question)
    except FileNotFoundError as error:
        code = _CODE.search(str(error))
        if code is not None and not code[1].startswith("NoSuch"):  # as of a user it does not know
            raise _unreachable(_trouble(error), url, path) from error
        what = f"{url} is on record and not there any more ({_trouble(error)})"
        raise MissingFileError(f"{what}; {_remedy(path)}", path, what) from error
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _explained(error, url, path) from error


def _of_one_version(url: str, question: Callable[[pl.LazyFrame], T]) -> T:
    """An object that is written anew while it is read is none for a moment: it is read again.

    Polars asks for its end first, and for its rows by what that says. Who has the record of the
    lake beside it sees that; who opened the lake by its address does not.
    """
    try:
        return question(_scan(url))
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        if isinstance(error, OSError) and not _trouble(error).startswith(_BEYOND_ITS_END):
            raise
    return question(_scan(url))


def server() -> str:
    """Where the objects are, in words: without what stands before an @, which may be a secret."""
    endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
    parts = urlsplit(endpoint)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return where if parts.netloc else "a server without an address" if endpoint else "AWS"


# Of Amazon without a region polars asks the bucket for it, as it should: no news for a user.
warnings.filterwarnings("ignore", message=r".*region' not set", category=UserWarning)


def _scan(url: str) -> pl.LazyFrame:
    options = dict(_PATIENCE)
    if endpoint := os.environ.get(_ENDPOINTS[0]):  # which polars does not know
        options["aws_endpoint_url"] = endpoint
    if server() != "AWS" and not any(os.environ.get(name) for name in _REGIONS):
        options["aws_region"] = "us-east-1"  # as boto3 has it; polars asks, and warns
    # With keys in the environment polars needs nobody to find them; profiles and roles are boto3's.
    keys: Literal["auto"] | None = None if os.environ.get("AWS_ACCESS_KEY_ID") else "auto"
    return pl.scan_parquet(
        url,
        hive_partitioning=False,
        glob=False,
        storage_options=options,
        credential_provider=keys,
    )


def _refuse_endpoint(url: str, path: Path) -> None:
    """Polars would panic at one, in many lines."""
    for name in _ENDPOINTS:
        endpoint = os.environ.get(name, "")
        if endpoint and not endpoint.lower().startswith(("http://", "https://")):
            said = "" if "@" in endpoint else f" ({endpoint})"
            raise _unreachable(f"{name}{said} begins neither with http:// nor https://", url, path)


def _remedy(path: Path) -> str:
    if path.is_relative_to(cache_folder()):  # of a lake that was opened at its address
        return "restore the object, or put a good copy in the lake's own folder, which is uploaded"
    return f"restore the object, or put a good copy at {path}: that counts, and is uploaded again"


def _refuse_while_away(url: str, path: Path) -> None:
    if (trouble := _away.get(server())) is not None:
        raise _unreachable(trouble, url, path)


def _await(name: str, url: str) -> None:
    """Asks for an object until the server answers, whatever it says."""
    while True:
        time.sleep(_REST)
        if name not in _away:
            return
        try:
            _scan(url).collect_schema()
        except FileNotFoundError:
            pass
        except OSError as error:
            if not _refused(_trouble(error)):
                continue
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            pass
        _away.pop(name, None)


def _explained(error: BaseException, url: str, path: Path) -> DamagedFileError:
    if not isinstance(error, OSError):
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        what = f"{url} cannot be read ({reason})"
        return DamagedFileError(f"{what}; {_remedy(path)}", path, what)
    trouble = _trouble(error)
    if not _refused(trouble) and _away.setdefault(server(), trouble) is trouble:
        Thread(target=_await, args=(server(), url), daemon=True).start()
    return _unreachable(trouble, url, path)


def _refused(trouble: str) -> bool:
    return trouble.startswith("4") and not trouble.startswith(_SILENCE)


def _unreachable(trouble: str, url: str, path: Path) -> ObjectStorageError:
    what = f"{url} cannot be read from {server()} ({trouble})"
    remedy = CLOCK_REMEDY if CLOCK_CODE in trouble else _REMEDY
    return ObjectStorageError(f"{what}; {remedy}", path, what)


def _trouble(error: BaseException) -> str:
    """What the server said, or what kept it from saying anything."""
    text = str(error)
    said = [found[1].strip() for one in (_STATUS, _CODE) if (found := one.search(text))]
    if said:
        return " ".join(said)
    return text.strip().splitlines()[-1].strip(" :") if text.strip() else type(error).__name__
