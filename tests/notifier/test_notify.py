"""Each event once, to every address: through restarts, outages and floods; against real sinks."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from email import message_from_string, policy
from pathlib import Path

import pytest

from spreadlake.ports import free_port
from tests.analytics_job.harness import wait_until
from tests.notifier.service import AlertLake, notifying
from tests.patience import PATIENCE
from tests.running import invoke
from tests.sinks import Posts, mail_sink, post_sink

QUICK = {"group_seconds": 0, "interval": 0}


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[AlertLake]:
    lake = AlertLake(tmp_path)
    yield lake
    lake.db.close()


def told(posts: Posts) -> Counter[tuple[str, str]]:
    """How often each event was told, by pair and kind."""
    lines = (line for _, body in posts.received for line in body["message"].splitlines())
    found = (re.match(r"(\S+) (short|long|back)", line) for line in lines)
    return Counter((m[1], "closed" if m[2] == "back" else "opened") for m in found if m)


def test_an_alert_is_told_when_it_opens_and_when_it_closes(lake: AlertLake) -> None:
    with post_sink() as posts, mail_sink() as mails:
        urls = [
            f"json://127.0.0.1:{posts.port}/alerts",
            f"mailto://127.0.0.1:{mails.port}?from=a@example.org&to=b@example.org&mode=insecure",
        ]
        with notifying(lake.lake.root, urls, **QUICK):
            lake.open(1, pair="BTCUSDT/ETHUSDT")
            wait_until(lambda: len(posts.received) == 1 and len(mails.received) == 1)
            lake.close_event(1)
            wait_until(lambda: len(posts.received) == 2 and len(mails.received) == 2)
    path, body = posts.received[0]
    assert path == "/alerts"
    assert body["title"] == "BTCUSDT/ETHUSDT short the spread: z +2.00"
    assert "threshold 2 (rule zscore, 1s bars, window 60, lookback 300)" in body["message"]
    assert "http://127.0.0.1:9464/?a=BTCUSDT&b=ETHUSDT&timeframe=1s" in body["message"]
    assert posts.received[1][1]["title"].startswith("BTCUSDT/ETHUSDT back: z +0.50")
    assert mails.received[0][0] == ["b@example.org"]
    mail = message_from_string(mails.received[0][1], policy=policy.default)
    assert mail["subject"] == "BTCUSDT/ETHUSDT short the spread: z +2.00"
    text = mail.get_body(("plain",))
    assert text is not None
    assert "threshold 2 (rule zscore" in text.get_content()
    assert told(posts) == {("BTCUSDT/ETHUSDT", kind): 1 for kind in ("opened", "closed")}


def test_a_restart_tells_nothing_twice_and_nothing_too_little(lake: AlertLake) -> None:
    with post_sink() as posts:
        urls = [f"json://127.0.0.1:{posts.port}"]
        with notifying(lake.lake.root, urls, **QUICK) as process:
            lake.open(1)
            wait_until(lambda: lake.counter("told") == 1)
            process.kill()
        lake.open(2)
        lake.close_event(1)
        with notifying(lake.lake.root, urls, **QUICK):
            wait_until(lambda: lake.counter("told") == 3)
        with notifying(lake.lake.root, urls, **QUICK):
            lake.open(3)
            wait_until(lambda: lake.counter("told") == 4)
    expected = [("S0001", "opened"), ("S0001", "closed"), ("S0002", "opened"), ("S0003", "opened")]
    assert told(posts) == {(f"{symbol}/BUSDT", kind): 1 for symbol, kind in expected}
    assert lake.status()["state"] == "stopped"


def test_an_outage_of_one_receiver_keeps_what_waits_and_does_not_hold_up_the_other(
    lake: AlertLake,
) -> None:
    port = free_port()
    with post_sink() as posts:
        urls = [f"json://127.0.0.1:{posts.port}", f"json://127.0.0.1:{port}"]
        with notifying(lake.lake.root, urls, **QUICK):
            lake.open(1)
            wait_until(lambda: len(posts.received) == 1)
            wait_until(lambda: "did not take the last message" in str(lake.status().get("error")))
            lake.open(2)
            wait_until(lambda: len(posts.received) == 2)
            with post_sink(port) as back:
                wait_until(lambda: told(back) == {(f"S000{n}/BUSDT", "opened"): 1 for n in (1, 2)})
                wait_until(lambda: lake.status()["waiting"] == 0)
                assert lake.status()["error"] is None
    assert len(posts.received) == 2
    assert lake.counter("failures") >= 1


def test_a_flood_is_one_message(lake: AlertLake) -> None:
    for number in range(1, 301):
        lake.open(number)
    with (
        post_sink() as posts,
        notifying(
            lake.lake.root, [f"json://127.0.0.1:{posts.port}"], group_seconds=0, interval=3600
        ),
    ):
        wait_until(lambda: lake.counter("told") == 300)
        lake.open(999)
        wait_until(lambda: lake.status().get("waiting") == 1)
    (message,) = [body for _, body in posts.received]
    assert message["title"] == "300 opened; farthest S0300/BUSDT short: z +2.30"
    assert message["message"].splitlines()[-1] == "and 280 more"
    assert message["message"].startswith("S0300/BUSDT short the spread: z +2.30")


def test_history_is_told_to_nobody(lake: AlertLake) -> None:
    lake.open(1, ago=7200)
    lake.close_event(1)  # just now: an import of old days closes what it opened
    lake.open(2)
    with (
        post_sink() as posts,
        notifying(lake.lake.root, [f"json://127.0.0.1:{posts.port}"], **QUICK),
    ):
        wait_until(lambda: lake.counter("told") == 1)
        lake.open(3)
        wait_until(lambda: lake.counter("told") == 2)
    assert set(told(posts)) == {("S0002/BUSDT", "opened"), ("S0003/BUSDT", "opened")}


def test_closings_can_be_left_out(lake: AlertLake) -> None:
    with (
        post_sink() as posts,
        notifying(lake.lake.root, [f"json://127.0.0.1:{posts.port}"], **QUICK, closings="false"),
    ):
        lake.open(1)
        wait_until(lambda: lake.counter("told") == 1)
        lake.close_event(1)
        lake.open(2)
        wait_until(lambda: lake.counter("told") == 2)
    assert {kind for _, kind in told(posts)} == {"opened"}


def test_a_notifier_before_its_lake_waits(tmp_path: Path) -> None:
    with post_sink() as posts:
        with notifying(tmp_path / "later", [f"json://127.0.0.1:{posts.port}"], **QUICK):
            wait_until((tmp_path / "later" / "notify.db").exists)
            lake = AlertLake(tmp_path / "later")
            lake.open(1)
            wait_until(lambda: len(posts.received) == 1)
        lake.db.close()


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        ([], "nobody is to be told of alerts: notify.urls is empty"),
        (["json://127.0.0.1", "nonsense"], "notify.urls: address 2 (no scheme) is not one that"),
        (["slck://secret"], "notify.urls: address 1 (slck) is not one that apprise understands"),
    ],
)
def test_a_wrong_address_is_refused_without_being_shown(
    tmp_path: Path, urls: list[str], message: str
) -> None:
    ended = invoke(
        "notify", "--data", "lake", cwd=tmp_path,
        variables={"SPREADLAKE_NOTIFY__URLS": json.dumps(urls)},
    )  # fmt: skip
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "secret" not in ended.stderr


def test_no_password_reaches_log_or_status(lake: AlertLake) -> None:
    urls = [f"json://user:opensesame@127.0.0.1:{free_port()}/path"]
    with notifying(lake.lake.root, urls, **QUICK):
        lake.open(1)
        wait_until(lambda: bool(lake.status().get("error")))
    assert "opensesame" not in json.dumps(lake.status())
    assert "opensesame" not in (lake.lake.root / "notify.log").read_text()
    assert b"opensesame" not in lake.lake.notify_db.read_bytes()


def test_two_notifiers_on_a_lake_are_one_too_many(lake: AlertLake) -> None:
    with post_sink() as posts:
        urls = [f"json://127.0.0.1:{posts.port}"]
        with notifying(lake.lake.root, urls):
            wait_until(lambda: bool(lake.status()))
            with notifying(lake.lake.root, urls) as second:
                assert second.wait(PATIENCE) == 2
    assert "already has a notifier running" in (lake.lake.root / "notify.log").read_text()
