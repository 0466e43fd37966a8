"""What the dashboard of screens draws: bounded by pixels, nothing lost, words for what is not."""

import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from grafana.source.style import IS_OLD
from spreadlake.lake import Lake, open_analytics_writer
from tests.fixture_lake import writing
from tests.grafana.rendering import Table, dashboard, fill, lake_queries, query

QUERIES = {one.where: one for one in lake_queries(dashboard("spreadlake-screen"))}
WIDTH = 500
RANKING = "Pairs by p-value, the first 500"
MINUTES, KEPT = 3_000, 40
START = int(time.time()) // 60 * 60 - 60 * (MINUTES + 1)
END = START + 60 * MINUTES  # of the last bar


def drawn(root: Path, title: str, since: float, until: float, **typed: str) -> Table:
    step = max(1.0, (until - since) / WIDTH)
    return query(root, fill(QUERIES[title].sql, since, until, step, **typed))


def found(minute: int) -> int:
    """Pairs of a screen that are cointegrated: one of them stands out."""
    return 900 if minute == 1234 else minute % 7 + 1


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = Lake(tmp_path_factory.mktemp("screens"))
    symbols = [f"S{number}USDT" for number in range(KEPT + 1)]
    with writing(open_analytics_writer(lake)) as db:
        for minute in range(MINUTES):
            key = (START + 60 * minute, "1m", 240, 60)
            row = (*key, found(minute))
            db.execute("INSERT INTO screens VALUES (?, ?, ?, ?, 41, 820, ?, 0.4)", row)
            db.executemany(
                f"INSERT INTO screen_pairs VALUES ({', '.join('?' * 25)})",
                [
                    (
                        *(*key, rank, *pair(symbols, rank, minute), -3.5, 1, 1e-5, 1e-5 * rank),
                        *(2.98e-6, 0.1, 0.9, 0.8, None, 30, 0.1, 1.5, 13.2, 10.5, 5.0, 1e6, 2e6),
                        minute / MINUTES,
                    )
                    for rank in range(1, KEPT + 1)
                ],
            )
        db.executemany(
            "INSERT INTO screen_correlations VALUES (?, '1m', 240, 60, ?, ?, ?, 0.5)",
            [(key[0], at, a, b) for at, a in enumerate(symbols) for b in reversed(symbols)],
        )
    return lake.root


def pair(symbols: list[str], rank: int, minute: int) -> tuple[str, str]:
    """Tested the other way round in every other screen."""
    legs = symbols[rank - 1], symbols[rank]
    return legs if minute % 2 else legs[::-1]


def test_what_is_drawn_is_bounded_and_loses_no_screen(root: Path) -> None:
    table = drawn(root, "Cointegrated pairs", START, END)
    assert WIDTH / 2 < len(table.rows) <= WIDTH + 2
    assert max(table.column("high")) == 900
    assert min(table.column("low")) == 1
    assert table.row(-1)["cointegrated"] == found(MINUTES - 1)
    each = drawn(root, "Cointegrated pairs", END - 6000, END - 60)
    assert each.column("cointegrated") == each.column("low") == each.column("high")
    assert len(each.rows) == 100


def test_persistence_follows_a_pair_whichever_way_round(root: Path) -> None:
    table = drawn(root, "Persistence of those on top", START, END)
    assert 8 * 150 <= len(table.rows) <= 8 * 202
    assert len(set(table.column("pair"))) == 8
    assert table.row(-1)["persistence"] == (MINUTES - 1) / MINUTES


def test_the_matrix_is_in_the_order_of_places(root: Path) -> None:
    table = drawn(root, "Correlation of returns, by what moves together", START, END)
    assert len(table.rows) == (KEPT + 1) ** 2
    assert table.column("symbol_b")[: KEPT + 1] == [f"S{number}USDT" for number in range(KEPT + 1)]


def said(root: Path, until: float, **typed: str) -> dict[str, Any]:
    table = drawn(root, "The newest screen", until - 900, until, **typed)
    assert len(table.rows) == 1, "always one row, so that there is always a word"
    return table.row()


@pytest.mark.parametrize("typed", [{"qvalue": "abc"}, {"qvalue": ""}, {"volume": "1e6"}])
def test_a_wrong_input_is_a_sentence_and_no_row(root: Path, typed: dict[str, str]) -> None:
    assert "is not a number such as" in said(root, END, **typed)["state"]
    for title in (RANKING, "Edge by q-value"):
        assert drawn(root, title, START, END, **typed).rows == []


def test_a_right_input_chooses(root: Path) -> None:
    assert len(drawn(root, RANKING, START, END).rows) == KEPT
    assert len(drawn(root, RANKING, START, END, qvalue="0.0002").rows) == 20
    assert drawn(root, RANKING, START, END, volume="1500000").rows == []


def test_small_numbers_keep_their_digits(root: Path) -> None:
    assert drawn(root, RANKING, START, END).row()["beta"] == 2.98e-6


def test_what_is_old_says_as_of_when(root: Path, tmp_path: Path) -> None:
    """The newest screen is one of now, however long the tests before took."""
    of_now = shutil.copytree(root, tmp_path / "lake")
    with writing(open_analytics_writer(Lake(of_now))) as db:
        times = (int(time.time()) // 60 * 60 - 60, END - 60)
        for table in ("screens", "screen_pairs", "screen_correlations"):
            db.execute(f"UPDATE {table} SET time = ? WHERE time = ?", times)
    now = said(of_now, time.time())
    assert now["state"] == "ready: a screen of 41 symbols"
    assert not re.search(IS_OLD, now["age_text"])
    then = said(root, START + 60_000)
    assert re.fullmatch(r"ready: a screen of 41 symbols · as of [\d :-]+", then["state"])
    assert re.search(IS_OLD, then["age_text"])


def test_why_nothing_is_there(root: Path, tmp_path: Path) -> None:
    before = str(said(root, START - 60)["state"])
    assert before.startswith("no screen of this kind up to the end of this time range; the oldest")
    assert said(root, END, screen="5m 240 60")["state"] == (
        "no screen of this kind; choose another above"
    )
    open_analytics_writer(Lake(tmp_path)).close()
    assert said(tmp_path, END)["state"].startswith("no screen yet: enable it under [screen]")
    for title in QUERIES:
        if title != "The newest screen" and title != "variable page":
            assert drawn(tmp_path, title, START, END).rows == [], title


def test_links_carry_the_screens_own_series(root: Path) -> None:
    ((told,),) = drawn(root, "variable pair_link", 0, 1).rows
    assert told == (
        "var-symbol_a=S0USDT&var-symbol_b=S1USDT&var-timeframe=1m&var-window=60&var-lookback=240"
        "&var-prices=log"
    )
    ((told,),) = drawn(root, "variable page_link", 0, 1).rows
    assert told == "a=S0USDT&b=S1USDT&timeframe=1m&window=60&lookback=240&prices=log"


def test_a_tiny_q_is_read_as_less_than_a_thousandth_and_sorted_as_a_number() -> None:
    """A q of 4.95e-27 says no more than that; what is 0.001 or more keeps its digits."""
    (panel,) = [one for one in dashboard("spreadlake-screen")["panels"] if one["id"] == 5]
    style = {
        prop["id"]: prop["value"]
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["options"] == "qvalue"
        for prop in override["properties"]
    }
    (mapping,) = style["mappings"]
    assert mapping["type"] == "range"
    assert (mapping["options"]["from"], mapping["options"]["to"]) == (0, 0.000999999)
    assert mapping["options"]["result"]["text"] == "< 0.001"
