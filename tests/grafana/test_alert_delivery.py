"""A z beyond its threshold reaches a mail server and a Slack-shaped sink, and is resolved there."""

import re
import time
from pathlib import Path

import pytest

from spreadlake.lake import atomic, open_analytics_writer
from tests.grafana.lake_fixture import build_lake
from tests.grafana.stack import running_stack
from tests.running import until
from tests.sinks import Mails, Posts, mail_sink, post_sink

PAIR = "ETHUSDT/SOLUSDT"
SECONDS = 240.0


def titles(posts: Posts, path: str) -> list[str]:
    return [
        str(body.get("title") or body["attachments"][0]["title"])
        for where, body in posts.received
        if where == path
    ]


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
            assert re.search(r"z reached [+-]\d+\.\d\d, threshold 2", text)
            assert "/d/spreadlake-pair?var-symbol_a=ETHUSDT&var-symbol_b=SOLUSDT" in text
            assert "/d/spreadlake-runbook?viewPanel=panel-1" in text
            _close_the_event(lake.lake)
            until(lambda: told("Resolved"), "the end in mail, Slack and webhook", SECONDS)


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
