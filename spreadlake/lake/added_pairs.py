"""The pairs that were added by hand: `pairs.json` in the lake's folder.

The command `spreadlake pairs` writes it, as a whole and under a lock; the analytics job looks at it
every second. Neither has to run for the other.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from spreadlake.errors import InputError, LakeError, UnavailableError
from spreadlake.lake.layout import Lake
from spreadlake.locks import try_lock
from spreadlake.pairs import FollowedPair, Pair, parse_pair

Stamp = tuple[int, int, int] | None

_WAIT_SECONDS = 5.0
_WHY = "spreadlake pairs add"


class AddedPairs:
    """Follows the file; `pairs` are those of it, `refused` says why it is not as it is now."""

    def __init__(self, lake: Lake) -> None:
        """LakeError where the file is not as the command writes it."""
        self._path = lake.added_pairs
        self._seen = _stamp(self._path)
        self.pairs = read_added(lake)
        self.refused = ""
        self._lake = lake

    def look(self) -> bool:
        """Whether there are others since the last look; a file that is wrong changes nothing."""
        stamp = _stamp(self._path)
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            now = read_added(self._lake)
        except LakeError as error:
            self.refused = str(error)
            return False
        before, self.pairs, self.refused = self.pairs, now, ""
        return now != before


def read_added(lake: Lake) -> list[FollowedPair]:
    """The pairs in the order they were added; LakeError where the file is not as it is written."""
    path = lake.added_pairs
    try:
        return [_followed(one) for one in json.loads(path.read_bytes())["pairs"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LakeError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, OverflowError, LookupError, TypeError, InputError) as error:
        raise LakeError(
            f"{path} is not as spreadlake pairs writes it ({error}); mend it, or delete it and add "
            "the pairs again"
        ) from None


def _followed(one: dict[str, str | int]) -> FollowedPair:
    return FollowedPair(parse_pair(str(one["pair"])), "hand", int(one["since"]), _WHY)


@contextmanager
def changing_added(lake: Lake) -> Iterator[list[FollowedPair]]:
    """Yields the pairs to be changed in place, and writes them at the end unless that fails.

    LakeError where the file is wrong, UnavailableError where another command keeps it locked.
    """
    path = lake.added_pairs
    with path.with_suffix(".lock").open("a") as file:
        end = time.monotonic() + _WAIT_SECONDS
        while not try_lock(file):
            if time.monotonic() > end:
                raise UnavailableError(
                    f"another command is changing {path}", "try again when it has ended"
                )
            time.sleep(0.02)
        pairs = read_added(lake)
        before = list(pairs)
        yield pairs
        if pairs != before:
            _write(path, pairs)


def added(pair: Pair, now: float) -> FollowedPair:
    """A pair that is added at `now` (Unix s)."""
    return FollowedPair(pair, "hand", int(now), _WHY)


def _write(path: Path, pairs: Sequence[FollowedPair]) -> None:
    """As a whole or not at all, and durably."""
    from spreadlake.lake.parquet import sync_folder  # noqa: PLC0415 polars is slow to import

    rows = [{"pair": one.pair.name, "since": one.since} for one in pairs]
    beside = path.with_suffix(".tmp")
    with beside.open("w", encoding="utf-8") as file:
        json.dump({"pairs": rows}, file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
