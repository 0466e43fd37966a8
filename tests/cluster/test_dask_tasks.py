"""Tasks on real schedulers and workers: results as in one process, whatever ends in the middle."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import spreadlake
from spreadlake.cluster import open_tasks
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.pairs import Pair
from spreadlake.quant.backtest import Costs, Lane, Rules
from spreadlake.quant.screen import ScreenOptions
from spreadlake.research import NoScreenError, ScreenRequest
from spreadlake.research.backtests.grid import GridRequest, take_grid
from spreadlake.research.backtests.pair import BacktestRequest
from spreadlake.research.backtests.screen import take_screen_backtest
from spreadlake.research.screens import Keeper, ScreenTaker, iter_screens
from spreadlake.tasks import InProcess, Tasks
from tests.cluster.dask_processes import Cluster, Held, cluster_of
from tests.patience import PATIENCE
from tests.research.bar_lake import BEGIN, make_bar_lake, walks
from tests.research.test_screen_backtest import BASE, lake_of
from tests.running import until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_of(tmp_path_factory.mktemp("cluster"), 2) as found:
        yield found


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """With a symbol that comes late, one that leaves, bars without trades, and a break."""
    symbols = [f"{letter}USDT" for letter in "ABCDEF"]
    closes = walks(symbols, 900)
    closes["EUSDT"][:400] = float("nan")
    closes["FUSDT"][600:] = float("nan")
    breaks = [(BEGIN + 700 * 60, BEGIN + 730 * 60)]
    for close in closes.values():
        close[700:730] = float("nan")
    root = tmp_path_factory.mktemp("lake")
    return make_bar_lake(root, closes, idle={"CUSDT": range(100, 140)}, breaks=breaks)


def _screens(tasks: Tasks, lake: Lake, every: int = 600) -> list[Any]:
    """Of each time what is kept of the screen, or why there is none."""
    request = ScreenRequest(options=ScreenOptions(60, 20))
    taker = ScreenTaker(lake, request, Keeper("edge_bps", 0.9, 10, 0.05))
    times = [BEGIN + at for at in range(0, 900 * 60 + 1, every)]
    return [
        str(one)
        if isinstance(one, NoScreenError)
        else (one.pairs, one.found, one.screen.left_out, one.screen.rows.to_dict(as_series=False))
        for one in iter_screens(tasks, taker, times, None)
    ]


def test_screens_are_those_of_one_process(cluster: Cluster, lake: Lake) -> None:
    wanted = _screens(InProcess(), lake)
    told: list[tuple[int, int]] = []
    with open_tasks(cluster.address, lake) as tasks:
        found = _screens(tasks, lake)
        assert list(tasks.map(abs, [-1, 2], lambda *done: told.append(done))) == [1, 2]
    assert repr(found) == repr(wanted)  # NaN and -0.0 are told apart
    assert sum(isinstance(one, str) for one in wanted) > 3  # before the first, and in the break
    assert told[0] == (0, 2)
    assert told[-1] == (2, 2)


GRIDS: list[dict[str, Any]] = [
    {"entry": [1.0, 1.5, 2.0], "window": [20, 40], "stop": [None, 3.0], "prices": ["raw", "log"]},
    {"entry": [1.0, 1.5, 2.0, 9.0], "exit": [0.0, 0.5], "max_adf_pvalue": [None, 0.2]},
    {"entry": [50.0, 60.0]},
]


@pytest.mark.parametrize("spans", [(None, None), ("4h", "2h")])
def test_a_grid_is_that_of_one_process(
    cluster: Cluster, lake: Lake, spans: tuple[str | None, str | None]
) -> None:
    with open_tasks(cluster.address, lake) as tasks:
        for grid in GRIDS:
            for pair in (Pair("AUSDT", "BUSDT"), Pair("EUSDT", "CUSDT")):
                request = BacktestRequest(pair, lookback=60, lane=Lane(Rules(), Costs(0.5)))
                base: dict[str, Any] = {"window": 20, "lookback": 60, "prices": "raw"}
                asked = GridRequest(request, base, grid, *spans)
                _require_same(take_grid(lake, asked), take_grid(lake, asked, tasks))


def test_a_grid_over_pairs_is_that_of_each(cluster: Cluster, lake: Lake) -> None:
    """Also in Python, where a cluster is a word."""
    opened, grid = spreadlake.open(lake.root), GRIDS[0]
    pairs = ["AUSDT/BUSDT", "EUSDT/CUSDT", "DUSDT/AUSDT"]
    usual: dict[str, Any] = {"grid": grid, "lookback": 60, "fee_bps": 0.5}
    found = opened.grid(pairs, cluster=cluster.address, **usual)
    assert found.equals(opened.grid(pairs, **usual), null_equal=True)
    for pair in pairs:
        one = opened.backtest(*pair.split("/"), **usual).grid
        assert one is not None
        rows = found.filter(pl.col("pair") == pair).drop("pair")
        assert rows.equals(one, null_equal=True)
    with pytest.raises(InputError, match="needs one"):
        opened.grid([], **usual)


def test_a_portfolio_is_that_of_one_process(cluster: Cluster, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, seed=3)
    wanted = take_screen_backtest(lake, BASE)
    assert len(wanted.trades) > 20
    with open_tasks(cluster.address, lake) as tasks:
        _require_same(wanted, take_screen_backtest(lake, BASE, None, 2, tasks))


def _require_same(wanted: Any, found: Any) -> None:
    assert wanted.tables.keys() == found.tables.keys()
    for name in ("trades", "equity"):
        assert getattr(wanted, name).equals(getattr(found, name), null_equal=True), name
    for name, table in wanted.tables.items():
        assert table.equals(found.tables[name], null_equal=True), name
    for name in ("summary", "settings", "notes", "selection"):
        assert repr(getattr(wanted, name)) == repr(getattr(found, name))


def test_a_worker_killed_in_the_middle_changes_nothing(
    cluster: Cluster, lake: Lake, tmp_path: Path
) -> None:
    """What it was doing is done by the other one; and then the screens, with one that is killed."""
    held, said = Held(tmp_path), list[str]()
    with open_tasks(cluster.address, lake, said.append) as tasks:
        with ThreadPoolExecutor(1) as reader:
            found = reader.submit(list, tasks.map(held, range(8)))
            until(lambda: len(held.begun()) == 2, "both workers at work")
            cluster.kill(next(iter(cluster.workers)))
            (tmp_path / "go").touch()
            assert found.result(PATIENCE) == list(range(8))
        assert any(len(processes) > 1 for processes in held.begun().values())
        until(lambda: tasks.look() or said, "word of it")  # type: ignore[attr-defined]
        assert said == ["1 worker ended: what it was doing is done again"]
        cluster.add()
        request = ScreenRequest(options=ScreenOptions(60, 20))
        taker = ScreenTaker(lake, request, Keeper("edge_bps", None, None, 0.05))
        screens = iter_screens(tasks, taker, [BEGIN + at * 60.0 for at in range(70, 600, 9)], None)
        rows = [_rows(next(screens))]
        cluster.kill(next(iter(cluster.workers)))
        rows += map(_rows, screens)
    wanted = iter_screens(InProcess(), taker, [BEGIN + at * 60.0 for at in range(70, 600, 9)], None)
    assert rows == [_rows(one) for one in wanted]
    cluster.add()


def _rows(one: Any) -> str:
    return repr(one.screen.rows.to_dict(as_series=False))


def test_few_are_in_flight_and_what_is_not_wanted_is_given_up(
    cluster: Cluster, lake: Lake, tmp_path: Path
) -> None:
    held = Held(tmp_path)
    with open_tasks(cluster.address, lake) as tasks:
        assert tasks.workers == 2
        (tmp_path / "go").touch()
        results = tasks.map(held, range(10_000))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        del results
    until(lambda: not any(cluster.processing().values()), "nothing to do on the cluster")
    assert len(held.begun()) <= 3 + 2 * 3 + 2


def test_an_error_of_a_task_is_that_of_one_process(cluster: Cluster, lake: Lake) -> None:
    request = ScreenRequest(symbols=("AUSDT", "NOUSDT"))
    taker = ScreenTaker(lake, request, Keeper("edge_bps", None, None, 0.05))
    with open_tasks(cluster.address, lake) as tasks:
        screens = iter_screens(tasks, taker, [BEGIN + 4000.0], None)
        with pytest.raises(InputError, match="has no bars of NOUSDT"):
            next(screens)
        with pytest.raises(ZeroDivisionError):
            list(tasks.map(_divide, [0]))


def _divide(item: int) -> float:
    return 1 / item
