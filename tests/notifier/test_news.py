"""The words in which alerts are told."""

from notifier.news import MOST_LISTED, AlertRow, News, known_at, message_of

OPENED = AlertRow(
    1, "zscore", "BTCUSDT/ETHUSDT", "1m", 60, 300, 2.0, 1_700_000_040, 2.314, 2.9, None, None
)
CLOSED = OPENED._replace(closed_at=1_700_000_400, closed_zscore=1.25, peak_zscore=-4.06)


def test_one_event_says_pair_side_and_z() -> None:
    message = message_of([News("opened", OPENED)])
    assert message.title == "BTCUSDT/ETHUSDT short the spread: z +2.31"
    assert message.body == (
        "BTCUSDT/ETHUSDT short the spread: z +2.31 (threshold 2, rule zscore, 1m bars, window 60, "
        "lookback 300), 2023-11-14T22:15:00Z"
    )
    below = message_of([News("opened", OPENED._replace(opened_zscore=-2.5))])
    assert below.title == "BTCUSDT/ETHUSDT long the spread: z -2.50"


def test_what_a_screen_opened_says_edge_and_half_life_too() -> None:
    screened = OPENED._replace(rule="found", edge_bps=12.34, half_life=14.06)
    message = message_of([News("opened", screened)])
    assert message.title == "BTCUSDT/ETHUSDT short the spread: z +2.31"
    assert message.body.startswith(
        "BTCUSDT/ETHUSDT short the spread: z +2.31, edge 12.3 bps after costs, half-life 14.1 bars "
        "(threshold 2, rule found, 1m bars"
    )
    unknown = message_of([News("opened", screened._replace(half_life=None))]).body
    assert "edge 12.3 bps after costs (threshold" in unknown
    over = screened._replace(closed_at=1_700_000_400, closed_zscore=0.5)
    assert "edge" not in message_of([News("closed", over)]).body


def test_an_end_says_how_far_it_went() -> None:
    message = message_of([News("closed", CLOSED)])
    assert message.title == "BTCUSDT/ETHUSDT back: z +1.25, it reached -4.06"
    assert message.body.endswith("2023-11-14T22:21:00Z")
    lost = message_of([News("closed", CLOSED._replace(closed_zscore=None))])
    assert "back: z –" in lost.title


def test_an_event_is_known_when_its_bar_ends() -> None:
    assert known_at(OPENED, "opened") == OPENED.opened_at + 60
    assert known_at(CLOSED, "closed") == 1_700_000_400 + 60
    assert known_at(CLOSED, "opened") == OPENED.opened_at + 60


def test_many_are_one_message_the_farthest_first() -> None:
    events = [
        News("opened", OPENED._replace(id=i, pair=f"S{i:02}/B", opened_zscore=(-1) ** i * (2 + i)))
        for i in range(MOST_LISTED + 3)
    ]
    message = message_of([News("closed", CLOSED), *events])
    assert message.title == "23 opened, 1 closed; farthest S22/B z +24.00"
    lines = message.body.splitlines()
    assert len(lines) == MOST_LISTED + 1
    assert lines[0].startswith("S22/B short the spread: z +24.00")
    assert lines[1].startswith("S21/B long the spread: z -23.00")
    assert lines[-1] == "and 4 more"
