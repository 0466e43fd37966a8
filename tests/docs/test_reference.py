"""The reference has everything that there is, and nothing that there is not."""

import re
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from docs.source.files import DOCS, generated
from docs.source.regions import table, with_regions
from spreadlake.config import Settings
from spreadlake.config.environment import OTHER_VARIABLES
from spreadlake.lake import (
    Lake,
    open_analytics_writer,
    open_backtests_writer,
    open_cold_writer,
    open_notify_writer,
    open_ticks_writer,
)
from tests.docs.metrics import exported, labels_of, name_of
from tests.paths import ROOT

REFERENCE = (DOCS / "reference.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading, up to the next heading of the same level or a higher one."""
    level = len(title.split(" ", maxsplit=1)[0])
    start = REFERENCE.index(f"\n{title}\n") + len(title) + 2
    end = re.search(rf"^#{{1,{level}}} ", REFERENCE[start:], re.MULTILINE)
    return REFERENCE[start:][: end.start()] if end else REFERENCE[start:]


def first_cells(text: str) -> list[str]:
    """What stands in backticks in the first column of the tables of a text."""
    return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_what_is_made_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated()[path], "run `make docs`"


def test_a_region_without_a_place_is_an_error() -> None:
    with pytest.raises(KeyError, match="0 places"):
        with_regions("no region", {"settings": ""})


def test_a_pipe_stays_in_its_cell() -> None:
    assert table(["a"], [["|z|"]]).splitlines()[-1] == r"| \|z\| |"


def test_every_setting_is_there() -> None:
    example = tomllib.loads((ROOT / "spreadlake.example.toml").read_text(encoding="utf-8"))
    text = section("## Settings")
    for name, value in example.items():
        fields = (
            value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        )
        if isinstance(fields, dict):
            brackets = f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
            known = section(f"### `{brackets}`")
            assert set(fields) <= set(first_cells(known)), name
        else:
            assert name in first_cells(text)
    assert set(example) == set(Settings.model_fields)


def test_every_other_variable_is_there() -> None:
    documented = set(first_cells(section("## Environment"))) - {"PROMETHEUS_URL"}
    assert documented == set(OTHER_VARIABLES)


def schema(root: Path) -> dict[str, dict[str, list[str]]]:
    """Columns by database and table, of a new lake."""
    lake = Lake(root)
    found: dict[str, dict[str, list[str]]] = {}
    for path, opened in (
        (lake.ticks_db, open_ticks_writer(lake)),
        (lake.analytics_db, open_analytics_writer(lake)),
        (lake.notify_db, open_notify_writer(lake)),
        (lake.backtests_db, open_backtests_writer(lake)),
        (lake.cold_db, open_cold_writer(lake)),
    ):
        with closing(opened) as db:
            names = [
                name
                for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            found[path.name] = {
                name: [column[1] for column in db.execute(f"PRAGMA table_info({name})")]
                for name in names
            }
    return found


def test_every_table_and_column_is_there_in_order(tmp_path: Path) -> None:
    documented: dict[str, dict[str, list[str]]] = {}
    for database in ("ticks.db", "analytics.db", "notify.db", "backtests.db", "cold.db"):
        text = section(f"### `{database}`")
        parts = re.split(r"^#### `(\w+)`$", text, flags=re.MULTILINE)[1:]
        tables = zip(parts[::2], parts[1::2], strict=True)
        documented[database] = {name: first_cells(part) for name, part in tables}
    assert documented == schema(tmp_path)


def test_every_metric_is_there_with_its_labels() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| [^|]", section("## Metrics"), re.M)
    documented = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows}
    for family in exported():
        kind, labels = documented.pop(name_of(family))
        assert kind == family.type
        assert labels_of(family) <= labels
    # Those that have no sample on the lake of the test are there all the same.
    assert documented == {}


def test_every_alert_has_its_place_in_the_runbook() -> None:
    linked = re.findall(r"\[`(\w+)`\]\(runbook\.md#(\w+)\)", section("## Alerts"))
    runbook = (DOCS / "runbook.md").read_text(encoding="utf-8")
    assert linked
    for name, anchor in linked:
        assert anchor == name.lower()
        assert f"\n## {name}\n" in runbook
    assert re.findall(r"^## (\w+)$", runbook, re.MULTILINE) == [name for name, _ in linked]
