"""Charts of long ranges: every excursion is in them, whatever they are read from, in few points."""

import json
import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from grafana.source.pair_plan import MOST_COMPUTED, MOST_REACH
from spreadlake.pairs import Pair
from spreadlake.times import timeframe_seconds
from tests.grafana.day_lake import BREAK, DAY, KEPT, OTHER, build_day, rows_of
from tests.grafana.lake_fixture import FixtureLake, build_lake
from tests.grafana.rendering import Table, fill, query
from tests.grafana.test_queries import of, panel_query

END = 1_900_000_007
RANGES = {"15 min": 900, "1 h": 3_600, "4 h": 14_400, "24 h": DAY}
MOST_POINTS, MOST_BYTES = 1_300, 1_000_000
ENVELOPES = {
    "zscore": ("zscore", pl.col("zscore")),
    "deviation": ("spread", pl.col("spread") - pl.col("spread_mean")),
    "beta": ("beta", pl.col("beta")),
    "correlation": ("correlation", pl.col("correlation")),
    "return_correlation": ("return_correlation", pl.col("return_correlation")),
}
CHARTS = of("z-score ·")
# What each chart reads, by the panel that asks; others read from these.
QUERIES = {
    CHARTS.sql: ("zscore", "deviation"),
    panel_query(13).sql: ("beta", "correlation", "return_correlation"),
}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> FixtureLake:
    return build_day(tmp_path_factory.mktemp("day"), END)


@pytest.fixture(scope="module")
def rows(day: FixtureLake) -> dict[tuple[Pair, str], pl.DataFrame]:
    """What is true: every row of both pairs."""
    both = [(pair, timeframe) for pair in (KEPT, OTHER) for timeframe in ("1s", "1m")]
    return {(pair, timeframe): rows_of(day.lake, pair, timeframe) for pair, timeframe in both}


def asked(day: FixtureLake, pair: Pair, seconds: int, sql: str = CHARTS.sql, **kw: str) -> Table:
    legs = {"symbol_a": pair.a, "symbol_b": pair.b}
    until = day.end + 1
    return query(day.lake.root, fill(sql, until - seconds, until, seconds / 1_000, **legs, **kw))


def step_of(found: Table) -> int:
    times: list[int] = found.column("time")
    return min(after - before for before, after in pairwise(times))


