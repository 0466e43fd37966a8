"""The rules of alerts: which series each watches, and what its events depend on."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analytics_job.pairs.plan import series_definition
from spreadlake.config import Settings
from spreadlake.pairs import Pair
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
    # Where rules choose symbols or pairs, one that a rule names may not be there now, or be there
    # the other way round.
    named = any(rule.pairs != "all" for rule in rules)
    computed = {frozenset(pair): pair for pair in (every if named else ())}
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
        for one in rules
        for pair in (every if one.pairs == "all" else _there(one.pairs, computed))
        for rule in [settings.rule_on(one, pair)]
        for lookback in settings.lookbacks
        if rule.lookback in (None, lookback)
    ]


def _there(named: Iterable[Pair], computed: Mapping[frozenset[str], Pair]) -> list[Pair]:
    """Those of the named pairs that are computed, as they are."""
    legs = dict.fromkeys(map(frozenset, named))
    return [computed[one] for one in legs if one in computed]


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
