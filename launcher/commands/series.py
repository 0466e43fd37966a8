"""The series that `spreadlake csv` writes: which one is meant, and its rows, kept or computed."""

import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.lake.analytics.definition import SeriesDefinition, lake_prices, stored_definition
from spreadlake.lake.analytics.removal import refuse_removed_rows, removed_before
from spreadlake.lake.analytics.rows import first_rows
from spreadlake.lake.databases.meta import columns_of
from spreadlake.series import BARS, PAIR_ANALYTICS, Prices, SeriesKey, Table
from spreadlake.status import require_lake, snapshot
from spreadlake.times import iso_utc

# What computes is imported where it is used: polars and numpy are slow to import.

Rows = list[tuple[Any, ...]]

_PIECE = 5_000
_FIRST = ("time", "price_a", "price_b", "spread", "zscore")
_NOT_SHOWN = (*PAIR_ANALYTICS.key, "symbol_a", "symbol_b", "prices")
_KEY = ", ".join(PAIR_ANALYTICS.key)
_FOLLOWING = (
    f"SELECT {_KEY} FROM pair_analytics WHERE ({_KEY}) > (?, ?, ?, ?) ORDER BY {_KEY} LIMIT 1"
)


def choose_series(
    stored: Sequence[SeriesKey],
    pair: str | None = None,
    timeframe: str | None = None,
    window: int | None = None,
    lookback: int | None = None,
) -> SeriesKey:
    """The series that is meant, which need not be a stored one; what is None is filled in.

    That is 1s bars, a window of 60 and a lookback of 300, unless the lake's stored series have
    only another. Raises InputError that names what there is for a choice that is open.
    """
    left = list(stored)
    values: list[object] = []
    for field, wanted, usual in (
        ("pair", pair, None),
        ("timeframe", timeframe, "1s"),
        ("window", window, 60),
        ("lookback", lookback, 300),
    ):
        value = wanted or _plain_choice(
            field, usual, dict.fromkeys(getattr(k, field) for k in left)
        )
        left = [key for key in left if getattr(key, field) == value] or left
        values.append(value)
    return SeriesKey(*values)  # type: ignore[arg-type]


def _plain_choice(field: str, usual: object, known: Iterable[object]) -> object:
    choices = list(known)
    if usual is not None and (usual in choices or not choices):
        return usual
    if len(choices) == 1:
        return choices[0]
    there = f": there is {', '.join(map(str, choices))}" if choices else ", e.g. BTCUSDT/ETHUSDT"
    raise InputError(f"name a {field} with --{field}{there}")


def available_series(lake: Lake) -> list[SeriesKey]:
    """The series that are configured or have rows; one seek for each, whatever its length."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return []
        keys = {SeriesKey(*row) for row in db.execute(f"SELECT {_KEY} FROM pair_status")}
        return sorted(keys | set(_stored_series(db)))


def _stored_series(db: sqlite3.Connection) -> Iterator[SeriesKey]:
    key = SeriesKey("", "", 0, 0)
    while (row := db.execute(_FOLLOWING, key).fetchone()) is not None:
        key = SeriesKey(*row)
        yield key


def column_names(lake: Lake) -> list[str]:
    """`time,price_a,price_b,spread,zscore`, then the other analytics in the table's order."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            raise InputError(
                f"lake {lake.root} has no analytics yet; run spreadlake analyse --once on it"
            )
        stored = columns_of(db, "pair_analytics")
    return [*_FIRST, *(name for name in stored if name not in (*_FIRST, *_NOT_SHOWN))]


def iter_rows(
    lake: Lake, key: SeriesKey, columns: Sequence[str], start: float | None, end: float | None
) -> Iterator[Rows]:
    """Pieces of rows with start <= time <= end (Unix seconds), in order of time.

    `columns` begins with `time`; after them comes what the row is on, `Prices`. Each piece is a
    short transaction of its own, so that a long export does not keep the job's write-ahead log from
    being taken back.
    """
    first = 0 if start is None else math.ceil(start)
    stop = 2**40 if end is None else math.floor(end) + 1
    while True:
        with snapshot(lake.analytics_db) as db:
            piece = [] if db is None else _piece(db, lake, key, columns, first, stop)
        if not piece:
            return
        yield piece
        first = piece[-1][0] + 1


def _piece(
    db: sqlite3.Connection, lake: Lake, key: SeriesKey, columns: Sequence[str], start: int, end: int
) -> Rows:
    if "prices" not in columns_of(db, "pair_analytics"):  # a lake of before
        rows = first_rows(db, lake, key, columns, start, end, _PIECE)
        return [(*row, "raw") for row in rows]
    rows = first_rows(db, lake, key, [*columns, "prices"], start, end, _PIECE)
    return [(*row[:-1], row[-1] or "raw") for row in rows]


