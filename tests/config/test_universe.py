"""Symbols that are chosen by rules: what may stand in the configuration, and what may not."""

from pathlib import Path

import pytest

from spreadlake.config import Settings, load_settings
from spreadlake.errors import ConfigError
from spreadlake.pairs import Pair


def loaded(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


@pytest.mark.parametrize("text", ['symbols = "all"', "[universe]", "[universe]\ntop = 5"])
def test_all_symbols_have_no_pairs_unless_they_are_asked_for(tmp_path: Path, text: str) -> None:
    settings = loaded(tmp_path, text)
    assert settings.symbols == "all"
    assert settings.symbol_list == []
    assert settings.pair_list == []
    assert settings.capturing(["B", "A"]).symbol_list == ["B", "A"]


def test_one_value_stands_for_a_list_of_it(tmp_path: Path) -> None:
    rules = loaded(tmp_path, '[universe]\nquote = "USDT"\ncontract = "TRADIFI_PERPETUAL"').universe
    assert (rules.quote, rules.contract) == (["USDT"], ["TRADIFI_PERPETUAL"])
    rules = loaded(tmp_path, '[universe]\nquote = ["USDT", "USDC"]').universe
    assert (rules.quote, rules.contract) == (["USDT", "USDC"], ["PERPETUAL"])


def test_pairs_may_name_symbols_that_are_not_there_now(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'symbols = "all"\npairs = [["LATERUSDT", "BTCUSDT"]]')
    assert settings.capturing(["BTCUSDT"]).pair_list == [Pair("LATERUSDT", "BTCUSDT")]


def test_every_pair_of_a_bounded_universe(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'pairs = "all"\n[universe]\ntop = 3')
    assert [p.name for p in settings.capturing(["A", "B", "C"]).pair_list] == ["A/B", "A/C", "B/C"]


MISTAKES = {
    "a list and rules": (
        'symbols = ["BTCUSDT"]\n[universe]\ntop = 10',
        ["symbols = BTCUSDT", "[universe] chooses them by rules", "leave out one of the two"],
    ),
    "every pair of everything": (
        'symbols = "all"\npairs = "all"',
        ['pairs = "all"', "universe.top", "list the pairs", "spreadlake screen"],
    ),
    "kind": ('[universe]\ncontract = "SPOT"', ["universe.contract[0] = 'SPOT'", "'PERPETUAL'"]),
    "quote": ('[universe]\nquote = "usdt"', ["universe.quote[0] = 'usdt'", "e.g. USDT"]),
    "volume": ("[universe]\nmin_quote_volume = -1", ["universe.min_quote_volume = -1"]),
    "volume as text": ('[universe]\nmin_quote_volume = "5"', ["without quotes"]),
    "top": ("[universe]\ntop = -1", ["universe.top = -1"]),
    "no such key": ("[universe]\nquotes = 1", ["unknown key 'quotes'", "did you mean quote?"]),
    "both": (
        '[universe]\ninclude = ["BTCUSDT"]\nexclude = ["BTCUSDT"]',
        ["include and exclude both name BTCUSDT"],
    ),
    "symbol": ('[universe]\ninclude = ["btcusdt"]', ["universe.include[0]", "upper case"]),
    "section as a value": ('universe = "all"', ["universe = 'all'", "section of several keys"]),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes(tmp_path: Path, text: str, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert [part for part in said if part not in str(caught.value)] == []


def test_the_environment_takes_the_place_of_the_files_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPREADLAKE_SYMBOLS", '["AUSDT", "BUSDT"]')
    assert loaded(tmp_path, "[universe]\ntop = 5").symbols == ["AUSDT", "BUSDT"]
    monkeypatch.setenv("SPREADLAKE_SYMBOLS", "all")
    assert loaded(tmp_path, "[universe]\ntop = 5").universe.top == 5
    monkeypatch.delenv("SPREADLAKE_SYMBOLS")
    monkeypatch.setenv("SPREADLAKE_UNIVERSE__TOP", "7")
    settings = loaded(tmp_path, 'symbols = ["AUSDT"]')
    assert (settings.symbols, settings.universe.top) == ("all", 7)
