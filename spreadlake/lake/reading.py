"""Reads the finished files of a lake, each from the disk or from object storage, where it is now.

A file may leave the disk while it is read, come back by a writer that merges into it, and be
uploaded anew: what is answered is of one of these versions, and never of two.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import polars as pl

from spreadlake.errors import DamagedFileError
from spreadlake.lake.files import cold_part
from spreadlake.lake.layout import Lake

A = TypeVar("A")
T = TypeVar("T")
Question = Callable[[pl.LazyFrame], T]

_LOOKS = 4
_AT_ONCE = 8
_DISK, _BUCKET = "disk", "bucket"
_REMEDY = (
    "put a good copy in its place, or move it away: what only it held is then missing until "
    "`spreadlake import` (trades) or `spreadlake analyse --rebuild` (analytics) brings it again"
)


def each(lake: Lake, work: Callable[[A], T], items: Iterable[A]) -> Iterator[T]:
    """What `work`, which reads files, makes of each item, in order.

    Several at a time where the lake has a part in object storage, which is far away and not busy.
    """
    if cold_part(lake) is None:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(work, items)


def read_whole(
    lake: Lake,
    path: Path,
    schema: pl.Schema,
    named: Mapping[str, str] | None = None,
    may_lack: Collection[str] = (),
    where: pl.Expr | None = None,
) -> pl.DataFrame:
    """All rows of a Parquet file of the lake, as today's `schema` has them, whoever wrote it when.

    With `where`, a condition on columns that every such file holds, only those that it holds for:
    parts of the file that its statistics rule out are not read.

    `named` are columns whose value the path says: newer files do not hold them, older ones do.
    `may_lack` are columns that files from before them do not hold: NULL in every row. Columns may
    stand in any order; those that the schema does not know are left out. DamagedFileError if the
    file cannot be read, lacks another column, or holds the rows of another name.
    """

    def rows(file: pl.LazyFrame) -> pl.DataFrame:
        return _as_today(file, schema, named or {}, may_lack, where)

    return ask(lake, path, rows)


def ask(lake: Lake, path: Path, question: Question[T]) -> T:
    """What `question` makes of a file, which it is given as a frame that reads what is asked of it.

    DamagedFileError where the file cannot be read or is not there; ObjectStorageError, which is
    one, where it is in object storage alone and that does not answer.
    """
    for _ in range(_LOOKS):
        version = _version(lake, path)
        try:
            if version is not None and version[0] == _BUCKET:
                answer = _of_object(lake, path, question)
            else:
                answer = _of_disk(path, question)
        except DamagedFileError:
            if _version(lake, path) == version:
                raise
        else:
            if _version(lake, path) == version:
                return answer
    what = f"{path} is written anew as often as it is read"
    raise DamagedFileError(f"{what}; try again", path, what)


def _version(lake: Lake, path: Path) -> tuple[object, ...] | None:
    """Where a file is now, and which version of it; None where it is nowhere.

    Polars opens a file more than once: another that is renamed over it in between would be read by
    the footer of the one before. An object is written over only while the new file is on the disk,
    and that on record before it leaves.
    """
    try:
        there = path.stat()
    except OSError:  # if it is not that there is none, who opens it is told
        cold = cold_part(lake)
        stamp = None if cold is None else cold.stamp(path)
        return None if stamp is None else (_BUCKET, *stamp)
    return (_DISK, there.st_ino, there.st_mtime_ns, there.st_size)


def _of_object(lake: Lake, path: Path, question: Question[T]) -> T:
    from spreadlake.lake.cold.reading import ask_object  # noqa: PLC0415 most lakes have none

    cold = cold_part(lake)
    if cold is None:
        raise DamagedFileError(f"{path} is not there any more", path)
    return ask_object(cold.url(path), path, question)


def _of_disk(path: Path, question: Question[T]) -> T:
    try:
        return question(pl.scan_parquet(path, hive_partitioning=False, glob=False))
    # Polars panics at some kinds of damage, which is no Exception.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        # With a number it is the system that refused: rights, too many files, a failing disk.
        refused = isinstance(error, OSError) and error.errno is not None
        what = f"{path} cannot be read ({reason})"
        raise DamagedFileError(f"{what}; {_REMEDY}", path, what, for_good=not refused) from error


def _as_today(
    file: pl.LazyFrame,
    schema: pl.Schema,
    named: Mapping[str, str],
    may_lack: Collection[str],
    where: pl.Expr | None,
) -> pl.DataFrame:
    held = file.collect_schema()
    met = file if where is None else file.filter(where)
    if any(name in held for name in named):  # of before: what it says is looked at
        whole = met.select(name for name in held if name in schema or name in named).collect()
        _refuse_others(whole, named)
        met = whole.lazy()
    literals = {name: pl.lit(value) for name, value in named.items()}
    absent = {name: pl.lit(None) for name in may_lack if name not in held}
    columns = literals | absent
    return met.select(
        columns.get(name, pl.col(name)).cast(type_).alias(name) for name, type_ in schema.items()
    ).collect()


def _refuse_others(found: pl.DataFrame, named: Mapping[str, str]) -> None:
    for name, value in named.items():
        others = found[name].unique().to_list() if name in found.columns else [value]
        if found.height and others != [value]:
            raise pl.exceptions.SchemaError(f"it is of {name} {others[0]}, and not of {value}")
