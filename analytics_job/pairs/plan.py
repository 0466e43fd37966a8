"""From the settings to what is computed for every pair."""

from dataclasses import dataclass

from spreadlake.config import Settings
from spreadlake.lake.analytics.definition import SeriesDefinition
from spreadlake.pairs import Pair
from spreadlake.quant.pair_rows import Noise, bars_needed
from spreadlake.series import Prices


@dataclass(frozen=True)
class PairPlan:
    """What is computed for every pair."""

    pairs: tuple[Pair, ...]
    windows: tuple[int, ...]
    lookbacks: tuple[int, ...]
    max_stale: int
    noise: Noise
    prices: Prices

    @property
    def reach(self) -> int:
        """Bars that a row depends on, itself included."""
        return bars_needed(self.windows, self.lookbacks, self.max_stale)

    @property
    def series(self) -> int:
        """Rows of a pair at each bar."""
        return len(self.windows) * len(self.lookbacks)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The legs, each once."""
        return tuple(sorted({leg for pair in self.pairs for leg in pair}))


def pair_plan(settings: Settings) -> PairPlan:
    """What is computed for every pair."""
    return PairPlan(
        pairs=tuple(settings.pair_list),
        windows=tuple(settings.windows),
        lookbacks=tuple(settings.lookbacks),
        max_stale=settings.max_stale_bars,
        noise=Noise(settings.kalman.delta, settings.kalman.observation_variance),
        prices=settings.prices,
    )


def series_definition(settings: Settings) -> str:
    """What a series' rows depend on besides its key and the trades; rows of another are redone."""
    kalman = settings.kalman
    definition = SeriesDefinition(
        settings.max_stale_bars, kalman.delta, kalman.observation_variance, settings.prices
    )
    return definition.to_json()
