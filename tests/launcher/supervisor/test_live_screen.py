"""What the terminal shows: everything fits, what is left out is counted, states are told."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from launcher.supervisor.live_screen import LiveScreen, ShownSeries, draw, pick_pairs, summarise
from launcher.supervisor.live_view import Rate, watched_series
from spreadlake.config import load_settings
from spreadlake.status import (
    AlertReport,
    LakeReport,
    PairReport,
    ServiceReport,
    SymbolReport,
    TestsBacklog,
    report_on,
)
from tests.fixture_lake import START, make_lake

WATCHED = ShownSeries("1s", 60, 300, 2.0)
CHILDREN = {"simulator": "running", "collector": "running"}


def pair(
    name: str, zscore: float | None = 0.5, state: str = "ready", message: str = "ready"
) -> PairReport:
    values = (START, 60_000.0, 2_600.0, 23.07, 7.0, 2.0, zscore, 0.91, 0.8)
    return PairReport(name, "1s", 60, 300, state, 60, 60, message, *values)


def report(
    pairs: list[PairReport], symbols: int = 2, alerts: int = 0, ticks: int = 1_234
) -> LakeReport:
    named = [SymbolReport(f"SYM{i}USDT", 1.5 * i, 10, START, 0, 0) for i in range(symbols)]
    opened = [
        AlertReport("zscore", f"A{i}/B", "1s", 60, 300, 2.0, START + i, 2.1, -2.5)
        for i in range(alerts)
    ]
    return LakeReport(
        "data", START + 2.0, "demo", "aggTrade", [], ticks, 0, START + 1.0, START + 1.0, 1.0,
        named, [], pairs, opened, TestsBacklog(), [],
    )  # fmt: skip


def screen(content: LakeReport | None, log: int = 5) -> LiveScreen:
    lines = [f"2026-11-22T18:50:{i:02}Z collector     INFO    line {i}" for i in range(log)]
    facts = ["data   http://127.0.0.1:9464/metrics"]
    return LiveScreen("spreadlake demo", facts, [WATCHED], 75.0, 41.3, content, CHILDREN, lines)


def plain(lines: list[Text]) -> str:
    return "\n".join(line.plain for line in lines)


def style_at(line: Text, text: str) -> str:
    at = line.plain.index(text)
    return " ".join(str(span.style) for span in line.spans if span.start <= at < span.end)


many = [pair(f"LONGNAME{i}USDT/1000OTHER{i}USDT", (i - 30) / 10) for i in range(60)]


@given(
    st.integers(10, 250),
    st.integers(1, 70),
    st.integers(0, 60),
    st.integers(0, 40),
    st.integers(0, 9),
    st.integers(0, 200),
)
def test_it_fits_any_window(
    width: int, height: int, pairs: int, symbols: int, alerts: int, log: int
) -> None:
    lines = draw(screen(report(many[:pairs], symbols, alerts), log), width, height)
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    assert all("\n" not in line.plain for line in lines)


def test_a_usual_window_shows_all_there_is() -> None:
    pairs = [
        pair("SYM1USDT/SYM2USDT", -1.234),
        pair("A/B", None, "warming", "warming up: 37 of 60 bars"),
    ]
    text = plain(draw(screen(report(pairs, alerts=1)), 80, 24))
    for part in (
        "spreadlake demo",
        "1 min",
        "http://127.0.0.1:9464/metrics",
        "● simulator ● collector",
        "1,234 ticks, 41 a second; analysed up to 00:00:01 UTC, 1.0 s ago",
        "SYM1USDT 1.50000",
        "SYM1USDT/SYM2USDT   -1.23  +0.91     23.0700",
        "warming up: 37 of 60 bars",
        "1 open alert\n",
        "zscore: A0/B 1s/60 peaked at z -2.50, open for 1.0 s",
        "18:50:04Z collector     INFO    line 4",
    ):
        assert part in text
    assert "not shown" not in text


def test_a_message_is_told_to_its_end() -> None:
    words = " ".join(f"word{n}" for n in range(30))
    log = [
        "2026-11-22T18:50:00Z collector     WARNING the first",
        f"2026-11-22T18:50:01Z collector     WARNING {words} remedy",
        "2026-11-22T18:50:02Z collector     INFO    the last",
    ]
    lines = draw(replace(screen(None), log=log), 60, 40)
    text = " ".join(plain(lines).split())
    assert f"the first 18:50:01Z collector WARNING {words} remedy 18:50:02Z" in text
    short = plain(draw(replace(screen(None), log=log), 60, 8))
    assert "the last" in short
    assert "word" not in short


def test_the_most_stretched_are_shown_where_not_all_fit() -> None:
    lines = draw(screen(report(many)), 80, 24)
    text = plain(lines)
    shown = [line for line in lines if "LONGNAME" in line.plain]
    assert f"{60 - len(shown)} more pairs, less stretched, not shown" in text
    assert "LONGNAME0USDT" in shown[0].plain  # z = -3
    assert 3 <= len(shown) < 20


def test_all_stay_in_their_order_where_they_fit() -> None:
    few = [pair("A/B", 0.1), pair("C/D", 3.0), pair("E/F", None, "stale", "old")]
    assert pick_pairs(few, WATCHED, 3) == few
    assert pick_pairs(few, WATCHED, 2) == [few[1]]


def test_only_the_watched_series_is_shown() -> None:
    other = replace(pair("A/B"), window=30)
    assert pick_pairs([other, pair("C/D")], WATCHED, 9) == [pair("C/D")]


@pytest.mark.parametrize(("zscore", "red"), [(1.99, False), (2.01, True), (-2.01, True)])
def test_what_is_beyond_the_threshold_is_coloured(zscore: float, red: bool) -> None:
    lines = draw(screen(report([pair("A/B", zscore)])), 80, 24)
    (line,) = [line for line in lines if "A/B" in line.plain]
    assert ("red" in style_at(line, f"{zscore:+.2f}")) is red
    assert ("red" in style_at(line, "●")) is red


def test_the_mark_moves_with_the_zscore() -> None:
    at = []
    for zscore in (-9.0, -2.0, 0.0, 2.0, 9.0):
        lines = draw(screen(report([pair("A/B", zscore)])), 80, 24)
        (line,) = [line.plain for line in lines if "A/B" in line.plain]
        at.append(line.index("●"))
    assert [x - at[0] for x in at] == [0, 5, 10, 15, 20]


def test_a_child_that_does_not_run_is_told() -> None:
    state = replace(screen(None), children={"collector": "starts again in 4 s"})
    lines = draw(state, 80, 24)
    assert "● collector starts again in 4 s" in plain(lines)
    assert "waiting for the first trades" in plain(lines)


def test_a_lake_as_it_is_read(tmp_path: Path) -> None:
    content = report_on(make_lake(tmp_path), START + 100.0)
    text = plain(draw(screen(content), 100, 30))
    assert "warming up: 37 of 60 bars" in text
    assert "BTCUSDT/ETHUSDT   -0.61  +0.91" in text


def test_the_summary_is_one_line() -> None:
    pairs = [pair("A/B", 1.5), pair("C/D", None, "warming", "warming up: 3 of 60 bars")]
    children = {"job": "starts again in 2 s", "collector": "running"}
    assert summarise(report(pairs, alerts=2), [WATCHED], 41.4, children) == (
        "1,234 ticks (41/s); A/B z +1.50; C/D warming up: 3 of 60 bars; 2 open alerts; "
        "job starts again in 2 s"
    )
    assert len(summarise(report(many), [WATCHED], None, {}).split("; ")) == 1 + 3


def test_the_rate_is_of_the_last_seconds() -> None:
    rate = Rate(seconds=5)
    assert rate.update(0.0, 1_000) is None
    assert [rate.update(float(at), 1_000 + 10 * at) for at in range(1, 20)] == [10.0] * 19
    burst = [rate.update(20.0 + at, 1_190 + 100 * at) for at in range(1, 7)]
    assert burst[-1] == 100.0


def test_the_first_rule_says_what_is_watched(tmp_path: Path) -> None:
    assert watched_series(load_settings(None)) == [WATCHED, replace(WATCHED, timeframe="1m")]
    path = tmp_path / "spreadlake.toml"
    path.write_text("alerts = []\nwindows = [5]\ntimeframes = ['1m']")
    assert watched_series(load_settings(path)) == [ShownSeries("1m", 5, 300, 2.0)]
    screened = '[screen]\nenabled = true\n[[alerts]]\nname = "x"\non = "screen"\nthreshold = 5\n'
    path.write_text(screened, encoding="utf-8")
    shown = [ShownSeries("1s", 30, 300, 2.0), ShownSeries("1m", 30, 300, 2.0)]
    assert watched_series(load_settings(path)) == shown, "a rule on the screen watches none of them"


def test_every_configured_timeframe_is_watched_by_its_own_rule(tmp_path: Path) -> None:
    path = tmp_path / "spreadlake.toml"
    path.write_text(
        "windows = [20, 100]\ntimeframes = ['1m', '5m', '1h']\nlookbacks = [50]\n"
        "[[alerts]]\nname = 'far'\ntimeframe = '5m'\nwindow = 100\nthreshold = 3\n"
        "[[alerts]]\nname = 'near'\ntimeframe = '1h'\nwindow = 20\nthreshold = 1.5\n"
    )
    assert watched_series(load_settings(path)) == [
        ShownSeries("5m", 100, 50, 3.0),
        ShownSeries("1m", 100, 50, 3.0),
        ShownSeries("1h", 20, 50, 1.5),
    ]


HOURLY = ShownSeries("1h", 100, 300, 2.0)


def of_both(count: int) -> list[PairReport]:
    """Pairs at 1s and, still without a z, at 1h."""
    warm = "warming up: 37 of 100 bars"
    hourly = [
        replace(pair(f"A{i}/B{i}", None, "warming", warm), timeframe="1h", window=100)
        for i in range(count)
    ]
    return [*[pair(f"A{i}/B{i}", i / 10) for i in range(count)], *hourly]


def test_each_timeframe_has_its_table() -> None:
    state = replace(screen(report(of_both(2))), watched=[WATCHED, HOURLY])
    text = plain(draw(state, 80, 24))
    assert text.index("1s bars, z over 60, beta over 300") < text.index("+0.10")
    assert text.index("+0.10") < text.index("1h bars, z over 100, beta over 300")
    assert text.count("warming up: 37 of 100 bars") == 2
    assert "not shown" not in text


def test_a_low_window_names_the_timeframes_it_has_no_room_for() -> None:
    daily = replace(HOURLY, timeframe="24h")
    state = replace(screen(report(of_both(30))), watched=[WATCHED, HOURLY, daily])
    text = plain(draw(state, 80, 17))
    assert "1s bars" in text
    assert "no room for bars of 1h, 24h" in text
    assert "1h bars" not in text


def test_less_stretched_is_said_only_of_pairs_with_a_z() -> None:
    state = replace(screen(report(of_both(30))), watched=[WATCHED, HOURLY])
    lines = [line for line in plain(draw(state, 80, 24)).splitlines() if "not shown" in line]
    assert len(lines) == 2
    assert "less stretched" in lines[0]
    assert "without a z" not in lines[0]
    assert lines[1].endswith("more pairs without a z not shown")
    warm = [replace(pair(f"W{i}/X", None, "warming", "warming up"), state="warming") for i in "abc"]
    mixed = [*warm, *[pair(f"A{i}/B", i / 10) for i in range(30)]]
    shown = pick_pairs(mixed, WATCHED, 5)
    assert [p.zscore for p in shown] == [2.9, 2.8, 2.7, 2.6]
    text = plain(draw(screen(report(mixed)), 80, 24))
    assert "less stretched, and 3 without a z not shown" in text


HINTS = [
    "status   .venv/bin/spreadlake status --data data/demo",
    "csv      .venv/bin/spreadlake csv --data data/demo --pair BTCUSDT/ETHUSDT --timeframe 5m",
]


@given(st.integers(10, 250), st.integers(1, 70), st.integers(0, 60), st.integers(0, 200))
def test_the_foot_says_what_to_type_whole_or_not_at_all(
    width: int, height: int, pairs: int, log: int
) -> None:
    state = replace(screen(report(of_both(pairs), 30), log), watched=[WATCHED, HOURLY], foot=HINTS)
    lines = draw(state, width, height)
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    text = " ".join(plain(lines).split())
    said = [" ".join(hint.split()) in text for hint in HINTS]
    assert said[0] == said[1]
    if width >= 60 and height >= 24:
        assert all(said)
        assert lines[-1].plain.strip().endswith("5m")


def test_a_service_that_runs_and_does_not_do_its_work_has_no_green_dot() -> None:
    offline = ServiceReport("collector", "running", "", trouble="not connected to the exchange")
    state = screen(replace(report([]), services=[offline]))
    (line,) = [line for line in draw(state, 80, 24) if "collector not" in line.plain]
    assert "● simulator ● collector not connected to the exchange" in line.plain
    assert "red" in " ".join(str(span.style) for span in line.spans)
    ended = replace(state, children={"collector": "starts again in 4 s"})
    assert "collector starts again in 4 s" in plain(draw(ended, 80, 24))
    told = summarise(replace(report([]), services=[offline]), [WATCHED], None, CHILDREN)
    assert told.endswith("collector not connected to the exchange")
