"""The words in which alerts are told."""

from typing import cast
from urllib.parse import parse_qsl, urlsplit

import pytest

from exporter.page.parameters import view_request
from notifier.news import MOST_LETTERS, MOST_LISTED, AlertRow, News, known_at, message_of
from notifier.receivers import receivers_of
from spreadlake.config.sections import ExporterSettings
from spreadlake.series import Prices
from spreadlake.times import timeframe_seconds

OPENED = AlertRow(
    1, "zscore", "BTCUSDT/ETHUSDT", "1m", 60, 300, 2.0, 1_700_000_040, 2.314, 2.9, None, None
)
PAGE = "http://127.0.0.1:9464"
LINK = (
    f"{PAGE}/?a=BTCUSDT&b=ETHUSDT&timeframe=1m&window=60&lookback=300&threshold=2&prices=raw"
    "&from=2023-11-14T12:14:00Z&to=2023-11-15T03:14:00Z"
)
CLOSED = OPENED._replace(closed_at=1_700_000_400, closed_zscore=1.25, peak_zscore=-4.06)


def test_one_event_says_pair_side_and_z() -> None:
    message = message_of([News("opened", OPENED)], PAGE)
    assert message.title == "BTCUSDT/ETHUSDT short the spread: z +2.31"
    assert message.body == (
        "BTCUSDT/ETHUSDT short the spread: z +2.31, threshold 2 (rule zscore, 1m bars, window 60, "
        f"lookback 300), 2023-11-14T22:15:00Z\n  {LINK}"
    )
    below = message_of([News("opened", OPENED._replace(opened_zscore=-2.5))], PAGE)
    assert below.title == "BTCUSDT/ETHUSDT long the spread: z -2.50"


def test_what_a_screen_opened_says_edge_and_half_life_too() -> None:
    screened = OPENED._replace(rule="found", edge_bps=12.34, half_life=14.06)
    message = message_of([News("opened", screened)], PAGE)
    assert message.title == "BTCUSDT/ETHUSDT short the spread: z +2.31"
    assert message.body.startswith(
        "BTCUSDT/ETHUSDT short the spread: z +2.31, threshold 2, edge 12.3 bps after costs, "
        "half-life 14.1 bars (rule found, 1m bars"
    )
    unknown = message_of([News("opened", screened._replace(half_life=None))], PAGE).body
    assert "edge 12.3 bps after costs (rule" in unknown
    over = screened._replace(closed_at=1_700_000_400, closed_zscore=0.5)
    assert "edge" not in message_of([News("closed", over)], PAGE).body


def test_an_end_says_how_far_it_went() -> None:
    message = message_of([News("closed", CLOSED)], PAGE)
    assert message.title == "BTCUSDT/ETHUSDT back: z +1.25, it reached -4.06"
    assert message.body.endswith(f"2023-11-14T22:21:00Z\n  {LINK}")
    lost = message_of([News("closed", CLOSED._replace(closed_zscore=None))], PAGE)
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
    message = message_of([News("closed", CLOSED._replace(id=999)), *events], PAGE)
    assert message.title == "23 opened, 1 closed; farthest S22/B short: z +24.00"
    lines = message.body.splitlines()
    assert len(lines) == 2 * MOST_LISTED + 1
    assert lines[0].startswith("S22/B short the spread: z +24.00")
    assert lines[2].startswith("S21/B long the spread: z -23.00")
    assert lines[-1] == "and 4 more"
    ends = [News("closed", CLOSED._replace(id=i, peak_zscore=-2.0 - i)) for i in range(100, 103)]
    assert message_of(ends, PAGE).title == "3 closed; farthest BTCUSDT/ETHUSDT short: z -104.00"


def test_what_opened_and_is_over_is_one_line() -> None:
    over = CLOSED._replace(spread_bps=-8.44, half_life=14.06)
    message = message_of([News("opened", over), News("closed", over)], PAGE)
    assert message.title == "BTCUSDT/ETHUSDT short the spread: z +2.31"
    assert message.body.startswith(
        "BTCUSDT/ETHUSDT short the spread: z +2.31, threshold 2, spread +2.31σ = -8.4 bps, "
        "half-life 14.1 bars, back after 360 s: z +1.25 (rule zscore"
    )
    assert len(message.body.splitlines()) == 2


def test_the_link_is_one_that_the_page_takes() -> None:
    for timeframe, named in (("1s", "raw"), ("1h", "log")):
        prices = cast("Prices", named)
        alert = OPENED._replace(timeframe=timeframe, prices=prices)
        link = message_of([News("opened", alert)], PAGE).body.splitlines()[1].strip()
        view = view_request(dict(parse_qsl(urlsplit(link).query)))
        assert (view.key, view.threshold, view.prices) == (alert.key, 2.0, prices)
        assert view.start is not None
        assert view.end is not None
        length = timeframe_seconds(timeframe)
        assert (view.start, view.end) == (
            alert.opened_at - 600 * length, alert.opened_at + 300 * length
        )  # fmt: skip


def test_where_nobody_knows_the_page_there_is_no_link() -> None:
    """As of an exporter that takes whichever port is free, and is not started beside."""
    assert ExporterSettings(port=0).browser_url is None
    body = message_of([News("opened", OPENED)], None).body
    assert body.endswith("2023-11-14T22:15:00Z")
    assert "http" not in body


@pytest.mark.parametrize(
    ("url", "most"),
    [
        ("discord://123456789012345678/abcdefghijklmnop", 2_000),
        ("tgram://123456789:abcdefg_hijklmnop/12345", 4_096),
        ("pover://abcdefghijklmnopqrstuvwxyz1234@abcdefghijklmnopqrstuvwxyz1234", 1_024),
        ("json://127.0.0.1:9/alerts", 32_768),
    ],
)
def test_many_at_once_fit_what_the_receiver_takes(url: str, most: int) -> None:
    """Else it would refuse the message, again and again, and nobody would be told of anything."""
    (receiver,) = receivers_of([url])
    events = [
        News("opened", OPENED._replace(id=n, opened_zscore=2 + n / 10, spread_bps=12.3))
        for n in range(100)
    ]
    message = message_of(events, PAGE, receiver.letters)
    lines = message.body.splitlines()
    named = len(lines) // 2
    assert len(message.body) + len(message.title) <= most
    assert lines[-1] == f"and {100 - named} more"
    assert "z +11.90" in lines[0]
    assert all("http" in link for link in lines[1:-1:2])
    assert named == MOST_LISTED or len(message.body) > most / 2 - 200


def test_the_shortest_message_still_names_the_farthest() -> None:
    body = message_of([News("opened", OPENED)] * 2, PAGE, 120).body
    assert body.startswith("BTCUSDT/ETHUSDT short the spread: z +2.31, threshold 2")
    assert len(body) <= 120


def test_an_address_that_says_how_long_messages_are_split_is_sent_all() -> None:
    (receiver,) = receivers_of(["discord://123456789012345678/abcdefghijklmnop?overflow=split"])
    assert receiver.letters == MOST_LETTERS
