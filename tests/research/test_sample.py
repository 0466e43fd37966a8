"""The sample lake: made once, by whoever comes first, and always the same."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import spreadlake
from docs.sample_lake import make_lake
from spreadlake.errors import LakeError
from tests.paths import ROOT
from tests.patience import PATIENCE

TOGETHER = [{"BTCUSDT", "ETHUSDT"}, {"ADAUSDT", "LINKUSDT"}]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_what_is_in_it() -> None:
    lake = spreadlake.sample()
    trades = lake.trades().collect()
    assert trades["symbol"].n_unique() == 9
    assert trades["time"].max() - trades["time"].min() > pl.select(pl.duration(minutes=59)).item()  # type: ignore[operator]
    assert lake.bars(wide="close").collect().drop_nulls().shape == (1500, 10)
    assert len(lake.alerts())
    assert lake.gaps().is_empty()
    for lookback in (240, 300):
        found = lake.screen(lookback=lookback, max_qvalue=0.05)
        assert [{a, b} for a, b in found.select("symbol_a", "symbol_b").rows()] == TOGETHER
    assert lake.screen().height == 36


def test_the_package_holds_what_the_simulated_market_makes(tmp_path: Path) -> None:
    made = spreadlake.open(make_lake(tmp_path).root)
    packed = spreadlake.sample()
    assert_frame_equal(made.trades().collect(), packed.trades().collect())
    for timeframe in ("1s", "1m"):
        assert_frame_equal(
            made.bars(timeframe=timeframe).collect(), packed.bars(timeframe=timeframe).collect()
        )
    assert_frame_equal(made.alerts().drop("id"), packed.alerts().drop("id"))
    assert_frame_equal(
        made.pair("ETHUSDT", "BTCUSDT", lookback=240).collect(),
        packed.pair("ETHUSDT", "BTCUSDT", lookback=240).collect(),
    )


def test_it_is_made_once(tmp_path: Path) -> None:
    first = spreadlake.sample()
    assert first.path.is_relative_to(tmp_path / "cache")
    made = (first.path / "ticks.db").stat().st_ino
    assert spreadlake.sample().path == first.path
    assert (first.path / "ticks.db").stat().st_ino == made
    own = spreadlake.sample(tmp_path / "deep" / "own")
    assert own.path == tmp_path / "deep" / "own"
    assert not [path for path in own.path.parent.iterdir() if path != own.path]
    (tmp_path / "empty").mkdir()
    assert spreadlake.sample(tmp_path / "empty").bars("BTCUSDT").collect().height


def test_what_was_deleted_of_it_comes_back(tmp_path: Path) -> None:
    lake = spreadlake.sample(tmp_path / "lake")
    (lake.path / "analytics.db").unlink()
    assert spreadlake.sample(tmp_path / "lake").bars("BTCUSDT").collect().height == 1500
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]


def test_it_takes_no_other_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(LakeError, match="holds something else; name an empty folder"):
        spreadlake.sample(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    with pytest.raises(LakeError, match="cannot be made in"):
        spreadlake.sample(tmp_path / "thesis.txt" / "below")


@pytest.mark.parametrize("mark", ["0123456789ab", "whale song, take 3"])
def test_what_lies_beside_a_file_named_as_its_mark_is_nobodys_to_delete(
    tmp_path: Path, mark: str
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name, text in (("sample", mark), ("thesis.txt", "mine")):
        (own / name).write_text(text)
    with pytest.raises(LakeError, match="holds something else"):
        spreadlake.sample(own)
    assert {path.name: path.read_text() for path in own.iterdir()} == {
        "sample": mark,
        "thesis.txt": "mine",
    }


def test_what_was_put_into_it_stays_when_deleted_files_come_back(tmp_path: Path) -> None:
    lake = spreadlake.sample(tmp_path / "lake")
    (lake.path / "backtests.db").write_text("results of a long night")
    (lake.path / "analytics.db").unlink()
    assert spreadlake.sample(tmp_path / "lake").bars("BTCUSDT").collect().height == 1500
    assert (lake.path / "backtests.db").read_text() == "results of a long night"


def test_where_there_is_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert spreadlake.sample().path.is_relative_to(tmp_path / "temporary")


def test_where_there_is_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", none)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert spreadlake.sample().path.is_relative_to(tmp_path)


def test_several_at_once_get_the_same(tmp_path: Path) -> None:
    line = "import sys, spreadlake; print(spreadlake.sample(sys.argv[1]).trades().collect().height)"
    several = [
        subprocess.Popen(
            [sys.executable, "-c", line, str(tmp_path / "lake")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    heights = [one.communicate(timeout=PATIENCE)[0].strip() for one in several]
    assert len(set(heights)) == 1, heights
    assert heights[0] == str(spreadlake.sample(tmp_path / "lake").trades().collect().height)
    assert [path.name for path in tmp_path.iterdir()] == ["lake"]