def steps_of(rows: pl.DataFrame, since: int, step: int) -> dict[int, dict[str, Any]]:
    """Lowest, highest and last of each step, in plain polars."""
    grouped = rows.filter(pl.col("time") >= since).group_by(
        (pl.col("time") // step * step).alias("time"), maintain_order=True
    )
    found = grouped.agg(
        *(value.min().alias(f"{name}_min") for name, (_, value) in ENVELOPES.items()),
        *(value.max().alias(f"{name}_max") for name, (_, value) in ENVELOPES.items()),
        *(
            value.drop_nulls().last().alias(f"{name}_last")
            for name, (_, value) in ENVELOPES.items()
        ),
    )
    return {row["time"]: row for row in found.iter_rows(named=True)}


def assert_envelopes(
    day: FixtureLake,
    pair: Pair,
    seconds: int,
    rows: pl.DataFrame,
    since: int,
    length: int,
    **chosen: str,
) -> None:
    for sql, names in QUERIES.items():
        assert_envelope(asked(day, pair, seconds, sql, **chosen), names, rows, since, length)


def assert_envelope(
    found: Table, names: Sequence[str], rows: pl.DataFrame, since: int, length: int
) -> None:
    step = step_of(found)
    wanted = steps_of(rows, since, step)
    drawn = {row["time"]: row for row in map(found.row, range(len(found.rows)))}
    for time in set(wanted) - set(drawn):
        assert all(wanted[time][f"{name}_max"] is None for name in names), time
    empty = [time for time, row in drawn.items() if row[ENVELOPES[names[0]][0]] is None]
    assert all(after - before > step for before, after in pairwise(empty)), "one breaks the line"
    for time, row in drawn.items():
        if time not in wanted:
            assert time in empty, "the line is broken where there are no bars"
            continue
        for name in names:
            last, _ = ENVELOPES[name]
            for end in ("min", "max") if step > length else ():
                assert_close(row[f"{name}_{end}"], wanted[time][f"{name}_{end}"], (time, name, end))
            assert_close(row[last], wanted[time][f"{name}_last"], (time, name))


def assert_close(found: float | None, wanted: float | None, where: object) -> None:
    assert (found is None) == (wanted is None), (where, found, wanted)
    if found is not None and wanted is not None:
        assert math.isclose(found, wanted, rel_tol=1e-7, abs_tol=1e-7), (where, found, wanted)


@pytest.mark.parametrize("seconds", RANGES.values(), ids=RANGES)
def test_a_pair_that_is_kept_is_drawn_on_all_its_bars(
    day: FixtureLake, rows: dict[tuple[Pair, str], pl.DataFrame], seconds: int
) -> None:
    found = asked(day, KEPT, seconds)
    since = day.end + 1 - seconds
    assert str(found.row()["drawn"]).startswith("1s bars, ")
    assert_envelopes(day, KEPT, seconds, rows[KEPT, "1s"], since, 1)
    zscores = rows[KEPT, "1s"].filter(pl.col("time") >= since)["zscore"].drop_nulls()
    share = 100 * (zscores.abs() >= 2).sum() / len(zscores)
    assert found.row()["share"] == f"|z| ≥ 2 in {share:.1f} % of {len(zscores):,} bars"


@pytest.mark.parametrize("seconds", RANGES.values(), ids=RANGES)
def test_any_other_pair_is_drawn_on_all_bars_of_the_timeframe_that_is_said(
    day: FixtureLake, rows: dict[tuple[Pair, str], pl.DataFrame], seconds: int
) -> None:
    found = asked(day, OTHER, seconds)
    timeframe = "1s" if seconds + 300 <= MOST_COMPUTED else "1m"
    said = str(found.row()["drawn"])
    assert said.startswith(f"{timeframe} bars, ")
    assert ("not 1s: the range has too many bars of 1s" in said) == (timeframe == "1m")
    length, since = timeframe_seconds(timeframe), day.end + 1 - seconds
    assert_envelopes(day, OTHER, seconds, rows[OTHER, timeframe], since, length)
    zscores = rows[OTHER, timeframe].filter(pl.col("time") >= since)["zscore"].drop_nulls()
    share = 100 * (zscores.abs() >= 2).sum() / len(zscores)
    assert found.row()["share"] == f"|z| ≥ 2 in {share:.1f} % of {len(zscores):,} bars"


@pytest.mark.parametrize(("before", "seconds"), [(0, 14_400), (1_234, 15_003), (12_345, 40_007)])
def test_nothing_outside_of_a_range_is_drawn_or_counted(
    day: FixtureLake, rows: dict[tuple[Pair, str], pl.DataFrame], before: int, seconds: int
) -> None:
    """Though the roll-ups at both of its ends reach beyond it."""
    until = day.end - before
    since = until - seconds
    sql = fill(CHARTS.sql, since, until, seconds / 1_000)
    found = query(day.lake.root, sql)
    assert "one point per" in str(found.row()["drawn"])
    inside = rows[KEPT, "1s"].filter(pl.col("time").is_between(since, until))
    for chart, names in QUERIES.items():
        part = query(day.lake.root, fill(chart, since, until, seconds / 1_000))
        assert_envelope(part, names, inside, since, 1)
    zscores = inside["zscore"].drop_nulls()
    share = 100 * (zscores.abs() >= 2).sum() / len(zscores)
    assert found.row()["share"] == f"|z| ≥ 2 in {share:.1f} % of {len(zscores):,} bars"


@pytest.mark.parametrize("lookback", ["3000", "100000"])
def test_a_lookback_of_more_bars_than_there_are_is_drawn(tmp_path: Path, lookback: str) -> None:
    lake = build_lake(tmp_path, END, 2_400)
    true = rows_of(lake.lake, KEPT, "1s", lookback=int(lookback))
    for seconds in (900, 2_400, 14_400):
        found = asked(lake, KEPT, seconds, lookback=lookback)
        assert str(found.row()["drawn"]).startswith("1s bars, ")
        assert_envelopes(lake, KEPT, seconds, true, END + 1 - seconds, 1, lookback=lookback)


@pytest.mark.parametrize("seconds", RANGES.values(), ids=RANGES)
@pytest.mark.parametrize("pair", [KEPT, OTHER], ids=["kept", "not kept"])
def test_every_query_is_bounded_by_pixels(day: FixtureLake, pair: Pair, seconds: int) -> None:
    for title in ("z-score", "Prices", "Hedge ratio", "${symbol_a} ·", "${symbol_a}_"):
        found = asked(day, pair, seconds, of(title).sql)
        assert 0 < len(found.rows) <= MOST_POINTS, title
        assert len(json.dumps(list(zip(*found.rows, strict=True)))) < MOST_BYTES, title


@pytest.mark.parametrize("seconds", RANGES.values(), ids=RANGES)
@pytest.mark.parametrize("pair", [KEPT, OTHER], ids=["kept", "not kept"])
def test_a_column_of_numbers_has_hardly_a_cell_without_one(
    day: FixtureLake, pair: Pair, seconds: int
) -> None:
    """The data source logs each that comes after a number, at ten times what a number costs."""
    for sql in (*QUERIES, of("Prices").sql):
        found = asked(day, pair, seconds, sql)
        logged = 0
        for name in found.columns:
            cells = list(dropwhile(lambda cell: cell is None, found.column(name)))
            logged += sum(cell is None for cell in cells if not isinstance(cells[0], str))
        assert logged < 100, found.columns


def test_it_is_said_at_which_step(day: FixtureLake) -> None:
    said = {
        seconds: asked(day, KEPT, seconds).row()["drawn"] for seconds in (900, 3_600, 14_400, DAY)
    }
    assert said == {
        900: "1s bars, each a point",
        3_600: "1s bars, one point per 10 s: lowest, highest and last",
        14_400: "1s bars, one point per 1 min: lowest, highest and last",
        DAY: "1s bars, one point per 3 min: lowest, highest and last",
    }


def test_a_break_breaks_the_line(day: FixtureLake) -> None:
    for pair in (KEPT, OTHER):
        found = asked(day, pair, DAY)
        inside = [time for time in found.column("time")
                  if day.start + BREAK[0] + 400 < time < day.start + BREAK[1] - 200]  # fmt: skip
        assert not inside
        broken = [row for row in map(found.row, range(len(found.rows))) if row["zscore"] is None]
        assert broken
        assert all(row["above"] is None and row["below"] is None for row in broken)


@pytest.mark.parametrize(("threshold", "said"), [("2.2", " to "), ("0.5", " to "), ("3", "")])
def test_of_a_threshold_that_is_not_counted_there_is_said_between_which_shares_it_is(
    day: FixtureLake, rows: dict[tuple[Pair, str], pl.DataFrame], threshold: str, said: str
) -> None:
    share = str(asked(day, KEPT, DAY, threshold=threshold).row()["share"])
    zscores = rows[KEPT, "1s"].filter(pl.col("time") >= day.start // 60 * 60)["zscore"].drop_nulls()
    true = 100 * (zscores.abs() >= float(threshold)).sum() / len(zscores)
    assert (" to " in share) == bool(said)
    numbers = [
        float(word) for word in share.partition(";")[0].split() if word.replace(".", "").isdigit()
    ][1:]
    assert numbers[0] - 0.06 <= true <= numbers[-1] + 0.06
    assert ("counted for 1, 1.5, 2" in share) == bool(said)


def test_a_lake_that_keeps_half_a_day_in_sqlite_still_shows_the_day(tmp_path: Path) -> None:
    lake = build_day(tmp_path, END, hot_hours=12)
    whole = asked(lake, KEPT, DAY)
    assert len(whole.rows) > 400
    assert str(whole.row()["drawn"]).startswith("1s bars")
    other = asked(lake, OTHER, DAY)
    assert str(other.row()["drawn"]).startswith("1m bars")
    until = lake.end + 1 - 20 * 3600  # an hour of which SQLite has neither bars nor rows
    legs = {"symbol_a": OTHER.a, "symbol_b": OTHER.b}
    early = query(tmp_path, fill(CHARTS.sql, until - 600, until, 1, **legs))
    assert "not 1s: older bars are in Parquet of 1s" in str(early.row()["drawn"])
    early = query(tmp_path, fill(CHARTS.sql, until - 600, until))
    assert str(early.row()["drawn"]).startswith("1s bars, one point per 1 min")


def test_without_a_longer_timeframe_the_newest_part_is_drawn_and_that_is_said(
    tmp_path: Path,
) -> None:
    lake = build_day(tmp_path, END, kept=())
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:
        for table in ("bars", "first_bars"):
            db.execute(f"DELETE FROM {table} WHERE timeframe = '1m'")
    found = asked(lake, OTHER, DAY)
    assert found.column("time")[0] >= END - MOST_COMPUTED
    assert "; only the newest " in str(found.row()["drawn"])
    assert "of the range" in str(found.row()["drawn"])
    assert asked(lake, OTHER, DAY, lookback="100000").rows == []
    for title in ("Prices", "${symbol_a} ·"):
        assert 100 < len(asked(lake, OTHER, DAY, of(title).sql).rows) < MOST_POINTS


def test_a_lookback_that_is_too_long_to_compute_is_said_and_what_is_kept_is_shown(
    tmp_path: Path,
) -> None:
    """The tiles and the table: they would read as many bars at every refresh."""
    lake = build_day(tmp_path, END)
    long = str(MOST_REACH + 1)
    for pair in (KEPT, OTHER):
        state = asked(lake, pair, 900, of("z · ").sql, lookback=long).row()
        assert "not computed here" in str(state["state"])
        assert (state["zscore"], state["beta"]) == (None, None)
        assert asked(lake, pair, 900, panel_query(18).sql, lookback=long).rows == []
    within = asked(lake, OTHER, 900, of("z · ").sql, lookback=str(MOST_REACH)).row()
    assert str(within["state"]).startswith(("ready", "late"))
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:
        for table in ("series", "pair_analytics"):
            db.execute(f"UPDATE {table} SET lookback_bars = ? WHERE timeframe = '1s'", (long,))
    state = asked(lake, KEPT, 900, of("z · ").sql, lookback=long).row()
    assert str(state["state"]).startswith(("ready", "late"))
    shown = asked(lake, KEPT, 900, panel_query(18).sql, lookback=long)
    assert len(shown.rows) == 300
    stored = rows_of(lake.lake, KEPT, "1s").tail(300).reverse()
    for name in ("time", "zscore", "beta", "correlation"):
        assert shown.column(name) == pytest.approx(stored[name].to_list()), name
    assert state["zscore"] == pytest.approx(stored["zscore"][0])
    assert state["beta"] == pytest.approx(stored["beta"][0])
