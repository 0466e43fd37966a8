"""What a service goes on with when its configuration is edited, and when it starts again."""

import os
from pathlib import Path

import pytest

from spreadlake.config import AcceptedCopy, ConfigWatch, load_settings, watch_config
from spreadlake.config.changes import changed_keys
from spreadlake.errors import ConfigError

RIGHT, OTHER, WRONG = "windows = [20]\n", "windows = [30]\n", "windows = [1]\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "spreadlake.toml"
    path.write_text(RIGHT)
    return path


@pytest.fixture
def copy(tmp_path: Path) -> AcceptedCopy:
    return AcceptedCopy(tmp_path / "lake" / "accepted" / "collector.toml")


def started(path: Path, copy: AcceptedCopy, how: str) -> ConfigWatch:
    return watch_config(path, copy, restarted=how == "restarted", alone=how == "alone")


def test_a_restart_goes_on_with_what_was_accepted(config: Path, copy: AcceptedCopy) -> None:
    watch = started(config, copy, "supervised")
    config.write_text(OTHER)
    assert watch.edited() == load_settings(config)
    config.write_text(WRONG)
    assert watch.edited() is None
    for how in ("restarted", "alone"):
        again = started(config, copy, how)
        assert again.settings.windows == [30]
        assert again.edited() is None
        assert "windows[0] = 1" in again.refused
        config.write_text(OTHER + "# mended\n")
        assert again.edited() is None
        assert again.refused == ""
        config.write_text(WRONG)


def test_an_edit_that_came_while_it_was_dead_is_an_edit(config: Path, copy: AcceptedCopy) -> None:
    started(config, copy, "supervised")
    config.write_text(OTHER)
    again = started(config, copy, "restarted")
    assert again.settings.windows == [20]
    edited = again.edited()
    assert edited is not None
    assert edited.windows == [30]
    # Whoever starts it by hand may have edited it for this start.
    assert started(config, copy, "alone").settings.windows == [30]


def test_a_new_start_refuses_a_wrong_file(config: Path, copy: AcceptedCopy) -> None:
    config.write_text(WRONG)
    for how in ("supervised", "restarted", "alone"):
        with pytest.raises(ConfigError, match="windows"):
            started(config, copy, how)
    config.write_text(RIGHT)
    watch = started(config, copy, "alone")
    config.write_text(WRONG)
    with pytest.raises(ConfigError, match="windows"):
        started(config, copy, "supervised")  # a copy of an earlier run is not of this one
    watch.forget()
    with pytest.raises(ConfigError, match="windows"):
        started(config, copy, "alone")  # it ended as it was told to


def test_a_file_that_is_gone_is_as_wrong_as_any(
    config: Path, copy: AcceptedCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = started(config, copy, "supervised")
    config.unlink()
    assert started(config, copy, "restarted").settings.windows == [20]
    monkeypatch.setattr("spreadlake.config.watch._GONE_SECONDS", -1.0)
    assert watch.edited() is None
    assert "No such file" in watch.refused
    config.write_text(RIGHT)
    assert watch.edited() is None
    assert watch.refused == ""


def test_without_a_file_nothing_is_kept(copy: AcceptedCopy) -> None:
    for path in (None, Path(os.devnull)):
        assert started(path, copy, "alone").settings == load_settings(None)  # type: ignore[arg-type]
        assert copy.read() is None


def test_a_folder_that_cannot_be_written_keeps_nobody_from_starting(
    config: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    copy = AcceptedCopy(tmp_path / "file" / "accepted" / "exporter.toml")
    assert started(config, copy, "alone").settings.windows == [20]


def test_keys_that_wait_for_the_next_start_are_named(
    config: Path, copy: AcceptedCopy, caplog: pytest.LogCaptureFixture
) -> None:
    watch = started(config, copy, "supervised")
    watch.at_next_start = ("exporter.", "job.interval")
    config.write_text(OTHER + "[exporter]\nport = 7000\n[job]\nlateness = 1.0\n")
    assert watch.edited() is not None
    assert "exporter.port: taken with the next start, not before" in caplog.messages
    caplog.clear()
    config.write_text(OTHER + "[job]\nlateness = 1.0\ninterval = 0.5\n")
    assert watch.edited() is not None
    (said,) = [line for line in caplog.messages if "next start" in line]
    assert set(said.split(":")[0].split(", ")) == {"exporter.port", "job.interval"}


def test_a_key_that_the_environment_overrides_is_named_all_the_same(
    config: Path,
    copy: AcceptedCopy,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPREADLAKE_EXPORTER__PORT", "9999")
    watch = started(config, copy, "supervised")
    watch.at_next_start = ("exporter.",)
    config.write_text(RIGHT + "[exporter]\nport = 7000\n")
    assert watch.edited() is None  # nothing changes for whoever runs
    assert caplog.messages == ["exporter.port: taken with the next start, not before"]


def test_changed_keys() -> None:
    assert changed_keys({}, {}) == []
    assert changed_keys({}, {"max_stale_bars": 30, "exporter": {"port": 9464}}) == []
    assert changed_keys({"exporter": {"port": 1}}, {"exporter": {"host": "::1"}}) == [
        "exporter.host",
        "exporter.port",
    ]
    assert changed_keys({"symbols": ["A"]}, {"symbols": ["B"], "alerts": []}) == [
        "symbols",
        "alerts",
    ]
