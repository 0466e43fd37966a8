"""The shape of the code: who may import whom, what is pure, how long a file may be."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.paths import PACKAGES, ROOT

SERVICES = ("collector", "analytics_job", "exporter", "notifier", "uploader")
# What each of the other rooms may import beside itself and the library. The launcher starts the
# services by name; the commands to import dumps and to simulate an exchange are its own.
BESIDE = {
    "spreadlake": set[str](),
    "importer": set[str](),
    "simulator": set[str](),
    "launcher": {"importer", "simulator"},
}
# `python -m spreadlake` opens the launcher's door.
DOOR = "spreadlake.__main__"
MOST_LINES = 300

# What the core of each layer may not know of. A module is pure when its docstring says so.
IMPURE = {
    "asyncio", "sqlite3", "time", "socket", "threading", "subprocess", "signal", "multiprocessing",
    "http", "httpx", "websockets", "apscheduler", "pydantic_settings", "spreadlake.config.settings",
    "spreadlake.config.load", "spreadlake.service", "spreadlake.lake.databases.connections",
}  # fmt: skip

MUST_BE_PURE = [
    "spreadlake.venue",
    "spreadlake.binance.decode",
    "spreadlake.binance.rest",
    "spreadlake.binance.limits",
    "spreadlake.binance.funding_rates",
    "spreadlake.funding",
    "spreadlake.lake.ticks.id_ranges",
    "collector.storage.id_tracker",
    "collector.storage.redundancy",
    "collector.stream.ages",
    "collector.stream.arbitration",
    "collector.stream.lost_streams",
    "collector.stream.silence",
    "collector.repair.attempts",
    "collector.repair.page",
    "collector.history.remaining",
    "collector.funding.plan",
    "collector.broker.entry",
    "collector.broker.shards",
    "spreadlake.quant.absences",
    "spreadlake.quant.resample",
    "spreadlake.quant.pair_stats",
    "spreadlake.quant.rollups",
    "spreadlake.quant.alerts",
    "spreadlake.quant.screen_alerts",
    "spreadlake.quant.backtest.inputs",
    "spreadlake.quant.backtest.positions",
    "spreadlake.quant.backtest.trades",
    "spreadlake.quant.backtest.run",
    "exporter.families",
    "notifier.news",
    "spreadlake.backoff",
    "spreadlake.tasks",
    "launcher.supervisor.live_screen",
]


def source_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Every module and every `module.name` that the file imports, wherever in it."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def texts_of(path: Path) -> Iterator[str]:
    """Every literal text of the file."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def is_pure(path: Path) -> bool:
    return re.search(r"\bPure\b", ast.get_docstring(parsed(path)) or "") is not None


def test_every_package_is_looked_at() -> None:
    assert set(PACKAGES) == {*SERVICES, *BESIDE}


def test_services_meet_only_in_the_lake() -> None:
    wrong = {}
    for path in source_files():
        room, name = path.relative_to(ROOT).parts[0], name_of(path)
        if name == DOOR:
            continue
        others = set(PACKAGES) - {room, "spreadlake"} - BESIDE.get(room, set())
        wrong[name] = others & {imported.split(".")[0] for imported in imports_of(path)}
    assert not {module: rooms for module, rooms in wrong.items() if rooms}


