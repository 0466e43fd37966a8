"""The page on alerts: its rule is one that the job takes, and its message the one that is sent."""

from pathlib import Path

from spreadlake.config import AlertRule, Settings, load_settings
from spreadlake.pairs import Pair
from spreadlake.status.watchable import Watchable, command_to_set
from tests.docs.blocks import blocks_of
from tests.paths import ROOT

BLOCKS = blocks_of((ROOT / "docs" / "alerts.md").read_text(encoding="utf-8"))
(COMMAND,) = [block for block in BLOCKS if block.language == "console"]
PLAIN, SCREENED = (block.text for block in BLOCKS if block.language == "toml")
MESSAGE = BLOCKS[-1].shown or ""


def read(text: str, folder: Path) -> Settings:
    path = folder / "spreadlake.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def test_the_rule_on_screens_is_taken(tmp_path: Path) -> None:
    (rule,) = read(SCREENED, tmp_path).screen_rules
    assert (rule.close_level, rule.min_edge_bps, rule.max_open) == (0.5, 10.0, 20)
    assert rule.quiet_seconds == 600


def test_the_plain_rule_is_as_rules_were(tmp_path: Path) -> None:
    """And what nobody wrote down is as the page says."""
    (rule,) = read(PLAIN, tmp_path).alerts
    assert (rule.close_level, rule.least_bars, rule.quiet_seconds) == (2.0, 1, 0)
    (usual,) = load_settings(None).alerts
    assert (usual.close_level, usual.least_bars, usual.quiet_seconds) == (1.0, 5, 600)
    bars = [("1s", None, 5), ("2s", None, 3), ("1m", None, 1), ("1s", 1, 1), ("1s", 7, 7)]
    for timeframe, min_bars, least in bars:
        rule = AlertRule(name="z", timeframe=timeframe, min_bars=min_bars)
        assert rule.least_bars == least
    assert AlertRule(name="z", min_bars=2, min_seconds=4).least_bars == 4
    assert AlertRule(name="z", threshold=3).close_level == 1.5


def test_the_message_is_the_one_that_a_test_of_its_delivery_reads() -> None:
    delivery = (ROOT / "tests/grafana/test_alert_delivery.py").read_text(encoding="utf-8")
    pair, _, said = MESSAGE.strip().partition(" ")
    assert f'pair = "{pair}"' in delivery
    numbers, _, series = said.partition(" (rule")
    for part in (*numbers.split(", "), f"(rule{series}"):
        assert part in delivery


def test_the_line_is_one_that_the_page_offers() -> None:
    line, told = COMMAND.text.strip().splitlines()
    series = ("1s", 60, 300)
    can = Watchable("", True, ["zscore"])
    (offered,) = command_to_set(Pair("BTCUSDT", "ETHUSDT"), series, 2.5, can, Path("data"))
    assert line == f"$ {offered}"
    assert told == (
        "set rule zscore on BTCUSDT/ETHUSDT (1s bars, window 60): opens at |z| > 2.5 in a moment"
    )
