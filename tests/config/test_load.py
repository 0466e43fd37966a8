"""Where settings come from, and which of two sources wins."""

import os
from pathlib import Path

import pytest

from spreadlake.config import find_config, load_settings
from spreadlake.pairs import Pair


def write(folder: Path, text: str) -> Path:
    path = folder / "spreadlake.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_without_a_file() -> None:
    settings = load_settings(None)
    assert settings.symbols == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert [pair.name for pair in settings.pair_list] == ["BTCUSDT/ETHUSDT", "ETHUSDT/SOLUSDT"]
    assert len(settings.series) == 2 * 2 * 3


def test_the_null_device_means_defaults() -> None:
    assert load_settings(Path(os.devnull)) == load_settings(None)


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "windows = [10, 20]\n[exporter]\nport = 1\nhost = 'localhost'\n")
    monkeypatch.setenv("SPREADLAKE_EXPORTER__PORT", "2")
    monkeypatch.setenv("SPREADLAKE_SYMBOLS", '["AAAUSDT", "BBBUSDT"]')
    settings = load_settings(path)
    assert settings.exporter.port == 2
    assert settings.exporter.host == "localhost"
    assert settings.windows == [10, 20]
    assert settings.symbols == ["AAAUSDT", "BBBUSDT"]


def test_named_symbols_are_paired_each_with_each(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, 'symbols = ["A", "B", "C"]'))
    assert settings.pair_list == [Pair("A", "B"), Pair("A", "C"), Pair("B", "C")]


def test_one_symbol_has_no_pair(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, 'symbols = ["A"]')).series == []


def test_all_can_be_said_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPREADLAKE_PAIRS", "all")
    assert len(load_settings(None).pair_list) == 3


def test_the_default_rule_watches_a_series_that_is_computed(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, 'windows = [45]\ntimeframes = ["5m"]'))
    assert [(rule.window, rule.timeframe) for rule in settings.alerts] == [(45, "5m")]


def test_variables_that_are_not_settings_may_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPREADLAKE_DATA", "/somewhere")
    monkeypatch.setenv("SPREADLAKE_SLACK_URL", "http://hook")
    assert load_settings(None) == load_settings(Path(os.devnull))


def test_the_file_in_the_current_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(None) is None
    write(tmp_path, "")
    assert find_config(None) == Path("spreadlake.toml")
    assert find_config(Path("other.toml")) == Path("other.toml")


FOREIGN = {
    "SPREADLAKE_PORT": "tcp://10.96.0.17:9464",
    "SPREADLAKE_PORT_9464_TCP": "tcp://10.96.0.17:9464",
    "SPREADLAKE_PORT_9464_TCP_ADDR": "10.96.0.17",
    "SPREADLAKE_PORT_9464_TCP_PORT": "9464",
    "SPREADLAKE_PORT_9464_TCP_PROTO": "tcp",
    "SPREADLAKE_SERVICE_HOST": "fd00::17",
    "SPREADLAKE_SERVICE_PORT": "9464",
    "SPREADLAKE_SERVICE_PORT_METRICS": "9464",
    "SPREADLAKE_EXPORTER_PORT": "tcp://10.96.0.18:9464",
    "SPREADLAKE_EXPORTER_SERVICE_HOST": "10.96.0.18",
    "SPREADLAKE_TOML": "./spreadlake.toml",
    "SPREADLAKE_NONSENSE": "1",
    "spreadlake_nonsense": "1",
}


def test_variables_of_strangers_are_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    assert load_settings(None) == load_settings(Path(os.devnull))
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SPREADLAKE_SYMBOL", "SPREADLAKE_SYMBOLS"),
        ("SPREADLAKE_EXPORTER_PORT", "SPREADLAKE_EXPORTER__PORT"),
        ("SPREADLAKE_LOOKBACK", "SPREADLAKE_LOOKBACKS"),
        ("SPREADLAKE_GRAFANA__PORT", None),
    ],
)
def test_what_looks_like_a_misspelt_setting_is_told_and_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, meant: str | None
) -> None:
    monkeypatch.setenv(name, "7")
    assert load_settings(None) == load_settings(Path(os.devnull))
    said = caplog.messages[0]
    assert said.startswith(f"environment variable {name} is not a setting and is passed over")
    assert meant is None or said.endswith(f"; did you mean {meant}?")


def test_a_child_does_not_tell_again_what_its_supervisor_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SPREADLAKE_SYMBOL", "7")
    monkeypatch.setenv("SPREADLAKE_SUPERVISED", "1")
    load_settings(None)
    assert caplog.messages == []


def test_whole_numbers_may_stand_for_others(tmp_path: Path) -> None:
    settings = load_settings(
        write(tmp_path, "[job]\ninterval = 1\n[storage]\nanalytics_hours = {'1s' = 4}")
    )
    assert (settings.job.interval, settings.storage.analytics_hours) == (1.0, {"1s": 4.0})
