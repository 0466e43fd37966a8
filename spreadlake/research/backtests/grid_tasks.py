"""The sets of a grid as tasks: each reads the bars by itself, and is sent parameters alone."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.quant.backtest import Bars, Costs, Signals
from spreadlake.quant.backtest.folds import Fold
from spreadlake.quant.backtest.grid import Ground, Part, Trial, run_part
from spreadlake.quant.backtest.parameters import GridValues, ParameterSet, ParameterSets, Value
from spreadlake.quant.backtest.walk_forward import Training, train_part
from spreadlake.research.backtests.funding_paid import read_paid
from spreadlake.research.backtests.pair import BacktestRequest
from spreadlake.research.backtests.pair_history import PairHistory


@dataclass(frozen=True)
class PairGround:
    """The bars of a request for windows up to `longest`, and what runs over them.

    What was read stays for the next tasks, and is sent to nobody. `digest` is of the bars that
    there have to be; None for any.
    """

    lake: Lake
    request: BacktestRequest
    longest: int
    digest: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @cached_property
    def history(self) -> PairHistory:
        """LakeError where the bars are other ones than those of who asked."""
        request = self.request
        history = PairHistory.read(
            self.lake,
            request.pair,
            request.timeframe,
            self.longest,
            request.max_stale_bars,
            request.start,
            request.end,
        )
        if self.digest not in (None, _digest(history.bars)):
            raise LakeError(
                f"the bars of {request.pair.name} in {self.lake.root} changed while they were "
                "back-tested, or are others on another machine; run it again"
            )
        return history

    @cached_property
    def paid(self) -> tuple[Any, list[str]]:
        """Funding, if it is asked for, and notes on it."""
        request = self.request
        bars = self.ground_bars
        return read_paid(self.lake, request.pair, bars) if request.funding else (None, [])

    @cached_property
    def ground_bars(self) -> Bars:
        """The rows that both legs have."""
        return self.history.bars

    @cached_property
    def ground(self) -> Ground:
        """What sets are run over."""
        costs: Costs = self.request.lane.costs
        return Ground(self.ground_bars, _LastSignals(self.history).of, costs, self.paid[0])

    def pinned(self) -> "PairGround":
        """Of just the bars that were read here, wherever and whenever they are read again."""
        bars = self.ground_bars
        end = float(bars.time[-1] + bars.length)
        return PairGround(self.lake, replace(self.request, end=end), self.longest, _digest(bars))


@dataclass(frozen=True)
class _SetsTask:
    """Work on the sets of a grid over one ground; who does it puts the sets together again."""

    of: PairGround
    base: Mapping[str, Value]
    grid: GridValues

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @cached_property
    def sets(self) -> tuple[ParameterSet, ...]:
        """In the order of the grid."""
        return ParameterSets.of(self.base, self.grid).sets


@dataclass(frozen=True)
class GridTask(_SetsTask):
    """Runs the sets of a part over all bars."""

    def __call__(self, part: Part) -> list[tuple[int, Trial]]:
        """What they did, by number."""
        ground = self.of.ground
        return run_part(ground, self.sets, part, (0, len(ground.bars)))


@dataclass(frozen=True)
class TrainingTask(_SetsTask):
    """Runs the sets of a part over the training of every fold."""

    folds: Sequence[Fold]

    def __call__(self, part: Part) -> Training:
        """What they did, and the best of them in each fold."""
        return train_part(self.of.ground, self.sets, part, self.folds)


class _LastSignals:
    """Signals of sets that share them; the last are kept, as the best set is often among these."""

    def __init__(self, history: PairHistory) -> None:
        self._history = history
        self._last: tuple[object, Signals] | None = None

    def of(self, some: Sequence[ParameterSet]) -> Signals:
        """The spread is tested wherever one of the sets may open."""
        entries = [one.rules.entry for one in some if one.rules.max_adf_pvalue is not None]
        asked = (*some[0].series, min(entries, default=None))
        if self._last is None or self._last[0] != asked:
            self._last = None  # not two at a time
            self._last = asked, self._history.signals(*asked)
        return self._last[1]


def _digest(bars: Bars) -> str:
    """Of every number in them."""
    digest = hashlib.blake2b(digest_size=16)
    for name in Bars.__dataclass_fields__:
        value = getattr(bars, name)
        digest.update(value.tobytes() if hasattr(value, "tobytes") else repr(value).encode())
    return digest.hexdigest()
