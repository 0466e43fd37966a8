"""`pairs = "screen"`, and pairs that are followed beside those of the configuration."""

from pathlib import Path

import pytest

from spreadlake.config import Settings, load_settings
from spreadlake.errors import ConfigError
from spreadlake.pairs import FollowedPair, Pair

ON = "[screen]\nenabled = true\n"


def loaded(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


@pytest.mark.parametrize("symbols", ["", 'symbols = "all"\n', 'symbols = ["A", "B"]\n'])
def test_the_screen_chooses_pairs_of_any_symbols(tmp_path: Path, symbols: str) -> None:
    settings = loaded(tmp_path, f'{symbols}pairs = "screen"\n{ON}')
    assert settings.pairs == "screen"
    assert (settings.pair_list, settings.series, settings.followed) == ([], [], [])
    assert settings.first_series is None
    chosen = FollowedPair(Pair("B", "A"), "screen", 7, "rank 1")
    following = settings.following([chosen])
    assert following.followed == [chosen]
    assert {key.pair for key in following.series} == {"B/A"}
    assert following.first_series == following.series[0]
    assert settings.pair_list == []  # as it was


MISTAKES = {
    "nothing is screened": (
        'pairs = "screen"',
        ['pairs = "screen"', "nothing is screened", "enabled = true under [screen]"],
    ),
    "too few are kept": (
        f'pairs = "screen"\n{ON}pairs = 30\ntop = 59',
        ["screen.top = 59", "the first 60", "screen.pairs = 30", "or choose fewer"],
    ),
    "none at all": (f'pairs = "screen"\n{ON}pairs = 0', ["screen.pairs = 0", "or equal to 1"]),
    "another word": ('pairs = "screens"', ["pairs = 'screens'", '"screen", "all" or a list']),
    "a rule on a word": (
        f'pairs = "screen"\n{ON}[[alerts]]\nname = "x"\npairs = "screen"',
        ["alerts[0].pairs = 'screen'", 'must be "all" or a list of pairs'],
    ),
    "a rule on a symbol that is not captured": (
        f'pairs = "screen"\n{ON}[[alerts]]\nname = "x"\npairs = [["BTCUSDT", "XRPUSDT"]]',
        ["rule 'x': BTCUSDT/XRPUSDT uses XRPUSDT", "not in symbols", "add it there"],
    ),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes(tmp_path: Path, text: str, said: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert [part for part in said if part not in str(caught.value)] == []


def test_where_pairs_are_listed_the_screen_need_not_choose(tmp_path: Path) -> None:
    settings = loaded(tmp_path, f"{ON}pairs = 30\ntop = 5")
    assert len(settings.pair_list) == 2


def test_a_rule_may_name_a_pair_either_way_round(tmp_path: Path) -> None:
    rule = '[[alerts]]\nname = "x"\npairs = [["ETHUSDT", "BTCUSDT"]]'
    assert loaded(tmp_path, f'pairs = "screen"\n{ON}{rule}').pairs == "screen"


def test_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPREADLAKE_PAIRS", "screen")
    assert loaded(tmp_path, ON).pairs == "screen"
    with pytest.raises(ConfigError, match="nothing is screened"):
        loaded(tmp_path, "")


def test_what_is_followed_already_stays_as_it_is(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'symbols = ["A", "B", "C", "D"]\npairs = [["A", "B"]]')
    hand = [FollowedPair(Pair(*legs), "hand", 1) for legs in ("BA", "CA", "AC", "CD")]
    following = settings.following(hand)
    assert [pair.name for pair in following.pair_list] == ["A/B", "C/A", "C/D"]
    assert [one.source for one in following.followed] == ["configuration", "hand", "hand"]
    again = following.following([FollowedPair(Pair("D", "C"), "screen"), hand[1]])
    assert again is following
    every = loaded(tmp_path, 'symbols = ["A", "B"]\npairs = "all"').following(hand)
    assert [pair.name for pair in every.pair_list] == ["A/B", "C/A", "C/D"]
    assert settings.following([]) is settings
    assert following.capturing(None).pair_list == following.pair_list
