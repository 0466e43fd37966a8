"""What a worker is looked at for, and what is sent to it."""

import pickle
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spreadlake
from spreadlake.cluster import connected, dask_tasks, remote
from spreadlake.cluster.fitness import (
    Expected,
    UnfitWorkerError,
    expected_of,
    rounding_facts,
    unfit,
)
from spreadlake.cluster.remote import Packed
from spreadlake.cluster.sent import packed, unpacked
from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_analytics_writer
from spreadlake.pairs import Pair
from spreadlake.research.backtests.grid_tasks import PairGround
from spreadlake.research.backtests.pair import BacktestRequest
from tests.research.bar_lake import BEGIN, fill_bars, make_bar_lake, walks


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return make_bar_lake(tmp_path_factory.mktemp("lake"), walks(["AUSDT", "BUSDT"], 300))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"bars": "of others"}, "sees another lake at"),
        ({"final": 2**40}, "sees another lake at"),
        ({"code": "other"}, "with other code than this process"),
        ({"place": "/nowhere"}, "does not see the lake /nowhere"),
    ],
)
def test_a_worker_that_came_later_looks_at_itself_before_it_begins(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, other: dict[str, Any], why: str
) -> None:
    monkeypatch.setattr(remote, "own_address", lambda: "tcp://a:1")
    monkeypatch.setattr(remote, "_held", {})
    expected = expected_of(lake)

    def asked(expected: Expected) -> object:
        work = Packed("work", packed(str.upper, lake, expected.place), expected)
        return pickle.loads(remote.run(pickle.dumps(work), packed("item", lake, expected.place)))

    with pytest.raises(UnfitWorkerError, match=rf"worker tcp://a:1 .*{why}"):
        asked(expected._replace(**other))
    assert asked(expected) == "ITEM"


def test_a_lake_is_sent_as_its_place_alone(lake: Lake) -> None:
    """Where this process keeps what it knows of it is nowhere on another machine."""
    sent = packed({"of": lake, "more": [lake, 1]}, lake, "s3://bucket/lake")
    assert b"s3://bucket/lake" in sent
    assert str(lake.root).encode() not in sent
    assert unpacked(packed([lake], lake, str(lake.root))) == [lake]


def test_other_libraries_on_a_worker_are_told(lake: Lake) -> None:
    """Results are of the same code; their last bits are also of what it computes with."""
    own = rounding_facts()

    class Client:
        def run(self, function: Any, *_: object, on_error: str) -> dict[str, object]:
            assert on_error == "return"
            if function is eval:
                return {"tcp://a:1": spreadlake.__version__, "tcp://b:1": spreadlake.__version__}
            if function is unfit:
                return {"tcp://a:1": "", "tcp://b:1": ""}
            return {"tcp://a:1": own, "tcp://b:1": own | {"numpy": "0.1", "processor": "abacus"}}

    told = list[str]()
    connected._require_fit(Client(), expected_of(lake), told.append)
    (said,) = told
    assert said.startswith("worker tcp://b:1 has numpy 0.1 (here ")
    assert "processor abacus (here " in said
    assert said.endswith("the last bits of results may differ")


def test_a_task_that_is_done_again_is_not_one_more() -> None:
    told = list[tuple[int, int]]()
    counted = dask_tasks._Counted(2, lambda done, of: told.append((done, of)))
    for _ in range(3):
        counted.one()
    assert told == [(0, 2), (1, 2), (2, 2), (2, 2)]


def test_bars_that_are_others_where_they_are_read_again_are_told(tmp_path: Path) -> None:
    """Sets of one grid over bars of two moments would be compared with each other."""
    lake = make_bar_lake(tmp_path, walks(["AUSDT", "BUSDT"], 300))
    pair = Pair("AUSDT", "BUSDT")
    ground = PairGround(lake, BacktestRequest(pair, window=20, lookback=60), 60).pinned()
    sent = packed(ground, lake, str(lake.root))
    assert len(sent) < 2_000
    bars = unpacked(sent).ground_bars
    with closing(open_analytics_writer(lake)) as db:
        fill_bars(db, {"AUSDT": np.ones(5), "BUSDT": np.ones(5)}, start=BEGIN + 300 * 60)
        assert len(unpacked(sent).ground_bars) == len(bars), "what came since is left out"
        changed = "UPDATE bars SET close = close + 1e-9 WHERE symbol = 'AUSDT' AND time = ?"
        assert db.execute(changed, (BEGIN + 200 * 60,)).rowcount == 1
    with pytest.raises(LakeError, match=r"the bars of AUSDT/BUSDT in .* changed while"):
        _ = unpacked(sent).ground_bars
