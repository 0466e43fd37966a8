"""From the settings to what the job computes and watches."""

import json

from analytics_job.alerts.store import Gates, WatchedSeries
from analytics_job.pairs.analyser import PairPlan
from spreadlake.config import Settings
from spreadlake.lake.analytics.definition import SeriesDefinition
from spreadlake.quant.alerts import AlertLevels
from spreadlake.quant.pair_rows import Noise
from spreadlake.series import SeriesKey


def pair_plan(settings: Settings) -> PairPlan:
    """What is computed for every pair."""
    return PairPlan(
        pairs=tuple(settings.pair_list),
        windows=tuple(settings.windows),
        lookbacks=tuple(settings.lookbacks),
        max_stale=settings.max_stale_bars,
        noise=Noise(settings.kalman.delta, settings.kalman.observation_variance),
    )


def watched_series(settings: Settings) -> list[WatchedSeries]:
    """Every rule on every series that it watches."""
    every = settings.pair_list
    return [
        WatchedSeries(
            rule.name,
            SeriesKey(pair.name, rule.timeframe, rule.window, lookback),
            AlertLevels(rule.threshold, rule.close_level, rule.min_bars),
            Gates(
                rule.min_correlation,
                rule.min_volume,
                rule.max_adf_pvalue,
                rule.min_hedge_bars * lookback,
            ),
        )
        for rule in settings.alerts
        for pair in (every if rule.pairs == "all" else dict.fromkeys(rule.pairs))
        for lookback in settings.lookbacks
        if rule.lookback in (None, lookback)
    ]


def series_definition(settings: Settings) -> str:
    """What a series' rows depend on besides its key and the trades; rows of another are redone."""
    kalman = settings.kalman
    definition = SeriesDefinition(
        settings.max_stale_bars, kalman.delta, kalman.observation_variance
    )
    return definition.to_json()


def rule_definition(watched: WatchedSeries, settings: Settings) -> str:
    """What a rule's events depend on besides the trades; events of another are found anew."""
    levels, gates = watched.levels, watched.gates
    return json.dumps(
        {
            "series": series_definition(settings),
            "threshold": levels.threshold,
            "close_below": levels.close_below,
            "min_bars": levels.min_bars,
            "gates": [gates.min_correlation, gates.min_volume, gates.max_adf_pvalue],
            "hedge_bars": gates.min_hedge_bars,
        }
    )
