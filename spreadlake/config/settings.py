"""All settings of spreadlake, checked as a whole."""

from collections.abc import Iterable, Sequence
from itertools import combinations, product
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from spreadlake.config.added_rules import AddedRule, rule_on, rules_of_their_own
from spreadlake.config.alerting import AlertRule, check_screened
from spreadlake.config.checks import listed, no_repeats, no_reverses, not_computed
from spreadlake.config.screening import ScreenSettings
from spreadlake.config.sections import (
    CollectorSettings,
    ExchangeSettings,
    ExporterSettings,
    JobSettings,
    KalmanSettings,
    NotifySettings,
    PairsToFollow,
    RedisSettings,
    Symbol,
    Timeframe,
)
from spreadlake.config.storing import StorageSettings
from spreadlake.config.universe import UniverseSettings
from spreadlake.pairs import FollowedPair, Pair
from spreadlake.series import Prices, SeriesKey
from spreadlake.times import MOST_BARS

ENV_PREFIX = "SPREADLAKE_"
Bars = Annotated[int, Field(ge=2, le=MOST_BARS)]
SymbolList = Literal["all"] | Annotated[list[Symbol], Field(min_length=1)]


class Settings(BaseSettings):
    """The configuration: defaults, then `spreadlake.toml`, then the environment."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    symbols: SymbolList = Field(
        ["BTCUSDT", "ETHUSDT", "SOLUSDT"],
        description='symbols to capture; "all" for those of the exchange that [universe] chooses, '
        "which is also the default where there is a [universe]",
    )
    pairs: PairsToFollow = Field(
        [Pair("BTCUSDT", "ETHUSDT"), Pair("ETHUSDT", "SOLUSDT")],
        description='pairs to analyse, A then B; may be empty; "all" for every pair of symbols, '
        "which is also the default where symbols are named; where symbols are chosen by [universe] "
        'the default is none; "screen" for the best of the live screen, screen.pairs of them; '
        "beside them those that were added by spreadlake pairs",
    )
    timeframes: list[Timeframe] = Field(
        ["1s", "1m"], min_length=1, description="lengths of bars: whole numbers of s, m or h"
    )
    windows: list[Bars] = Field(
        [30, 60, 120], min_length=1, description="bars of the rolling z-score and correlation"
    )
    lookbacks: list[Bars] = Field([300], min_length=1, description="bars of the hedge regression")
    max_stale_bars: int = Field(
        30, ge=1, description="carried closes in a row after which a pair is stale"
    )
    prices: Prices = Field(
        "raw", description='what pair analytics are computed on: "raw" or "log" closes'
    )
    universe: UniverseSettings = UniverseSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    collector: CollectorSettings = CollectorSettings()
    storage: StorageSettings = StorageSettings()
    redis: RedisSettings = RedisSettings()
    job: JobSettings = JobSettings()
    kalman: KalmanSettings = KalmanSettings()
    exporter: ExporterSettings = ExporterSettings()
    screen: ScreenSettings = ScreenSettings()
    notify: NotifySettings = NotifySettings()
    alerts: list[AlertRule] = Field(
        [AlertRule(name="zscore")], description="alert rules; may be empty"
    )
    _more: tuple[FollowedPair, ...] = PrivateAttr(())
    _added_rules: tuple[AddedRule, ...] = PrivateAttr(())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what the file says."""
        return env_settings, init_settings

    @model_validator(mode="before")
    @classmethod
    def _fitting_defaults(cls, data: Any) -> Any:
        """Defaults that name symbols or windows follow the user's own symbols and windows."""
        if not isinstance(data, dict):
            return data
        fitted = dict(data)
        if "universe" in data:
            fitted.setdefault("symbols", "all")
        if "symbols" in fitted and "pairs" not in data:
            fitted["pairs"] = [] if fitted["symbols"] == "all" else "all"
        if "alerts" not in data and ("windows" in data or "timeframes" in data):
            fitted["alerts"] = [_default_rule(data.get("windows"), data.get("timeframes"))]
        return fitted

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        for key in ("symbols", "timeframes", "windows", "lookbacks"):
            if getattr(self, key) != "all":
                no_repeats(key, getattr(self, key))
        self._bounded_universe()
        if isinstance(self.pairs, list):
            no_repeats("pairs", [pair.name for pair in self.pairs])
            no_reverses(self.pairs)
            self._known_symbols("pairs", self.pairs)
        no_repeats("alerts.name", [rule.name for rule in self.alerts])
        for rule in self.pair_rules:
            self._known_series(rule)
        for rule in self.screen_rules:
            check_screened(rule, self.screen)
        self.screen.check(self.timeframes, chooses=self.pairs == "screen")
        return self

    def _bounded_universe(self) -> None:
        if self.symbols != "all":
            # With every key at its default it says nothing, as in the example file.
            if self.universe != UniverseSettings():
                raise ValueError(
                    f"symbols = {listed(self.symbols)}: symbols are named, and [universe] chooses "
                    'them by rules; leave out one of the two, or set symbols = "all"'
                )
        elif self.pairs == "all" and not self.universe.top:
            raise ValueError(
                'pairs = "all" of all symbols are a hundred thousand and more; list the pairs '
                "that matter, bound the symbols with universe.top (50 make 1,225 pairs), or "
                "leave pairs empty and use spreadlake screen"
            )

    def _known_symbols(self, key: str, pairs: Sequence[Pair]) -> None:
        if self.symbols == "all":
            return
        symbols = set(self.symbols)
        for pair in pairs:
            for symbol in pair:
                if symbol not in symbols:
                    raise ValueError(
                        f"{key}: {pair.name} uses {symbol}, which is not in symbols "
                        f"({listed(self.symbols)}); add it there"
                    )

    def _known_series(self, rule: AlertRule) -> None:
        watched: list[tuple[str, object, list[object]]] = [
            ("timeframe", rule.timeframe, [*self.timeframes]),
            ("window", rule.window, [*self.windows]),
            ("lookback", rule.lookback, [None, *self.lookbacks]),
        ]
        for key, value, known in watched:
            if value not in known:
                raise ValueError(not_computed(rule.name, key, value, known))
        if rule.pairs == "all":
            return
        if self.pairs == "screen":  # any pair may come, either way round
            self._known_symbols(f"alerts: rule {rule.name!r}", rule.pairs)
        else:
            self._known_pairs(rule, rule.pairs)

    def _known_pairs(self, rule: AlertRule, watched: Sequence[Pair]) -> None:
        order = {symbol: at for at, symbol in enumerate(self.symbol_list)}
        named = None if self.pairs == "all" else set(self.pairs)
        for pair in watched:
            if named is None and self.symbols == "all":
                known = pair.a < pair.b
            elif named is None:
                known = order.get(pair.a, len(order)) < order.get(pair.b, -1)
            else:
                known = pair in named
            if not known:
                computed = [one.name for one in self.pair_list]
                raise ValueError(not_computed(rule.name, "pairs", pair.name, computed))

    @property
    def pair_rules(self) -> list[AlertRule]:
        """The alert rules on pair analytics: those of the configuration, then those set by hand."""
        rules = [rule for rule in self.alerts if rule.on == "pair"]
        return [*rules, *rules_of_their_own(rules, self._added_rules)]

    def rule_on(self, rule: AlertRule, pair: Pair) -> AlertRule:
        """One of `pair_rules` as it is on a pair, where something else was set by hand for it."""
        return rule_on(rule, pair, self._added_rules)

    def with_rules(self, added: Iterable[AddedRule]) -> Self:
        """These settings with the rules that were set by hand and whose series are computed."""
        computed = tuple(
            one
            for one in added
            if one.rule.timeframe in self.timeframes
            and one.rule.window in self.windows
            and one.rule.lookback in (None, *self.lookbacks)
        )
        if computed == self._added_rules:
            return self
        copy = self.model_copy()
        copy._added_rules = computed
        return copy

    @property
    def screen_rules(self) -> list[AlertRule]:
        """The alert rules on the live screen."""
        return [rule for rule in self.alerts if rule.on == "screen"]

    @property
    def symbol_list(self) -> list[str]:
        """The symbols that are named; none where they are "all", which the lake tells."""
        return [] if self.symbols == "all" else list(self.symbols)

    def capturing(self, captured: Sequence[str] | None) -> Self:
        """These settings where "all" symbols are those `captured`; None: it is not known yet."""
        if self.symbols != "all":
            return self
        return self.model_copy(update={"symbols": list(captured or ())})

    @property
    def pair_list(self) -> list[Pair]:
        """The pairs that are followed, with "all" spelled out in the order of the symbols."""
        return [*self._configured, *(one.pair for one in self._more)]

    @property
    def _configured(self) -> list[Pair]:
        if self.pairs == "all":
            return [Pair(a, b) for a, b in combinations(self.symbol_list, 2)]
        return [] if self.pairs == "screen" else list(self.pairs)

    def following(self, more: Iterable[FollowedPair]) -> Self:
        """These settings with `more` pairs beside those there are.

        One that is there already, either way round, stays as it is.
        """
        more = list(more)
        known = {frozenset(pair) for pair in (self.pair_list if more else ())}
        added = []
        for one in more:
            if (legs := frozenset(one.pair)) not in known:
                known.add(legs)
                added.append(one)
        if not added:
            return self
        copy = self.model_copy()
        copy._more = (*self._more, *added)
        return copy

    @property
    def followed(self) -> list[FollowedPair]:
        """The pairs of `pair_list`, each with who asked for it."""
        why = 'pairs = "all"' if self.pairs == "all" else "pairs lists it"
        configured = [FollowedPair(pair, "configuration", None, why) for pair in self._configured]
        return [*configured, *self._more]

    @property
    def series(self) -> list[SeriesKey]:
        """Every series of pair analytics that is computed."""
        kinds = list(product(self.timeframes, self.windows, self.lookbacks))
        return [SeriesKey(pair.name, *kind) for pair in self.pair_list for kind in kinds]

    @property
    def first_series(self) -> SeriesKey | None:
        """The first of `series`, without making all of them; None where there is no pair."""
        if self.pairs == "all" and len(self.symbol_list) > 1:
            pair = Pair(*self.symbol_list[:2])
        elif self.pairs != "all" and self.pair_list:
            pair = self.pair_list[0]
        else:
            return None
        return SeriesKey(pair.name, self.timeframes[0], self.windows[0], self.lookbacks[0])


def _default_rule(windows: Any, timeframes: Any) -> dict[str, Any]:
    """The default rule, moved to a window and a timeframe that are computed."""
    rule: dict[str, Any] = {"name": "zscore"}
    for key, value, computed in (("window", 60, windows), ("timeframe", "1s", timeframes)):
        elsewhere = isinstance(computed, list) and computed and value not in computed
        rule[key] = computed[0] if elsewhere else value
    return rule
