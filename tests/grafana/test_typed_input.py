"""What was typed and is no number in range is told in words, and nothing is computed with it."""

import re
from typing import Any

import pytest

from grafana.source.sql import ASKED, WRONG
from grafana.source.style import ALARM
from tests.grafana.lake_fixture import FixtureLake
from tests.grafana.rendering import LakeQuery, dashboard, fill, lake_queries, query

BARS = "is not a whole number of bars from 2 to 100,000"
ABOVE_0 = "is not a number above 0, up to 100"
ALLOWED = {"window": BARS, "lookback": BARS, "threshold": ABOVE_0}
LABELS = {"window": "z window", "lookback": "lookback", "threshold": "threshold"}
REFUSED = {
    "window": ("abc", "", "-5", "0", "1", "1e9", "60.5", "5 OR 1", "100001", "６０", "0x40"),
    "lookback": ("abc", "", "-5", "0", "1", "1e9", "60.5", "5 OR 1", "99999999999999999999"),
    "threshold": ("abc", "", "-5", "0", "1e9", "2.5.1", ".", "5 OR 1", "101", "inf", "nan", "2,5"),
}
TYPED = [(name, value) for name, values in REFUSED.items() for value in values]
# The panel whose query “State” reads, on each dashboard.
SAYS = {"spreadlake-pair": "z · ${symbol_a}/${symbol_b}", "spreadlake-overview": "Pairs"}
BOARDS = tuple(SAYS)


def said(lake: FixtureLake, board: str, **typed: str) -> dict[str, Any]:
    found = next(one for one in lake_queries(dashboard(board)) if one.where == SAYS[board])
    sql = fill(found.sql, lake.end - 900, lake.end + 1, 1, **typed)
    return query(lake.lake.root, sql, lake.end + 1).row()


@pytest.mark.parametrize(("name", "value"), TYPED)
def test_it_is_refused_with_what_is_allowed(
    fixture_lake: FixtureLake, name: str, value: str
) -> None:
    sql = fill(f"SELECT {WRONG}, {ASKED}", 0, 1, 1, **{name: value})
    ((told, asked),) = query(fixture_lake.lake.root, sql).rows
    assert told == f"{LABELS[name]} “{value}” {ALLOWED[name]}; choose another above"
    assert not asked


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", ALLOWED)
def test_a_sentence_says_it_and_there_is_no_number(
    fixture_lake: FixtureLake, board: str, name: str
) -> None:
    row = said(fixture_lake, board, **{name: "abc"})
    told = row.pop("state")
    assert told.startswith(f"{LABELS[name]} “abc” {ALLOWED[name]}")
    row = {key: one for key, one in row.items() if key not in ("newest_from", "newest_to")}
    assert {one for one in row.values() if one != told} == {None}, row


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize(("name", "value"), [(name, REFUSED[name][0]) for name in REFUSED])
def test_no_chart_and_no_table_has_a_row(
    fixture_lake: FixtureLake, board: str, name: str, value: str
) -> None:
    found = [one for one in lake_queries(dashboard(board)) if reads(one, name)]
    assert found
    for one in found:
        sql = fill(one.sql, fixture_lake.end - 900, fixture_lake.end + 1, 1, **{name: value})
        assert query(fixture_lake.lake.root, sql).rows == [], one.where


def reads(found: LakeQuery, name: str) -> bool:
    """Whether a panel's query, but not that of “State”, reads the variable."""
    return f"${{{name}:" in found.sql and found.where not in SAYS.values()


def test_what_is_a_number_is_one_however_it_is_written(fixture_lake: FixtureLake) -> None:
    for name, value, same in (
        ("window", " 60", "60"), ("window", "060", "60"), ("threshold", ".5", "0.5"),
        ("threshold", "2.", "2"), ("threshold", "100", "100.0"),
    ):  # fmt: skip
        given = said(fixture_lake, "spreadlake-pair", **{name: value})
        wanted = said(fixture_lake, "spreadlake-pair", **{name: same})
        assert given["zscore"] is not None
        assert (given["zscore"], given["z"]) == (wanted["zscore"], wanted["z"])


def test_several_are_told_at_once(fixture_lake: FixtureLake) -> None:
    told = said(fixture_lake, "spreadlake-pair", window="abc", lookback="", threshold="-5")["state"]
    assert all(f"{name} “{value}” is not" in told for name, value in (
        ("window", "abc"), ("lookback", ""), ("threshold", "-5"),
    ))  # fmt: skip


@pytest.mark.parametrize("board", BOARDS)
def test_the_sentence_has_no_alarm_colour(fixture_lake: FixtureLake, board: str) -> None:
    told = said(fixture_lake, board, window="abc")["state"]
    (panel,) = [one for one in dashboard(board)["panels"] if one["title"] == "State"]
    mappings = panel["fieldConfig"]["defaults"]["mappings"]
    by_order = sorted((one["options"] for one in mappings), key=lambda one: one["result"]["index"])
    first = next(one for one in by_order if re.search(one["pattern"].strip("/"), told))
    assert first["result"]["color"] != ALARM
