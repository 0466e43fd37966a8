"""How much alerts tell: events and messages of 15 pairs, with plain rules and with the usual ones.

Six symbols are made of the recorded trades: their seconds, in blocks put together anew, so that all
move with BTC's and each besides with ETH's in an order of its own. The job finds the events of 71
minutes; each second the notifier looks at them as they were then, and tells an address that
takes everything.

`python -m benchmarks.alerts RECORDING` takes another recording of BTCUSDT and ETHUSDT.
"""

import gzip
import sqlite3
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from analytics_job.job import AnalyticsJob
from notifier.delivery import Delivery
from notifier.news import Message
from notifier.outbox import Outbox
from notifier.receivers import Receiver
from spreadlake.binance.decode import FrameDecoder
from spreadlake.config import Settings, load_settings
from spreadlake.config.sections import NotifySettings
from spreadlake.lake import (
    Lake,
    atomic,
    open_analytics_writer,
    open_notify_writer,
    open_ticks_writer,
)
from spreadlake.quant.arrays import Floats
from spreadlake.trades import Ignored

RECORDING = "usdm_btcusdt_ethusdt_trades_20240808.jsonl.gz"
SYMBOLS = [f"{name}USDT" for name in "ABCDEF"]
START = 1_723_161_600
SECONDS, LOOKBACK, BLOCK = 4_260, 300, 20
PLAIN = {"close_below": 2.0, "min_seconds": 0, "quiet_seconds": 0}
RULES: Mapping[str, Mapping[str, object]] = {
    "every crossing": PLAIN,
    "closes at half": PLAIN | {"close_below": 1.0},
    "and lasts 5 s": PLAIN | {"close_below": 1.0, "min_seconds": 5},
    "and is quiet 600 s": {},
}


class Told(NamedTuple):
    """Of one rule: events, how long they were open (s), messages and lines in them."""

    events: int
    mean_seconds: float
    messages: int
    lines: int
    of_200_seconds: float


class _Mailbox:
    """A receiver that takes everything."""

    name = target = "bench"
    letters = 30_000

    def __init__(self) -> None:
        self.at: list[int] = []
        self.lines = 0
        self.now = 0

    def send(self, message: Message) -> bool:
        self.at.append(self.now)
        self.lines += len(message.body.splitlines()) // 2
        return True


