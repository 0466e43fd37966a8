"""The rules of alerts: which series each watches, and what its events depend on."""

import json
from dataclasses import dataclass

from analytics_job.pairs.plan import series_definition
from spreadlake.config import Settings
from spreadlake.quant.alerts import AlertLevels
from spreadlake.series import SeriesKey


@dataclass(frozen=True)
class Gates:
    """What has to hold at a row for an event to open; None asks nothing."""

    min_correlation: float | None = None
    min_volume: float | None = None
    max_adf_pvalue: float | None = None
    min_hedge_bars: float = 0.0


@dataclass(frozen=True)
class WatchedSeries:
    """One rule on one series."""

    rule: str
    key: SeriesKey
    levels: AlertLevels
    gates: Gates


def watched_series(settings: Settings) -> list[WatchedSeries]:
    """Every rule on every series that it watches."""
    every, rules = settings.pair_list, settings.pair_rules
    # Where rules choose the symbols, a pair that a rule names may not be there now.
    computed = set(every) if any(rule.pairs != "all" for rule in rules) else set()
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
        for rule in rules
        for pair in (
            every
            if rule.pairs == "all"
            else [pair for pair in dict.fromkeys(rule.pairs) if pair in computed]
        )
        for lookback in settings.lookbacks
        if rule.lookback in (None, lookback)
    ]


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
