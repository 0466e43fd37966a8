"""Every kind of mistake in the settings: told with source, key, value and what is allowed."""

from pathlib import Path

import pytest

from spreadlake.config import load_settings
from spreadlake.errors import ConfigError

IN_A_FILE = {
    "unknown key": (
        'symbls = ["A"]',
        ["unknown key 'symbls'", "['A']", "allowed at the top level: symbols, pairs", "symbols?"],
    ),
    "unknown key in a section": (
        "[exporter]\nprt = 1",
        ["unknown key 'prt' (value 1)", "allowed in [exporter]: host, port", "mean port?"],
    ),
    "unknown section": ("[grafana]\nport = 1", ["unknown key 'grafana'"]),
    "unknown key in a rule": (
        '[[alerts]]\nname = "x"\nlevel = 2',
        ["unknown key 'level'", "allowed in [alerts[0]]", "threshold"],
    ),
    "text for a number": ('[job]\ninterval = "fast"', ["job.interval = 'fast'", "a number"]),
    "fraction for a whole number": ("max_stale_bars = 1.5", ["max_stale_bars = 1.5", "whole"]),
    "too small": ("windows = [1]", ["windows[0] = 1", "greater than or equal to 2"]),
    "too large": ("[exporter]\nport = 70000", ["exporter.port = 70000", "65535"]),
    "not finite": ("[job]\nlateness = nan", ["job.lateness = nan", "finite"]),
    "infinite": ("[job]\ninterval = inf", ["job.interval = inf"]),
    "one value for a list": ('symbols = "BTCUSDT"', ["symbols = 'BTCUSDT'", "must be a list"]),
    "empty list": ("symbols = []", ["symbols = []", "at least 1 item"]),
    "lower case": ('symbols = ["btcusdt"]', ["symbols[0] = 'btcusdt'", "upper case: BTCUSDT"]),
    "not a symbol": ('symbols = ["BTC/USDT"]', ["'BTC/USDT' is not a symbol"]),
    "symbol as other exchanges write it": (
        'symbols = ["BTC-USDT"]',
        ["symbols[0] = 'BTC-USDT'", "is not a symbol", "did you mean BTCUSDT?"],
    ),
    "nothing that could be a symbol": ('symbols = ["/"]', ["'/' is not a symbol", "BTCUSDT"]),
    "pair and its reverse": (
        'pairs = [["BTCUSDT", "ETHUSDT"], ["ETHUSDT", "BTCUSDT"]]',
        ["pairs: ", "ETHUSDT/BTCUSDT is BTCUSDT/ETHUSDT the other way round"],
    ),
    "pair named twice": (
        'pairs = [["BTCUSDT", "ETHUSDT"], ["BTCUSDT", "ETHUSDT"]]',
        ["pairs: BTCUSDT/ETHUSDT is there twice"],
    ),
    "rule on a pair that is not computed": (
        'symbols = ["A", "B", "C"]\n[[alerts]]\nname = "x"\npairs = [["B", "A"]]',
        ["rule 'x' watches pairs B/A", "computed are A/B, A/C, B/C"],
    ),
    "named twice": ('symbols = ["A", "A"]', ["symbols: A is there twice"]),
    "pair as text": ('pairs = ["A/B"]', ["pairs[0] = 'A/B'", '["BTCUSDT", "ETHUSDT"]']),
    "pair of one": ('pairs = [["BTCUSDT"]]', ["pairs[0][1]", "list of two symbols"]),
    "pair of three": (
        'pairs = [["A", "B", "C"]]',
        ["pairs[0] = ['A', 'B', 'C']", "list of two symbols"],
    ),
    "pair with itself": ('pairs = [["BTCUSDT", "BTCUSDT"]]', ["two different symbols"]),
    "pairs as a word": ('pairs = "some"', ["pairs = 'some'", '"all" or a list of pairs']),
    "pair that is not captured": (
        'pairs = [["BTCUSDT", "XRPUSDT"]]',
        ["BTCUSDT/XRPUSDT uses XRPUSDT", "not in symbols (BTCUSDT, ETHUSDT, SOLUSDT)"],
    ),
    "timeframe": ('timeframes = ["1d"]', ["timeframes[0] = '1d'", "s, m or h"]),
    "page": (
        "[exporter]\nurl = 'ws://host'",
        ["exporter.url = 'ws://host'", "an address that a browser opens, such as https://"],
    ),
    "address": ('[exchange]\nws_url = "fstream"', ["exchange.ws_url = 'fstream'", "wss://host"]),
    "choice": ('[exchange]\ntrades = "all"', ["exchange.trades = 'all'", "'aggTrade' or 'trade'"]),
    "section as a value": ("exporter = 9464", ["exporter = 9464", "section of several keys"]),
    "rule without a name": ("[[alerts]]\nwindow = 60", ["alerts[0].name: is missing"]),
    "rule on what is not computed": (
        '[[alerts]]\nname = "x"\nwindow = 61',
        ["rule 'x' watches window 61", "computed are 30, 60, 120"],
    ),
    "rule with levels crossed": (
        '[[alerts]]\nname = "x"\nthreshold = 2\nclose_below = 3',
        ["alerts[0]", "close_below 3.0 is above threshold 2.0"],
    ),
    "rule on screens that are not taken": (
        '[[alerts]]\nname = "x"\non = "screen"',
        ["rule 'x' is on = \"screen\"", "screen.enabled is false", "enabled = true under [screen]"],
    ),
    "rule on screens with keys of pairs": (
        '[screen]\nenabled = true\n[[alerts]]\nname = "x"\non = "screen"\nwindow = 60\n'
        'pairs = [["BTCUSDT", "ETHUSDT"]]',
        [
            "window = 60 is asked of pair analytics",
            "on a screen it is screen.window",
            "pairs = [['BTCUSDT', 'ETHUSDT']]",
            "leave pairs out",
        ],
    ),
    "rule on pairs with keys of screens": (
        '[[alerts]]\nname = "x"\nmax_qvalue = 0.01\nmin_persistence = 0',
        ["max_qvalue = 0.01", 'set on = "screen"', "min_persistence = 0.0"],
    ),
    "rule on what": ('[[alerts]]\nname = "x"\non = "both"', ["alerts[0].on", "'pair' or 'screen'"]),
    "persistence of screens hours apart": (
        "[screen]\nenabled = true\ninterval = 4000\n"
        '[[alerts]]\nname = "x"\non = "screen"\nmin_persistence = 0.5',
        ["min_persistence = 0.5", "4,020 s apart", "screen.interval"],
    ),
    "rules of one name": (
        '[[alerts]]\nname = "x"\n[[alerts]]\nname = "x"',
        ["alerts.name: x is there twice"],
    ),
    "number as text": (
        '[exporter]\nport = "9464"',
        ["exporter.port = '9464'", "must be a number, without quotes: 9464"],
    ),
    "number as text in a list": ('windows = [30, "60"]', ["windows[1] = '60'", "without quotes"]),
    "number as text in a table": (
        '[storage]\nanalytics_hours = {"1s" = "48"}',
        ["storage.analytics_hours.1s = '48'", "without quotes"],
    ),
    "optional number as text": (
        '[[alerts]]\nname = "x"\nlookback = "300"',
        ["alerts[0].lookback = '300'", "without quotes"],
    ),
    "boolean for a number": ("max_stale_bars = true", ["max_stale_bars = True", "a number"]),
    "not TOML": ("symbols = [", ["is not valid TOML"]),
}

