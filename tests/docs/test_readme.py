"""What the README shows is what is printed."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from exporter.scrape import LakeMetrics, parts_of
from launcher.commands.hints import hints
from launcher.supervisor.live_screen import LiveScreen, ShownSeries, draw
from spreadlake.config import load_settings
from spreadlake.lake import Lake
from spreadlake.status import report_on
from tests.docs.blocks import Block, blocks_of
from tests.docs.metrics import exported
from tests.fixture_lake import make_lake
from tests.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block_with(start: str) -> Block:
    return next(block for block in blocks_of(README) if block.text.startswith(start))


def test_the_demo_greets_as_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "argv", [str(Path.cwd() / ".venv" / "bin" / "spreadlake")])
    url = "http://127.0.0.1:9464/metrics"
    title = "spreadlake demo, a simulated market"
    greeting = hints(title, Lake(Path("data/demo")), load_settings(None), url)
    assert greeting in block_with("$ make demo").text


def test_the_screen_looks_as_shown(tmp_path: Path) -> None:
    report = report_on(make_lake(tmp_path), now=0.0, sizes=False)
    watched = ShownSeries("1s", 60, 300, 2.0)
    screen = LiveScreen(
        "spreadlake demo, a simulated market", ["data/demo"], [watched], report=report
    )
    drawn = [line.plain for line in draw(screen, 100, 30)]
    heads = [line for line in drawn if line.lstrip().startswith("pair ")]
    assert heads
    assert heads[0].rstrip() in block_with("$ make demo").text


def test_the_metrics_are_as_shown(tmp_path: Path) -> None:
    text = block_with("$ curl").text
    shown = "".join(line + "\n" for line in text.splitlines() if not line.startswith("$"))
    samples = [one for family in text_string_to_metric_families(shown) for one in family.samples]
    assert len(samples) == 2
    family = next(one for one in exported() if one.name == "spreadlake_pair_zscore")
    labels = set(family.samples[0].labels)
    for sample in samples:
        assert sample.name == family.name
        assert set(sample.labels) == labels
    pattern = re.search(r"grep '([^']*)'", text)
    assert pattern is not None
    wanted = re.compile(pattern[1].replace("{", r"\{"))
    assert all(wanted.search(line) for line in shown.splitlines())
    scrape = generate_latest(
        LakeMetrics(make_lake(tmp_path), parts_of(load_settings(None).symbols))
    )
    found = [line for line in scrape.decode().splitlines() if wanted.search(line)]
    assert found
    assert all(line.startswith("spreadlake_pair_zscore{") for line in found)


def test_it_names_nothing_that_compose_does_not_know() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for variable in re.findall(r"\b(GF_[A-Z_]+)", README):
        assert variable in compose
    for file in re.findall(r"--env-file (\S+)", README):
        assert (ROOT / file).exists()
