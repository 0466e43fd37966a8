"""Small numbers keep their digits on the dashboards, and what is not of now says as of when."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grafana.source.sql import probability, rounded, significant
from grafana.source.style import ALARM, GOOD, OLD
from spreadlake.lake import Lake, atomic, open_analytics_writer
from tests.grafana.lake_fixture import FixtureLake, build_lake
from tests.grafana.rendering import dashboard, fill, query

OVERVIEW = "spreadlake-overview"
SCREEN = "spreadlake-screen"
PAIR = "spreadlake-pair"
BEFORE = 1_000  # bars of which the fixture has some before them


def value(sql: str) -> Any:
    with closing(sqlite3.connect(":memory:")) as db:
        return db.execute(f"SELECT {sql}").fetchone()[0]


@pytest.mark.parametrize(
    ("number", "text", "cell"),
    [
        ("2.98123e-6", "0.0000029812", 2.9812e-6),
        ("-2.98123e-6", "−0.0000029812", -2.9812e-6),
        ("2.98123e-8", "2.9812e−08", 2.9812e-8),
        ("19.83712", "19.837", 19.837),
        ("0.5", "0.50000", 0.5),
        ("9999.96", "10,000.0", 10_000.0),
        ("335120.44", "335,120", 335_120.0),
        ("-1234567.8", "−1,234,568", -1_234_568.0),
        ("0.0", "0", 0.0),
        ("NULL", None, None),
    ],
)
def test_five_digits_whatever_the_size(number: str, text: str | None, cell: float | None) -> None:
    assert value(significant(number)) == text
    assert value(rounded(number)) == cell


def test_a_probability_is_never_zero() -> None:
    assert [value(probability(p)) for p in ("0.0", "1e-9", "0.00099", "0.0124", "1.0", "NULL")] == [
        "< 0.001", "< 0.001", "< 0.001", "0.012", "1.000", None,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def cheap(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A coin of a millionth against one of 60,000, of bars alone."""
    lake = Lake(tmp_path_factory.mktemp("cheap"))
    rng = np.random.default_rng(3)
    common = np.cumsum(rng.normal(0, 1e-4, 400))
    with closing(open_analytics_writer(lake)) as db, atomic(db):
        for symbol, price in (("CHEAPUSDT", 1e-6), ("BTCUSDT", 60_000.0)):
            closes = price * np.exp(common + rng.normal(0, 2e-5, 400))
            db.executemany(
                "INSERT INTO bars VALUES (?1, '1s', ?2, ?3, ?3, ?3, ?3, 1, 1, 1, 1)",
                [(symbol, END - 399 + at, float(close)) for at, close in enumerate(closes)],
            )
            db.execute("INSERT INTO first_bars VALUES (?, '1s', ?)", (symbol, END - 399))
    return lake


END = 1_900_000_000


def test_the_tile_of_a_cheap_coin_has_five_digits_of_its_hedge_ratio(cheap: Lake) -> None:
    sql = fill(of(PAIR, 1), END - 300, END, 1, symbol_a="CHEAPUSDT", symbol_b="BTCUSDT")
    row = query(cheap.root, sql, END + 1).row()
    assert 1e-12 < row["beta"] < 1e-10
    assert re.fullmatch(r"\d\.\d{4}e−1[12]", row["beta_text"]), row["beta_text"]
    assert float(row["beta_text"].replace("−", "-")) == pytest.approx(row["beta"], rel=1e-4)


def of(board: str, panel: int) -> str:
    (found,) = [one for one in dashboard(board)["panels"] if one["id"] == panel]
    return str(found["targets"][0]["queryText"])


def shown(lake: FixtureLake, board: str, panel: int, until: int, now: int, **chosen: str) -> Any:
    sql = fill(of(board, panel), until - 900, until, 1, **chosen)
    return query(lake.lake.root, sql, now)


def colour(board: str, panel: int, field: str, text: str) -> str:
    """The colour that a text has in a panel."""
    (found,) = [one for one in dashboard(board)["panels"] if one["id"] == panel]
    config = found["fieldConfig"]
    own = [
        one["value"]
        for override in config["overrides"]
        if override["matcher"]["options"] == field
        for one in override["properties"]
        if one["id"] == "mappings"
    ]
    options = [one["options"] for one in (own or [config["defaults"]["mappings"]])[0]]
    for one in sorted(options, key=lambda one: one["result"]["index"]):
        if re.search(one["pattern"].strip("/"), text):
            return str(one["result"]["color"])
    return "none"