IN_THE_ENVIRONMENT = {
    "no JSON": (
        ("SPREADLAKE_SYMBOLS", "BTCUSDT,ETHUSDT"),
        ["= 'BTCUSDT,ETHUSDT'", "written as JSON", '["BTCUSDT", "ETHUSDT", "SOLUSDT"]'],
    ),
    "no JSON within a section": (
        ("SPREADLAKE_STORAGE__ANALYTICS_HOURS", "48"),
        ["storage.analytics_hours = 48", "a table"],
    ),
    "half of JSON": (
        ("SPREADLAKE_STORAGE__ANALYTICS_HOURS", '{"1s": 48'),
        ["written as JSON", '{"1s": 12.0, "1m": 720.0}'],
    ),
    "wrong value": (("SPREADLAKE_EXPORTER__PORT", "x"), ["exporter.port = 'x'", "whole number"]),
    "wrong value in JSON": (
        ("SPREADLAKE_ALERTS", '[{"name": "a", "threshold": -1}]'),
        ["alerts[0].threshold = -1", "greater than 0"],
    ),
    "empty": (("SPREADLAKE_MAX_STALE_BARS", ""), ["max_stale_bars = ''", "whole number"]),
    "unknown section": (
        ("SPREADLAKE_EXPORTERS__PORT", "1"),
        ["is not a setting", "did you mean SPREADLAKE_EXPORTER__PORT?"],
    ),
    "unknown key": (
        ("SPREADLAKE_EXPORTER__PROT", "1"),
        ["unknown key 'prot'", "host, port", "did you mean port?"],
    ),
    "lower case": (("spreadlake_exporters__port", "1"), ["is not a setting"]),
}