def closes(recording: Path) -> dict[str, Floats]:
    """Log returns by symbol, a second each, of the recorded trades."""
    decoder = FrameDecoder("trade")
    last: dict[str, dict[int, float]] = {}
    with gzip.open(recording) as lines:
        for line in lines:
            event = decoder.decode(line.split(b" ", 1)[1])
            if not isinstance(event, Ignored):
                last.setdefault(event.symbol, {})[event.time_ms // 1000] = event.price
    found = {}
    for symbol, prices in last.items():
        times = np.arange(min(prices), max(prices) + 1)
        known = np.array(sorted(prices))
        at = np.searchsorted(known, times, side="right") - 1
        found[symbol] = np.diff(np.log(np.array([prices[t] for t in known[at]])))
    return found


def write_market(lake: Lake, recording: Path, seconds: int, start: int) -> None:
    """A trade a second of each of SYMBOLS, from the second `start` on."""
    returns, chance = closes(recording), np.random.default_rng(1)
    common = _put_together(returns["BTCUSDT"], seconds, chance)
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        for symbol in SYMBOLS:
            own = _put_together(returns["ETHUSDT"], seconds, chance)
            prices = np.round(100 * np.exp(np.cumsum(common + 0.5 * own)), 4)
            db.executemany(
                "INSERT INTO ticks(symbol, trade_id, time_ms, price, qty, buyer_is_maker) "
                "VALUES (?, ?, ?, ?, 1, 0)",
                [
                    (symbol, number + 1, (start + number) * 1000, price)
                    for number, price in enumerate(prices.tolist())
                ],
            )


def _put_together(returns: Floats, seconds: int, chance: np.random.Generator) -> Floats:
    starts = chance.integers(0, len(returns) - BLOCK, -(-seconds // BLOCK))
    return np.concatenate([returns[at : at + BLOCK] for at in starts])[:seconds]


def settings_of(rule: Mapping[str, object]) -> Settings:
    """Of all pairs of SYMBOLS, with this one rule."""
    return load_settings(
        None,
        symbols=SYMBOLS,
        pairs="all",
        timeframes=["1s"],
        windows=[60],
        lookbacks=[LOOKBACK],
        job={"lateness": 0},
        alerts=[{"name": "zscore", **rule}],
    )


class Event(NamedTuple):
    """A row of `alert_events`, and the seconds at which it is known that it opens, and ends."""

    row: tuple[Any, ...]

    @property
    def opened(self) -> int:
        return int(self.row[7]) + 1

    @property
    def closed(self) -> float:
        return float("inf") if self.row[10] is None else self.row[10] + 1.0


class Unfolding:
    """The events of a lake that its job has analysed, shown one after another as they came."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        rows = db.execute("SELECT * FROM alert_events ORDER BY opened_at").fetchall()
        self.events = [Event(row) for row in rows]
        self._shown, self._open = 0, list[Event]()
        with atomic(db):
            db.execute("DELETE FROM alert_events")

    def until(self, now: float) -> None:
        """What is known at the second `now`; it never goes back."""
        with atomic(self._db):
            while self._shown < len(self.events) and self.events[self._shown].opened <= now:
                event = self.events[self._shown]
                self._put((*event.row[:10], None, None))
                self._open.append(event)
                self._shown += 1
            for event in self._open:
                if event.closed <= now:
                    self._put(event.row)
            self._open = [event for event in self._open if event.closed > now]
            self._db.execute(
                "UPDATE progress SET value = ? WHERE key = 'watermark_ms'", (int(now * 1000),)
            )

    def _put(self, row: tuple[Any, ...]) -> None:
        marks = ", ".join("?" * len(row))
        self._db.execute(f"INSERT OR REPLACE INTO alert_events VALUES ({marks})", row)


def analysed(
    folder: Path, recording: Path, rule: Mapping[str, object], seconds: int, start: int = START
) -> Lake:
    """A lake of the market, with the events of this rule; none is before `start` and a lookback."""
    lake = Lake(folder)
    write_market(lake, recording, seconds + LOOKBACK, start)
    job = AnalyticsJob(lake, settings_of(rule))
    job.step()
    job.close()
    return lake


def told(folder: Path, recording: Path, rule: Mapping[str, object], notify: NotifySettings) -> Told:
    """What a rule's events are to an address of the notifier."""
    lake = analysed(folder, recording, rule, SECONDS)
    mailbox = _Mailbox()
    with closing(open_analytics_writer(lake)) as db, closing(open_notify_writer(lake)) as own:
        unfolding = Unfolding(db)
        outbox = Outbox(own, [mailbox.target], notify.max_age_minutes * 60)
        receiver = cast("Receiver", mailbox)
        page = "http://127.0.0.1:9464"
        delivery = Delivery(receiver, outbox, notify, page, lambda: float(mailbox.now))
        for mailbox.now in range(START + LOOKBACK, START + LOOKBACK + SECONDS):
            unfolding.until(mailbox.now)
            outbox.take_in(db, mailbox.now, notify.closings)
            if due := delivery.due(partial(outbox.alerts, db)):
                delivery.send(due)
    lasted = [event.closed - event.opened for event in unfolding.events if event.row[10]]
    return Told(
        len(unfolding.events),
        sum(lasted) / max(1, len(lasted)),
        len(mailbox.at),
        mailbox.lines,
        200 * len(mailbox.at) / SECONDS,
    )


def main() -> None:
    """Prints one line a rule."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / RECORDING
    recording = Path(sys.argv[1]) if sys.argv[1:] and Path(sys.argv[1]).exists() else beside
    if not recording.exists():
        print(f"alerts: left out, there is no recording {recording}")
        return
    for name, rule in RULES.items():
        # As it was, an address was told once a minute.
        notify = NotifySettings(interval=60.0) if rule is PLAIN else NotifySettings()
        with tempfile.TemporaryDirectory() as folder:
            found = told(Path(folder), recording, rule, notify)
        print(
            f"alerts: 15 pairs, {SECONDS:,} s, {name}: {found.events:,} events of "
            f"{found.mean_seconds:.0f} s, {found.messages} messages of {found.lines} lines by "
            f"notify ({found.of_200_seconds:.1f} in 200 s)"
        )


if __name__ == "__main__":
    main()
