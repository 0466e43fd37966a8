"""Series of pair analytics that the lake does not keep, computed from its bars."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.lake.definition import SeriesDefinition, stored_definition
from spreadlake.pairs import parse_pair
from spreadlake.status.choose import SeriesKey
from spreadlake.status.snapshots import snapshot
from spreadlake.times import iso_utc, timeframe_seconds

if TYPE_CHECKING:
    from spreadlake.research import PairSeries

# What computes is imported where it is used: polars and numpy are slow to import.


def bar_seconds(key: SeriesKey) -> int:
    """Length of the series' bars; InputError for a timeframe that is none."""
    try:
        return timeframe_seconds(key.timeframe)
    except ValueError as error:
        raise InputError(str(error)) from None


def iter_computed(
    lake: Lake, key: SeriesKey, columns: list[str], start: float | None, end: float | None
) -> Iterator[list[tuple[Any, ...]]]:
    """Pieces of rows with start <= time <= end (Unix seconds), as `iter_rows` reads stored ones."""
    from spreadlake.research import computed_rows  # noqa: PLC0415

    for frame in computed_rows(lake, _series(key), lake_definition(lake), start, end):
        yield frame.select(columns).rows()


def what_there_is(lake: Lake, key: SeriesKey) -> str:
    """From when to when the lake has bars of both legs, and how many a row needs."""
    from spreadlake.research.bar_source import BarSource  # noqa: PLC0415

    pair = parse_pair(key.pair)
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return "the lake has no analytics yet"
        try:
            source = BarSource.of(db, lake, key.timeframe, pair)
        except InputError as error:
            return str(error)
    low, seconds = max(source.first[symbol] for symbol in pair), source.length
    bars = max(0, source.end - low)
    if not bars:
        return f"the lake has no finished {key.timeframe} bar of both yet"
    first, last = iso_utc(low * seconds), iso_utc((source.end - 1) * seconds)
    return (
        f"the lake has {bars:,} bars of both, from {first} to {last}, "
        f"and a row needs {key.window} of them"
    )


def _series(key: SeriesKey) -> "PairSeries":
    from spreadlake.research import PairSeries  # noqa: PLC0415

    return PairSeries(parse_pair(key.pair), key.timeframe, key.window, key.lookback)


def lake_definition(lake: Lake) -> SeriesDefinition:
    """That of the lake's stored series; of the configuration where it has none."""
    with snapshot(lake.analytics_db) as db:
        stored = None if db is None else stored_definition(db)
    if stored is not None:
        return stored
    from spreadlake.config.load import find_config, load_settings  # noqa: PLC0415

    settings = load_settings(find_config(None))
    kalman = settings.kalman
    return SeriesDefinition(settings.max_stale_bars, kalman.delta, kalman.observation_variance)