def iter_computed(
    lake: Lake,
    key: SeriesKey,
    columns: Sequence[str],
    start: float | None,
    end: float | None,
    prices: Prices | None = None,
) -> Iterator[Rows]:
    """As `iter_rows`, of a series that the lake does not keep; `prices` None: on the lake's."""
    from spreadlake.research import computed_rows  # noqa: PLC0415

    definition = lake_definition(lake)
    definition = definition._replace(prices=prices or definition.prices)
    for frame in computed_rows(lake, key, definition, start, end):
        yield [(*row, definition.prices) for row in frame.select(columns).rows()]


def iter_unkept(
    lake: Lake, key: SeriesKey, columns: Sequence[str], start: float | None, end: float | None
) -> Iterator[Rows]:
    """As `iter_rows`, of a series that the job does not keep up to date, or no longer does.

    It is computed; of the time before the bars that there are, what the lake has of it is taken.
    """
    # Where rows are kept for longer than bars, the rows of before come from there as well.
    begin = start
    if key in available_series(lake):
        begin = max(start or 0, kept_from(lake, key, BARS)) or start
    if begin is not None and end is not None and end < begin:
        yield from iter_rows(lake, key, columns, start, end)
        return
    computed = (piece for piece in iter_computed(lake, key, columns, begin, end) if piece)
    try:
        first = next(computed, None)
    except InputError:  # there are no bars of a leg
        first = None
        if key not in available_series(lake):
            raise
    yield from iter_rows(lake, key, columns, start, end if first is None else first[0][0] - 1)
    if first is not None:
        yield first
        yield from computed


def is_kept(lake: Lake, key: SeriesKey) -> bool:
    """Whether the job keeps the series up to date, and the lake has all of its rows then."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return False
        found = db.execute(f"SELECT 1 FROM pair_status WHERE {PAIR_ANALYTICS.is_series}", key)
        return found.fetchone() is not None


def kept_from(lake: Lake, key: SeriesKey, table: Table = PAIR_ANALYTICS) -> int:
    """Rows of a series, or its bars, before this time (s) were removed; 0: none were."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return 0
        if table is PAIR_ANALYTICS:
            return removed_before(db, table, key.timeframe)
        from spreadlake.research.bar_source import BarSource  # noqa: PLC0415

        try:
            source = BarSource.of(db, lake, key.timeframe, key.legs)
        except InputError:  # there are no bars, and so none that were removed
            return 0
        return removed_before(db, BARS, source.stored)


def refuse_removed(lake: Lake, key: SeriesKey, *times: float | None) -> None:
    """RemovedError where one of the times asked for is before the rows of a kept series."""
    with snapshot(lake.analytics_db) as db:
        if db is not None:
            refuse_removed_rows(db, lake, PAIR_ANALYTICS, key.timeframe, *times)


def what_there_is(lake: Lake, key: SeriesKey) -> str:
    """From when to when the lake has bars of both legs, and how many a row needs."""
    from spreadlake.research.bar_source import BarSource  # noqa: PLC0415

    with snapshot(lake.analytics_db) as db:
        if db is None:
            return "the lake has no analytics yet"
        try:
            source = BarSource.of(db, lake, key.timeframe, key.legs)
        except InputError as error:
            return str(error)
    low, seconds = max(source.first[symbol] for symbol in key.legs), source.length
    bars = max(0, source.end - low)
    if not bars:
        return f"the lake has no finished {key.timeframe} bar of both yet"
    first, last = iso_utc(low * seconds), iso_utc((source.end - 1) * seconds)
    return (
        f"the lake has {bars:,} bars of both, from {first} to {last}, "
        f"and a row needs {key.window} of them"
    )


def require_bars(lake: Lake) -> None:
    """LakeError where there is no lake, InputError where nothing was analysed yet."""
    require_lake(lake)
    if not lake.analytics_db.exists():
        raise InputError(
            f"the lake in {lake.root} has no bars yet; run spreadlake analyse --once on it"
        )


def lake_definition(lake: Lake) -> SeriesDefinition:
    """That of the lake's stored series; of the configuration where it has none."""
    with snapshot(lake.analytics_db) as db:
        stored = None if db is None else stored_definition(db)
        prices = None if db is None else lake_prices(db)
    if stored is not None:
        return stored
    from spreadlake.config.load import find_config, load_settings  # noqa: PLC0415

    settings = load_settings(find_config(None))
    kalman = settings.kalman
    return SeriesDefinition(
        settings.max_stale_bars,
        kalman.delta,
        kalman.observation_variance,
        prices or settings.prices,
    )
