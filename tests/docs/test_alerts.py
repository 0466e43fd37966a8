"""The page on alerts: its rule is one that the job takes, and its message the one that is sent."""

from pathlib import Path

from spreadlake.config import load_settings
from spreadlake.pairs import Pair
from spreadlake.status.watchable import Watchable, command_to_set
from tests.docs.blocks import blocks_of
from tests.paths import ROOT

BLOCKS = blocks_of((ROOT / "docs" / "alerts.md").read_text(encoding="utf-8"))
(BLOCK,) = [block for block in BLOCKS if block.language == "toml"]
(COMMAND,) = [block for block in BLOCKS if block.language == "console"]


def test_the_rule_is_taken(tmp_path: Path) -> None:
    assert BLOCK.language == "toml"
    path = tmp_path / "spreadlake.toml"
    path.write_text(BLOCK.text, encoding="utf-8")
    (rule,) = load_settings(path).screen_rules
    assert (rule.close_level, rule.min_edge_bps, rule.max_open) == (0.5, 10.0, 20)


def test_the_message_is_the_one_that_a_test_of_its_delivery_reads() -> None:
    assert BLOCK.shown is not None
    delivery = (ROOT / "tests/grafana/test_alert_delivery.py").read_text(encoding="utf-8")
    pair, _, said = BLOCK.shown.strip().partition(" ")
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
