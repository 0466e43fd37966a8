"""From the settings to what is computed for every pair."""

from analytics_job.pairs.analyser import PairPlan
from spreadlake.config import Settings
from spreadlake.lake.analytics.definition import SeriesDefinition
from spreadlake.quant.pair_rows import Noise


def pair_plan(settings: Settings) -> PairPlan:
    """What is computed for every pair."""
    return PairPlan(
        pairs=tuple(settings.pair_list),
        windows=tuple(settings.windows),
        lookbacks=tuple(settings.lookbacks),
        max_stale=settings.max_stale_bars,
        noise=Noise(settings.kalman.delta, settings.kalman.observation_variance),
    )


def series_definition(settings: Settings) -> str:
    """What a series' rows depend on besides its key and the trades; rows of another are redone."""
    kalman = settings.kalman
    definition = SeriesDefinition(
        settings.max_stale_bars, kalman.delta, kalman.observation_variance
    )
    return definition.to_json()
