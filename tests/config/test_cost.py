"""What reading the settings costs grows with what is written, not with the pairs that follow."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analytics_job.alerts.rules import watched_pairs
from spreadlake.config import Settings, load_settings
from spreadlake.series import SeriesKey


def calls_in(work: Callable[[], object]) -> int:
    """Functions that `work` called, those of C included: the same on every machine."""
    count = 0

    def counted(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def market(folder: Path, symbols: int, rest: str = "") -> Path:
    path = folder / f"{symbols}.toml"
    names = ", ".join(f'"S{number:03}USDT"' for number in range(symbols))
    path.write_text(f"symbols = [{names}]\n{rest}", encoding="utf-8")
    return path


@pytest.mark.parametrize("rest", ["", 'pairs = "all"\n'], ids=["by default", "all"])
def test_symbols_cost_what_they_are_not_what_their_pairs_are(tmp_path: Path, rest: str) -> None:
    few, many = market(tmp_path, 100, rest), market(tmp_path, 500, rest)
    load_settings(few)  # what is done once is done
    assert calls_in(lambda: load_settings(many)) < 10 * calls_in(lambda: load_settings(few))
    settings = load_settings(many)
    assert len(settings.pair_list) == 124_750


def test_a_rule_on_some_pairs_of_all_is_not_looked_up_in_all_of_them(tmp_path: Path) -> None:
    rule = '[[alerts]]\nname = "x"\npairs = [["S001USDT", "S002USDT"]]\n'
    few, many = market(tmp_path, 100, rule), market(tmp_path, 500, rule)
    load_settings(few)
    assert calls_in(lambda: load_settings(many)) < 10 * calls_in(lambda: load_settings(few))


def test_named_pairs_are_compared_with_few_others(monkeypatch: pytest.MonkeyPatch) -> None:
    symbols = [f"S{number}" for number in range(80)]
    pairs = [[a, b] for index, a in enumerate(symbols) for b in symbols[index + 1 :]]
    rules = [{"name": "x", "pairs": pairs}]
    compared = 0

    class Counted(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    monkeypatch.setattr("spreadlake.pairs.Pair.name", property(lambda p: Counted(f"{p.a}/{p.b}")))
    settings = Settings(symbols=symbols, pairs=pairs, alerts=rules)
    assert len(settings.pair_list) == 3160
    assert compared < 10 * len(pairs)


def test_what_rules_watch_costs_what_it_is(tmp_path: Path) -> None:
    rules = "".join(
        f'[[alerts]]\nname = "r{number}"\npairs = [["S{number:03}USDT", "S099USDT"]]\n'
        for number in range(50)
    )
    settings = load_settings(market(tmp_path, 100, rules))
    assert calls_in(lambda: watched_pairs(settings)) < 100 * 50 + 3 * 4950
    watched = watched_pairs(settings)
    assert [one.pair for one in watched] == [f"S{n:03}USDT/S099USDT" for n in range(50)]


def test_the_first_series_is_the_first_of_all(tmp_path: Path) -> None:
    for rest in ("", "pairs = []\n", 'pairs = [["S002USDT", "S001USDT"]]\n'):
        settings = load_settings(market(tmp_path, 3, rest))
        assert settings.first_series == next(iter(settings.series), None)
    assert load_settings(market(tmp_path, 1)).first_series is None
    assert isinstance(load_settings(None).first_series, SeriesKey)
