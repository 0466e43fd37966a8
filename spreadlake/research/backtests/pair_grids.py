"""One grid over many pairs: which sets of parameters hold for a market, not for one pair."""

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import polars as pl

from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_reader
from spreadlake.pairs import Pair
from spreadlake.quant.backtest.grid import run_grid
from spreadlake.quant.backtest.parameters import ParameterSets
from spreadlake.quant.backtest.tables import GRID_SCHEMA, grid_frame
from spreadlake.research.backtests.grid import GridRequest
from spreadlake.research.backtests.grid_tasks import PairGround
from spreadlake.research.bar_source import BarSource
from spreadlake.tasks import Progress, Tasks


@dataclass(frozen=True)
class PairGridTask:
    """Runs all sets of a grid on one pair."""

    lake: Lake
    asked: GridRequest

    def __call__(self, pair: Pair) -> pl.DataFrame:
        """GRID_SCHEMA after `pair`."""
        sets = ParameterSets.of(self.asked.base, self.asked.grid).sets
        longest = max(max(one.window, one.lookback) for one in sets)
        ground = PairGround(self.lake, replace(self.asked.request, pair=pair), longest).ground
        found = grid_frame(run_grid(ground, sets, (0, len(ground.bars))))
        return found.select(pl.lit(pair.name).alias("pair"), pl.all())


def take_grids(
    lake: Lake,
    asked: GridRequest,
    pairs: Sequence[Pair],
    tasks: Tasks,
    advance: Progress | None = None,
) -> pl.DataFrame:
    """A row for each pair and set, in the order of the pairs, the best set of each first.

    The request's own pair is not used; each pair is a task. Bars that become final meanwhile are
    left out for all of them. InputError for no pair, and for what `take_grid` refuses.
    """
    if not pairs:
        raise InputError("a grid over pairs needs one: name some, such as ETHUSDT/BTCUSDT")
    ParameterSets.of(asked.base, asked.grid)  # a mistake in it is told before any work
    request = asked.request
    symbols = sorted({leg for pair in pairs for leg in pair})
    with closing(open_reader(lake.analytics_db)) as db:
        source = BarSource.of(db, lake, request.timeframe, symbols)
    known = float(source.end * source.length)
    end = min(known, math.inf if request.end is None else request.end)
    task = PairGridTask(lake, replace(asked, request=replace(request, end=end)))
    schema = pl.Schema({"pair": pl.String(), **GRID_SCHEMA})
    return pl.concat([schema.to_frame(), *tasks.map(task, pairs, advance)])
