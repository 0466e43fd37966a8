"""15 pairs for 200 seconds in the real Grafana: a few messages, and nothing resolved untold."""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.alerts import LOOKBACK, Unfolding, analysed
from spreadlake.lake import open_analytics_writer
from tests.grafana.lake_fixture import FixtureLake
from tests.grafana.stack import running_stack
from tests.paths import TRADES, needed
from tests.sinks import Posts, mail_sink, post_sink

SPAN = 200
LINE = re.compile(r"^(Resolved: )?(\w+/\w+) (?:short|long) the spread: z ([+-]\d+\.\d\d), ", re.M)


def texts(posts: Posts) -> Iterator[str]:
    """What Slack was sent, one message after another."""
    for path, body in posts.received:
        if path == "/slack":
            yield str(body["attachments"][0]["text"])


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_many_pairs_are_few_messages(tmp_path: Path) -> None:
    recording, start = needed(TRADES), int(time.time())
    # Events that opened before are shown at once, and each later one when it comes.
    lake = analysed(tmp_path, recording, {}, 1_500, start - LOOKBACK - 300)
    with (
        mail_sink() as mails,
        post_sink() as posts,
        closing(open_analytics_writer(lake)) as db,
    ):
        unfolding = Unfolding(db)
        variables = {
            "GF_SMTP_ENABLED": "true",
            "GF_SMTP_HOST": f"127.0.0.1:{mails.port}",
            "GF_SMTP_STARTTLS_POLICY": "NoStartTLS",
            "SPREADLAKE_EMAIL_TO": "trader@example.com",
            "SPREADLAKE_SLACK_URL": f"http://127.0.0.1:{posts.port}/slack",
            "SPREADLAKE_WEBHOOK_URL": f"http://127.0.0.1:{posts.port}/hook",
        }
        with running_stack(FixtureLake(lake, start, start), variables):
            begin = time.monotonic()
            while time.monotonic() < begin + 2 * SPAN:
                unfolding.until(time.time())
                time.sleep(0.5)
                if time.monotonic() < begin + SPAN:
                    counts = len(mails.received), len(posts.received)
        shown = [event for event in unfolding.events if event.opened <= time.time()]
    print(
        f"{len(shown)} events; in {SPAN} s {counts[0]} mails, {counts[1]} posts to Slack and the "
        f"webhook; in {2 * SPAN} s {len(mails.received)} and {len(posts.received)}"
    )
    assert counts[0] <= 4
    assert counts[1] <= 8
    told: set[str] = set()
    for text in texts(posts):
        found = LINE.findall(text)
        assert found or "spread: z" not in text, text
        for resolved in (True, False):
            sizes = [abs(float(z)) for over, _, z in found if bool(over) == resolved]
            assert sizes == sorted(sizes, reverse=True), text
        assert {pair for over, pair, _ in found if over} <= told, "resolved, and never told"
        told |= {pair for over, pair, _ in found if not over}
    assert told
