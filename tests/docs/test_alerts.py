"""The page on alerts: its rule is one that the job takes, and its message the one that is sent."""

from pathlib import Path

from spreadlake.config import load_settings
from tests.docs.blocks import blocks_of
from tests.paths import ROOT

(BLOCK,) = blocks_of((ROOT / "docs" / "alerts.md").read_text(encoding="utf-8"))


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
