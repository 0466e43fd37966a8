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
    """What has to hold at a row for an event to open; None asks nothing.

    `min_hedge_bars` is a share of the lookback.
    """

    min_correlation: float | None = None
    min_volume: float | None = None
    max_adf_pvalue: float | None = None
    min_hedge_bars: float = 0.0


@dataclass(frozen=True)
class WatchedPair:
    """One rule on one pair: its series, one for each lookback, of which one event is open."""

    rule: str
    pair: str
    timeframe: str
    window: int
    lookbacks: tuple[int, ...]
    levels: AlertLevels
    gates: Gates

    @property
    def keys(self) -> list[SeriesKey]:
        """Its series, in the order in which they come first."""
        return [SeriesKey(self.pair, self.timeframe, self.window, own) for own in self.lookbacks]


def watched_pairs(settings: Settings) -> list[WatchedPair]:
    """Every rule on every pair that it watches."""
    every, rules = settings.pair_list, settings.pair_rules
    # Where rules choose symbols or pairs, one that a rule names may not be there now, or be there
    # the other way round.
    named = any(rule.pairs != "all" for rule in rules)
    computed = {frozenset(pair): pair for pair in (every if named else ())}
    # The shortest first, in whatever order they are written.
    lookbacks = tuple(sorted(settings.lookbacks))
    return [
        WatchedPair(
            rule.name,
            pair.name,
            rule.timeframe,
            rule.window,
            lookbacks if rule.lookback is None else (rule.lookback,),
            AlertLevels(rule.threshold, rule.close_level, rule.least_bars, rule.quiet_seconds),
            Gates(rule.min_correlation, rule.min_volume, rule.max_adf_pvalue, rule.min_hedge_bars),
        )
        for one in rules
        for pair in (every if one.pairs == "all" else _there(one.pairs, computed))
        for rule in [settings.rule_on(one, pair)]
    ]


def _there(named: Iterable[Pair], computed: Mapping[frozenset[str], Pair]) -> list[Pair]:
    """Those of the named pairs that are computed, as they are."""
    legs = dict.fromkeys(map(frozenset, named))
    return [computed[one] for one in legs if one in computed]


def rule_definition(watched: WatchedPair, lookback: int, settings: Settings) -> str:
    """What a rule's events depend on besides the trades; events of another are found anew.

    What asks nothing is left out: a rule that asks no more than those of before is as it was.
    """
    levels, gates = watched.levels, watched.gates
    definition = {
        "series": series_definition(settings),
        "threshold": levels.threshold,
        "close_below": levels.close_below,
        "min_bars": levels.min_bars,
        "gates": [gates.min_correlation, gates.min_volume, gates.max_adf_pvalue],
        "hedge_bars": gates.min_hedge_bars * lookback,
    }
    if levels.quiet_seconds:
        definition["quiet_seconds"] = levels.quiet_seconds
    if len(watched.lookbacks) > 1:
        definition["lookbacks"] = watched.lookbacks
    return json.dumps(definition)
