"""A z beyond its threshold reaches a mail server and a Slack-shaped sink, and is resolved there."""

import re
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from spreadlake.lake import atomic, open_analytics_writer
from tests.fixture_lake import add_screen_alert
from tests.grafana.lake_fixture import build_lake
from tests.grafana.stack import running_stack
from tests.running import until
from tests.sinks import Mails, Posts, mail_sink, post_sink

PAIR = "ETHUSDT/SOLUSDT"
SECONDS = 480.0  # three minutes that an alert fires at least, and two of the group


def titles(posts: Posts, path: str) -> list[str]:
    return [
        str(body.get("title") or body["attachments"][0]["title"])
        for where, body in posts.received
        if where == path
    ]


def about(pair: str, posts: Posts) -> list[dict[str, Any]]:
    """What Slack was sent of a pair."""
    attachments = [body["attachments"][0] for _, body in posts.received]
    return [attachment for attachment in attachments if pair in attachment["title"]]


def subjects(mails: Mails) -> list[str]:
    found = [re.search(r"^Subject: (.*)$", text, re.MULTILINE) for _, text in mails.received]
    return [match[1].strip() for match in found if match]


def of_pair(found: list[str], word: str) -> list[str]:
    return [title for title in found if PAIR in title and title.startswith(word)]


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_an_open_event_is_told_everywhere_and_so_is_its_end(tmp_path: Path) -> None:
    lake = build_lake(tmp_path, int(time.time()) - 1, seconds=700)
    with mail_sink() as mails, post_sink() as posts:
        variables = {
            "GF_SMTP_ENABLED": "true",
            "GF_SMTP_HOST": f"127.0.0.1:{mails.port}",
            "GF_SMTP_STARTTLS_POLICY": "NoStartTLS",
            "SPREADLAKE_EMAIL_TO": "trader@example.com",
            "SPREADLAKE_SLACK_URL": f"http://127.0.0.1:{posts.port}/services/T/B/x",
            "SPREADLAKE_WEBHOOK_URL": f"http://127.0.0.1:{posts.port}/hook",
        }
        with running_stack(lake, variables):

            def told(word: str) -> bool:
                slack, hook = titles(posts, "/services/T/B/x"), titles(posts, "/hook")
                return all(of_pair(found, word) for found in (slack, hook, subjects(mails)))

            until(lambda: told("Info"), "the alert in mail, Slack and webhook", SECONDS)
            assert mails.received[0][0] == ["trader@example.com"]
            text = next(
                body["attachments"][0]["text"]
                for where, body in posts.received
                if where.startswith("/services") and PAIR in str(body)
            )
            said = r"ETHUSDT/SOLUSDT short the spread: z \+2\.05, threshold 2, spread \+2\.05σ = "
            assert re.match(said + r"[+-]\d+\.\d bps", text)
            assert "/d/spreadlake-pair?var-symbol_a=ETHUSDT&var-symbol_b=SOLUSDT" in text
            assert f"&time={lake.end - 20}000&time.window=1800000" in text
            assert subjects(mails)[0] == f"Info: {PAIR} short the spread: z +2.05"
            assert "/d/spreadlake-runbook?viewPanel=panel-1" in text
            _close_the_event(lake.lake)
            until(lambda: told("Resolved"), "the end in mail, Slack and webhook", SECONDS)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_what_the_screen_opened_is_one_message_with_all_that_it_said(tmp_path: Path) -> None:
    lake = build_lake(tmp_path, int(time.time()) - 1, seconds=700)
    pair = "SOLUSDT/BTCUSDT"  # no analytics of it, and of no rule on pairs
    with closing(open_analytics_writer(lake.lake)) as db, atomic(db):
        db.execute("DELETE FROM alert_events")
        add_screen_alert(db, 90, pair, lake.end // 60 * 60 - 60, -2.75)
    with post_sink() as posts:
        variables = {"SPREADLAKE_SLACK_URL": f"http://127.0.0.1:{posts.port}/services/T/B/x"}
        with running_stack(lake, variables):
            until(lambda: about(pair, posts), "the alert in Slack", SECONDS)
            (attachment,) = about(pair, posts)
            assert attachment["title"].startswith(f"Info: {pair} ")
            assert attachment["text"].startswith(
                f"{pair} long the spread: z -2.75, threshold 2.25, edge 12.3 bps after costs, "
                "half-life 14.0 bars (rule screened, 1m bars, window 60, lookback 240)."
            )
            link = "/d/spreadlake-pair?var-symbol_a=SOLUSDT&var-symbol_b=BTCUSDT&var-timeframe=1m"
            assert link in attachment["text"]
            assert "&var-threshold=2.25&var-prices=log" in attachment["text"]
            _close_the_event(lake.lake)
            until(lambda: len(about(pair, posts)) > 1, "its end in Slack", SECONDS)
            told = [attachment["title"] for attachment in about(pair, posts)]
            assert [title.partition(":")[0] for title in told] == ["Info", "Resolved"], told


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_without_addresses_nothing_is_sent_and_nothing_fails(tmp_path: Path) -> None:
    lake = build_lake(tmp_path, int(time.time()) - 1, seconds=700)
    with running_stack(lake) as stack:

        def firing() -> bool:
            found = stack.get("/api/prometheus/grafana/api/v1/rules").json()["data"]["groups"]
            states = {rule["name"]: rule["state"] for group in found for rule in group["rules"]}
            return states.get("PairBeyondThreshold") == "firing"

        until(firing, "the alert in Grafana", SECONDS)
        time.sleep(30)  # longer than a group waits to be sent
        log = (lake.lake.root / "grafana" / "log" / "grafana.log").read_text()
        assert not [line for line in log.splitlines() if "level=error" in line]


def _close_the_event(lake: object) -> None:
    db = open_analytics_writer(lake)  # type: ignore[arg-type]
    with atomic(db):
        db.execute(
            "UPDATE alert_events SET closed_at = opened_at + 9, closed_zscore = 1.9 "
            "WHERE closed_at IS NULL"
        )
    db.close()
