"""The alert rules that were set by hand: `rules.json` in the lake's folder.

Each is of one pair, timeframe and window. Where a rule of the configuration with its name watches
them, it takes the place of that rule on this pair, and what it does not say stays as that rule says
it; else it is a rule of its own.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from spreadlake.config.alerting import AlertRule
from spreadlake.lake.hand_file import HandFile
from spreadlake.lake.layout import Lake
from spreadlake.pairs import Pair, parse_pair

BY_HAND = "by hand"  # the name of a rule where nobody named it
WHERE = frozenset({"name", "on", "pairs", "timeframe", "window", "lookback"})


class AddedRule(NamedTuple):
    """A rule with what was said of it alone, and since when it is (Unix s)."""

    rule: AlertRule
    since: int

    @property
    def pair(self) -> Pair:
        """The one pair that it watches."""
        return Pair(*self.rule.pairs[0])

    @property
    def place(self) -> tuple[str, str, str, int]:
        """Name, pair, timeframe and window: what there is one of."""
        return self.rule.name, self.pair.name, self.rule.timeframe, self.rule.window

    @property
    def said(self) -> dict[str, Any]:
        """The keys that were given, but for what it watches."""
        return self.rule.model_dump(mode="json", exclude_unset=True, exclude=set(WHERE))

    def changes(self, rule: AlertRule) -> bool:
        """Whether a rule of the configuration is the one that it is of."""
        return (
            rule.on == "pair"
            and (rule.name, rule.timeframe, rule.window)
            == (self.rule.name, self.rule.timeframe, self.rule.window)
            and (rule.pairs == "all" or {*self.pair} in [{*pair} for pair in rule.pairs])
        )

    def over(self, rule: AlertRule) -> AlertRule:
        """That rule with what is said here; a level to close at that no longer fits is left out."""
        keys = rule.model_dump(exclude_unset=True) | self.said
        if self.rule.lookback is not None:
            keys["lookback"] = self.rule.lookback
        if "close_below" not in self.said and (keys.get("close_below") or 0) > keys["threshold"]:
            del keys["close_below"]
        return AlertRule(**keys)


def rule_by_hand(
    pair: Pair, name: str, series: tuple[Any, Any, Any], said: Mapping[str, Any], now: float
) -> AddedRule:
    """A rule on (timeframe, window, lookback) of a pair; ValidationError where a value is wrong."""
    timeframe, window, lookback = series
    where = {"timeframe": timeframe, "window": window, "lookback": lookback}
    return AddedRule(AlertRule(name=name, pairs=[pair], **where, **said), int(now))


def added_rules(lake: Lake) -> HandFile[AddedRule]:
    """The file of them, in the order they were set."""
    return HandFile(lake.added_rules, "rules", "spreadlake alerts", _parsed, _row)


def read_added_rules(lake: Lake) -> list[AddedRule]:
    """The rules in the order they were set; LakeError where the file is not as it is written."""
    return added_rules(lake).read()


def changing_rules(lake: Lake) -> AbstractContextManager[list[AddedRule]]:
    """The rules to be changed in place, written at the end (see `HandFile.changing`)."""
    return added_rules(lake).changing()


def rule_on(rule: AlertRule, pair: Pair, added: Iterable[AddedRule]) -> AlertRule:
    """A rule of the configuration as it is on one pair."""
    for one in added:
        if {*one.pair} == {*pair} and one.changes(rule):
            return one.over(rule)
    return rule


def rules_of_their_own(rules: Iterable[AlertRule], added: Iterable[AddedRule]) -> list[AlertRule]:
    """Those that were set by hand and change no rule of the configuration."""
    known = list(rules)
    return [one.rule for one in added if not any(one.changes(rule) for rule in known)]


def _parsed(one: Mapping[str, Any]) -> AddedRule:
    keys = dict(one)
    pair = parse_pair(str(keys.pop("pair")))
    name, since = str(keys.pop("rule")), int(keys.pop("since"))
    series = (keys.pop("timeframe"), keys.pop("window"), keys.pop("lookback"))
    return rule_by_hand(pair, name, series, keys, since)


def _row(one: AddedRule) -> dict[str, Any]:
    name, pair, timeframe, window = one.place
    where = {"rule": name, "pair": pair, "timeframe": timeframe, "window": window}
    return {**where, "lookback": one.rule.lookback, **one.said, "since": one.since}