def test_sql_on_the_ticks_has_one_owner() -> None:
    """Statements on the tables of `ticks.db` stand with them, and nowhere else.

    But for what a step of the schema fills a new table with.
    """
    owners = ("spreadlake.lake.ticks.", "spreadlake.lake.databases.schema")
    tables = (
        "ticks|gaps|rolls|symbols|klines|kline_changes|empty_ids|funding|funding_spans|universe"
        "|universe_changes"
    )
    statement = re.compile(rf"\b(FROM|INTO|UPDATE|JOIN)\s+({tables})\b")
    found = {
        name_of(path): [text for text in texts_of(path) if statement.search(text)]
        for path in source_files()
        if not name_of(path).startswith(owners)
    }
    assert not {module: texts for module, texts in found.items() if texts}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_runs_back_up(package: str) -> None:
    """The files beside each other, and the folders of each as one room, form no circle."""
    imports: dict[str, set[str]] = {}
    for path in source_files():
        if path.relative_to(ROOT).parts[0] == package and path.name != "__init__.py":
            room = room_of(name_of(path))
            found = {room_of(name) for name in imports_of(path) if f"{package}." in name}
            imports.setdefault(room, set()).update(found - {room})
    assert list(TopologicalSorter(imports).static_order())


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_files_are_short() -> None:
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in source_files()
    }
    assert not {module: lines for module, lines in lengths.items() if lines > MOST_LINES}


def test_every_module_says_what_it_is() -> None:
    assert not [name_of(path) for path in source_files() if not ast.get_docstring(parsed(path))]


def test_the_face_of_a_package_says_what_is_public() -> None:
    wrong = {}
    for path in source_files():
        if path.name != "__init__.py" or not any(imports_of(path)):
            continue
        module = importlib.import_module(name_of(path))
        public = getattr(module, "__all__", None)
        if not public:
            wrong[name_of(path)] = "no __all__"
        elif missing := [name for name in public if not hasattr(module, name)]:
            wrong[name_of(path)] = f"not there: {missing}"
    assert not wrong


def test_pure_modules_know_no_loop_no_database_no_clock() -> None:
    pure = [path for path in source_files() if is_pure(path)]
    wrong = {name_of(path): set(imports_of(path)) & IMPURE for path in pure}
    assert not {module: imports for module, imports in wrong.items() if imports}


@pytest.mark.parametrize("module", MUST_BE_PURE)
def test_the_core_of_each_layer_is_pure(module: str) -> None:
    assert is_pure(ROOT / Path(*module.split(".")).with_suffix(".py"))


# What an exchange calls things: only its room knows, and what it is said to a user in (a setting's
# allowed values and addresses, the help and messages of commands).
VENUES = ("spreadlake.binance",)
WORDS_OF_VENUES = re.compile(
    r"agg_?trades?|fapi|fstream|/market/|X-MBX|exchange_?info|\bfromId\b|\bstartTime\b|TRADIFI|"
    r"PENDING_TRADING|PRE_SETTLE|DELIVERING|IP banned|agg_trade_id|-1121|-1003",
    re.IGNORECASE,
)
SAID_TO_USERS = {
    "spreadlake.config.sections",
    "spreadlake.config.universe",
    "launcher.commands.imports",
    "launcher.commands.replay",
    "launcher.commands.simulate",
    "launcher.commands.verify",
}
# Who chooses an exchange, or is made for one: everybody else asks the `spreadlake.venue.Venue` it
# was given. A dump and a recording are of one exchange, and so is the simulated one.
CHOOSES_A_VENUE = {
    "collector.keeping",
    "importer.plan",
    "importer.reader",
    "importer.run",
    "importer.verify",
    "launcher.commands.file_progress",
    "launcher.commands.pipeline",
    "launcher.commands.simulate",
    "spreadlake.lake.ticks.identity",
}


def is_of_a_venue(module: str) -> bool:
    return module.startswith(VENUES)


def test_an_exchange_is_known_in_its_room_only() -> None:
    found = {
        name_of(path): sorted(set(WORDS_OF_VENUES.findall(path.read_text(encoding="utf-8"))))
        for path in source_files()
        if not is_of_a_venue(name_of(path))
    }
    said = {module: words for module, words in found.items() if words}
    assert said.keys() == SAID_TO_USERS, said


def test_few_choose_an_exchange() -> None:
    importers = {
        name_of(path)
        for path in source_files()
        if any(is_of_a_venue(imported) for imported in imports_of(path))
    }
    named = {m for m in importers if not is_of_a_venue(m) and not m.startswith("simulator")}
    assert named == CHOOSES_A_VENUE