PLACES = [
    (PAIR, 1, {"z": 1, "state_text": 3, "age_text": 4, "beta_text": 4}),
    (OVERVIEW, 1, {"state": 2, "stretched": 1, "ready": 1, "age_text": 1}),
    (OVERVIEW, 5, {"z": 5, "state": 5}),
    (SCREEN, 1, {"state": 2, "tested": 1, "cointegrated": 1, "age_text": 1}),
]


@pytest.mark.parametrize(("board", "panel", "fields"), PLACES)
def test_now_has_no_word_of_before(
    fixture_lake: FixtureLake, board: str, panel: int, fields: dict[str, int]
) -> None:
    end = fixture_lake.end + 1
    row = shown(fixture_lake, board, panel, end, end).row()
    for field, place in fields.items():
        assert "as of" not in row[field]
        assert colour(board, place, field, row[field]) != OLD


@pytest.mark.parametrize(("board", "panel", "fields"), PLACES)
@pytest.mark.parametrize("case", ["zoomed into the past", "a lake of yesterday"])
def test_what_is_not_of_now_says_as_of_when_in_its_own_colour(
    fixture_lake: FixtureLake, board: str, panel: int, fields: dict[str, int], case: str
) -> None:
    newest = fixture_lake.end if case == "a lake of yesterday" else fixture_lake.end - BEFORE
    until = newest + 1 if case == "zoomed into the past" else newest + 86_400
    now = newest + 86_400 if case == "a lake of yesterday" else fixture_lake.end + 1
    row = shown(fixture_lake, board, panel, until, now).row()
    for field, place in fields.items():
        text = row[field]
        signed = field in ("beta_text",) or (field == "z" and board == OVERVIEW)
        assert re.search("^○" if signed else r"as of|newest is of", text), (field, text)
        assert colour(board, place, field, text) == OLD, (field, text)
        assert OLD not in (GOOD, ALARM)


@pytest.mark.parametrize(("board", "panel", "field"), [(PAIR, 17, "state"), (OVERVIEW, 6, "since")])
@pytest.mark.parametrize("age", [0, 86_400])
def test_an_alert_that_was_open_yesterday_is_not_open_now(
    fixture_lake: FixtureLake, board: str, panel: int, field: str, age: int
) -> None:
    end = fixture_lake.end + 1
    legs = {"symbol_a": "ETHUSDT", "symbol_b": "SOLUSDT"}
    text = shown(fixture_lake, board, panel, end, end + age, **legs).row()[field]
    assert ("as of" in text) == bool(age), text
    assert (colour(board, panel, field, text) == OLD) == bool(age), text


def test_the_numbers_of_the_overview_are_of_the_time_that_is_shown(
    fixture_lake: FixtureLake,
) -> None:
    """With the states of now beside numbers of before, neither would be true."""
    until = fixture_lake.end - BEFORE
    found = shown(fixture_lake, OVERVIEW, 5, until, fixture_lake.end + 1)
    for row in map(found.row, range(len(found.rows))):
        ((stored,),) = query(
            fixture_lake.lake.root,
            f"SELECT zscore FROM pair_analytics WHERE pair = '{row['pair']}' AND time = {until} "
            "AND timeframe = '1s' AND window_bars = 60",
        ).rows
        assert row["z"].endswith(f"{stored:+.2f}".replace("-", "−"))


def test_a_half_life_that_is_none_says_why(tmp_path: Path) -> None:
    lake = build_lake(tmp_path, END, seconds=700)
    end = lake.end + 1

    def told(**chosen: str) -> Any:
        return shown(lake, PAIR, 1, end, end, **chosen).row()["half_life_text"]

    assert told() == "41.0"
    assert told(lookback="301") == "not kept"
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:
        db.execute("UPDATE pair_tests SET half_life = NULL, adf_pvalue = 1e-7")
    assert told() == "overshoots"
    assert shown(lake, PAIR, 1, end, end).row()["adf_pvalue_text"] == "< 0.001"
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:
        db.execute("DELETE FROM pair_tests")
    assert told() == "not yet"
    assert told(window="abc") is None


def test_pictures_of_the_last_bars_have_lines_at_zero_and_at_the_threshold(tmp_path: Path) -> None:
    """Also where the lake is an old one and the time range is of now."""
    lake = build_lake(tmp_path, END, seconds=700)
    found = shown(lake, OVERVIEW, 5, END + 10**6, END + 10**6, threshold="1.25")
    for picture in found.column("trend"):
        assert picture.startswith("data:image/svg+xml;utf8,<svg ")
        for level in ("0", "1.25", "-1.25"):
            assert f'd="M0 {level}H' in picture
        assert picture.count("L") > 50, "the line itself"
        assert OLD[1:] in picture
        assert ALARM[1:] not in picture
