"""Takes what is in the bucket on record again, where `cold.db` was lost or is of before.

Nothing is believed that was not looked at: whose objects they are, and what each of them holds.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.note import check_name, write_note
from spreadlake.lake.cold.objects import Held, Objects, Sent, Stamp
from spreadlake.lake.databases.meta import read_meta
from spreadlake.lake.ticks.recognised import newest_seqs, rows_of_days
from spreadlake.words import count
from uploader.claim import owner_of, settle
from uploader.finished import KINDS, end_of
from uploader.ledger import Ledger
from uploader.workers import Workers

log = logging.getLogger(__name__)

_NOWHERE = Stamp(0, 0, 0)
_DAY, _MONTH = 86_400, 31 * 86_400
_TOLD = 5  # objects named in a message


def recover(
    lake: Lake, ledger: Ledger, objects: Objects, address: ColdAddress, workers: Workers
) -> Iterator[None]:
    """Puts on record what the bucket has and the disk does not; yields now and then.

    What is on the disk is not looked at: it counts, and is uploaded like any other file. LakeError
    where the place is not this lake's, and where objects are gone or hold something else.
    """
    settle(lake, ledger, address)
    name = owner_of(objects)
    if name is None:
        raise LakeError(f"{address.text} has nothing of a lake that could be recovered")
    with TemporaryDirectory(prefix=".catalogue-", dir=lake.root) as folder:
        there = _described(objects, address, Path(folder))
        _require_same(lake, there, address, name)
        known = _known(there)
    check_name(lake, name)
    # Until all is on record `cold.db` goes by another name: readers would find less.
    write_note(lake, name, address.text)
    trades = _trades(lake)
    there_now = [held for held in objects.list() if _is_finished(held.path)]
    yield
    far = [held for held in there_now if not (lake.root / held.path).exists()]
    bad, taken = list[str](), 0
    for outcome in workers.run(_look(objects, known, trades), far, lambda: True):
        yield
        if outcome is None:
            continue
        if outcome.error is not None:
            raise outcome.error
        path, size = outcome.item.path, outcome.item.bytes
        if outcome.result:
            sent = Sent(_NOWHERE._replace(bytes=size), outcome.result, put=False)
            ledger.record([(path, sent)], time.time_ns() // 1_000_000, local=False)
            taken += 1
        elif path in known or path in trades:
            bad.append(path)
        else:
            log.warning("%s is no file of this lake, and is left out", address.url(path))
    ledger.say(address=address.text, lake=name)
    log.info("%s that the disk does not have are on record", count(taken, "file"))
    seen = {held.path for held in there_now}
    gone = [path for path in known if path not in seen and not (lake.root / path).exists()]
    if gone or bad:
        raise LakeError(
            f"{address.text} had {count(len(gone) + len(bad), 'file')} that are gone or hold "
            f"something else ({', '.join((gone + bad)[:_TOLD])}); restore these objects, or put "
            f"good copies of the files in {lake.root}; all others are on record"
        )


def _described(objects: Objects, address: ColdAddress, folder: Path) -> Lake:
    """The databases of the catalogue, unpacked."""
    import polars as pl  # noqa: PLC0415 the uploader needs it seldom

    from spreadlake.lake.cold.catalogue import CATALOGUE  # noqa: PLC0415 with polars
    from spreadlake.lake.cold.kept import no_catalogue  # noqa: PLC0415
    from spreadlake.lake.cold.opening import files_of  # noqa: PLC0415

    content = objects.get(CATALOGUE)
    if content is None:
        raise LakeError(
            f"{address.text} has no {CATALOGUE}, which would say of which lake it is; nothing can "
            "be recovered from it"
        )
    try:
        rows = pl.read_parquet(BytesIO(content)).rows()
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise no_catalogue(address, str(error).partition("\n")[0]) from None
    for name, database in files_of(rows, address).items():
        (folder / name).write_bytes(database)
    return Lake(folder)


def _require_same(lake: Lake, there: Lake, address: ColdAddress, name: str) -> None:
    """LakeError where the bucket describes another lake than this."""
    with closing(open_reader(there.cold_db)) as db:
        told = read_meta(db, "lake")
    both = same = 0
    for facts in (_hours, _series):
        own, theirs = facts(lake), facts(there)
        common = own.keys() & theirs.keys()
        both += len(common)
        same += sum(own[key] == theirs[key] for key in common)
    # Hours that were repaired since, or bars that begin earlier now, are others.
    if told != name or same == 0 or same < both - same:
        raise LakeError(
            f"{address.text} is the cold part of another lake than {lake.root}: of "
            f"{count(both, 'hour')} and series that both know {same:,} are the same; set "
            "storage.cold to the place of this one"
        )


def _hours(lake: Lake) -> Mapping[Any, int]:
    if not lake.ticks_db.exists():
        return {}
    with closing(open_reader(lake.ticks_db)) as db:
        return newest_seqs(db)


def _series(lake: Lake) -> Mapping[Any, int]:
    """Where the bars of each symbol and timeframe begin."""
    if not lake.analytics_db.exists():
        return {}
    with closing(open_reader(lake.analytics_db)) as db:
        rows = db.execute("SELECT symbol, timeframe, time FROM first_bars").fetchall()
        return {(symbol, timeframe): time for symbol, timeframe, time in rows}


def _known(there: Lake) -> dict[str, tuple[int, str]]:
    with closing(open_reader(there.cold_db)) as db:
        rows = db.execute("SELECT path, bytes, sha256 FROM objects").fetchall()
    return {path: (size, sha256) for path, size, sha256 in rows}


def _trades(lake: Lake) -> dict[str, int]:
    """How many trades are in the file of each day, by its path."""
    if not lake.ticks_db.exists():
        return {}
    with closing(open_reader(lake.ticks_db)) as db:
        return rows_of_days(db, lake)


def _look(
    objects: Objects, known: Mapping[str, tuple[int, str]], trades: Mapping[str, int]
) -> Callable[[Held], str]:
    def look(held: Held) -> str:
        """Its checksum, by the catalogue's; one that was uploaded since is read as a whole."""
        size, sha256 = known.get(held.path, (-1, ""))
        if held.bytes == size and objects.holds(held.path, size, sha256):
            return sha256
        content = objects.get(held.path) or b""
        fits = _holds_its_time(held.path, content, trades.get(held.path))
        return hashlib.sha256(content).hexdigest() if fits else ""

    return look


def _holds_its_time(path: str, content: bytes, trades: int | None) -> bool:
    """Whether it can be read to its end, and has rows of the day or month that its path says.

    Of a day of trades also whether it has as many as the lake knows of.
    """
    import polars as pl  # noqa: PLC0415 the uploader needs it seldom

    of_trades = path.startswith("ticks/")
    end = end_of(path.split("/")[-2]) or 0
    start = end - (_MONTH if path.endswith("month.parquet") else _DAY)
    try:
        times = pl.read_parquet(BytesIO(content))["time_ms" if of_trades else "time"]
        seconds = times // (1000 if of_trades else 1)
        inside = seconds.is_between(start, end, closed="left")
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return False
    return bool(inside.all()) and len(inside) > 0 and (not of_trades or len(inside) == trades)


def _is_finished(path: str) -> bool:
    kind, _, rest = path.partition("/")
    folder, _, file = rest.rpartition("/")
    names = ("day.parquet", "month.parquet")
    return kind in KINDS and file in names and end_of(folder.rpartition("/")[2]) is not None