@pytest.mark.parametrize(("text", "said"), IN_A_FILE.values(), ids=IN_A_FILE.keys())
def test_mistake_in_a_file(tmp_path: Path, text: str, said: list[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    message = refused(path)
    assert [part for part in [str(path), *said] if part not in message] == []


@pytest.mark.parametrize(
    ("variable", "said"), IN_THE_ENVIRONMENT.values(), ids=IN_THE_ENVIRONMENT.keys()
)
def test_mistake_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: tuple[str, str], said: list[str]
) -> None:
    monkeypatch.setenv(*variable)
    message = refused(None)
    assert [part for part in [variable[0], *said] if part not in message] == []


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("windows = [1]\n[job]\ninterval = 0\nx = 1\n", encoding="utf-8")
    lines = refused(path).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{path}: ") for line in lines)


def test_the_file_is_not_blamed_for_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[exporter]\nport = 1", encoding="utf-8")
    monkeypatch.setenv("SPREADLAKE_EXPORTER__PORT", "-1")
    assert refused(path).startswith("environment variable SPREADLAKE_EXPORTER__PORT: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    message = refused(tmp_path / "none.toml")
    assert "none.toml cannot be read: No such file" in message


def test_a_folder_for_a_file(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "is not valid TOML" in refused(path)


def refused(path: Path | None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("windows = [0]", "windows[0] = 0: must be greater than or equal to 2"),
        ("symbols = []", "symbols = []: must have at least 1 item, not 0"),
        ("[exporter]\nport = 99999", "exporter.port = 99999: must be less than or equal to 65535"),
        ("[job]\ninterval = nan", "job.interval = nan: must be a finite number"),
        ("[storage]\nroll_after_hours = 1e99", "must be a whole number"),
        ("[storage]\nalert_days = 1e300", "must be less than or equal to 36500"),
        ("[notify]\nmax_age_minutes = 1e300", "must be less than or equal to 52560000"),
        ("[[alerts]]\nname = 'z'\nmin_bars = 1000000", "must be less than or equal to 100000"),
        ("[exchange]\ntrades = 'foo'", "exchange.trades = 'foo': must be 'aggTrade' or 'trade'"),
        *[
            (f"[exchange]\nws_url = '{url}'", f"exchange.ws_url = '{url}': it is not an address")
            for url in ("fstream.binance.com", "ws://host:99999", "ws://", "ws://[bad", "ws://h:x")
        ],
    ],
)
def test_no_library_speaks_of_a_wrong_value(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "spreadlake.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    message = str(caught.value)
    assert told in message
    assert "nput" not in message
    assert "validation" not in message
