"""What goes wrong with a cluster is said in words, and leaves nothing behind."""

import importlib.util
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spreadlake
from spreadlake.cluster import connected, dask_tasks, open_tasks
from spreadlake.cluster.address import ClusterAddress, usable_cores
from spreadlake.cluster.errors import ClusterError
from spreadlake.cluster.fitness import UnfitWorkerError, expected_of, unfit
from spreadlake.errors import InputError, SpreadlakeError, UnavailableError
from spreadlake.lake import Lake, writer_lock
from tests.cluster.dask_processes import DASK, Cluster, Held, cluster_of
from tests.paths import ROOT
from tests.research.bar_lake import BEGIN, make_bar_lake, walks
from tests.running import COMMAND, environment, invoke, run, until

SYMBOLS = [f"{letter}USDT" for letter in "ABCD"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_of(tmp_path_factory.mktemp("cluster"), 1) as found:
        yield found


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return make_bar_lake(tmp_path_factory.mktemp("lake"), walks(SYMBOLS, 1200))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("local", (usable_cores(), "")),
        ("local:3", (3, "")),
        ("tcp://10.0.0.5:8786", (0, "tcp://10.0.0.5:8786")),
        ("tls://[::1]:8786/", (0, "tls://[::1]:8786")),
    ],
)
def test_a_cluster_has_an_address(text: str, address: tuple[int, str]) -> None:
    assert ClusterAddress.parse(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "here", "local:", "local:0", "local:-1", "local:x", "local:99999", "tcp://", "tcp://a",
     "tcp://:1", "tcp://a:b", "tcp://a:70000", "tcp://a:1/b", "http://a:1", "ucx://a:1"],
)  # fmt: skip
def test_what_is_no_cluster_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="cluster"):
        ClusterAddress.parse(text)


def test_without_dask_it_says_what_to_install(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with (
        pytest.raises(InputError, match=r"pip install 'spreadlake\[cluster\]'"),
        open_tasks("local", lake),
    ):
        pass


def test_nobody_imports_dask_who_names_no_cluster(lake: Lake) -> None:
    code = (
        "import sys, spreadlake\n"
        "import launcher.commands.app, analytics_job.service\n"
        f"lake = spreadlake.open({str(lake.root)!r})\n"
        "lake.backtest('AUSDT', 'BUSDT', grid={'entry': [1, 2]})\n"
        "lake.backtest_screen(lookback=60)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'dask', 'distributed', 'tornado'}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_a_scheduler_that_is_not_there(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connected, "_CONNECT_SECONDS", 0.5)
    with (
        pytest.raises(ClusterError, match=r"no scheduler of Dask answers at tcp://127.0.0.1:1: "),
        open_tasks("tcp://127.0.0.1:1", lake),
    ):
        pass


def test_a_scheduler_without_workers_and_one_that_goes_away(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connected, "NO_WORKERS_SECONDS", 0.5)
    monkeypatch.setattr(dask_tasks, "NO_WORKERS_SECONDS", 0.5)
    with DASK.LocalCluster(
        n_workers=0, processes=False, host="127.0.0.1", protocol="tcp://",
        dashboard_address="127.0.0.1:0", silence_logs=50,
    ) as scheduler:  # fmt: skip
        where = scheduler.scheduler_address
        with (
            pytest.raises(ClusterError, match="has no workers; start one"),
            open_tasks(where, lake),
        ):
            pass
        scheduler.scale(1)
        with open_tasks(where, lake) as tasks:
            scheduler.scale(0)
            with pytest.raises(ClusterError, match="has no workers any more"):
                list(tasks.map(Held(Path("/nowhere")), [1]))
        scheduler.scale(1)
        with open_tasks(where, lake) as tasks:
            assert next(tasks.map(abs, [-1])) == 1
            scheduler.close()
            with pytest.raises(ClusterError, match="went away in the middle"):
                list(tasks.map(abs, [1]))


def test_a_worker_of_another_version_is_refused(
    cluster: Cluster, lake: Lake, tmp_path: Path
) -> None:
    """Of a version of its own, and of ours with other code."""
    other = tmp_path / "spreadlake-9.9.9.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: spreadlake\nVersion: 9.9.9\n")
    _refused(cluster, lake, tmp_path, rf"has spreadlake 9.9.9 and .* {spreadlake.__version__}; ins")
    shutil.rmtree(other)
    shutil.copytree(ROOT / "spreadlake", tmp_path / "spreadlake")
    with (tmp_path / "spreadlake" / "tasks.py").open("a") as file:
        file.write("\n# other\n")
    _refused(
        cluster, lake, tmp_path, "has spreadlake .* with other code than this process; install"
    )


def _refused(cluster: Cluster, lake: Lake, path: Path, why: str) -> None:
    worker = cluster.add(PYTHONPATH=str(path))
    try:
        _not_opened(cluster, lake, f"worker {worker} {why}")
    finally:
        cluster.kill(worker)


def test_a_worker_that_does_not_see_the_lake(
    cluster: Cluster, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that looks at another folder under the same path, as on a machine without the mount."""
    (worker,) = cluster.workers
    elsewhere, kept = tmp_path / "data", expected_of(lake)
    elsewhere.mkdir()
    expected = kept._replace(place=str(elsewhere))
    monkeypatch.setattr(connected, "expected_of", lambda _: expected)
    _not_opened(cluster, lake, rf"worker {worker} does not see the lake {elsewhere}: .*mount")
    make_bar_lake(elsewhere, walks(SYMBOLS, 1199))
    _not_opened(cluster, lake, rf"worker {worker} sees another lake at {elsewhere}, or an older")
    (elsewhere / "analytics.db").write_bytes(b"no database")
    _not_opened(cluster, lake, rf"worker {worker} cannot read the lake {elsewhere}: ")


def _not_opened(cluster: Cluster, lake: Lake, why: str) -> None:
    with pytest.raises(UnfitWorkerError, match=why), open_tasks(cluster.address, lake):
        pass


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "as a store"])
@pytest.mark.parametrize("service", ["analytics-job", "collector", "uploader"])
def test_a_lake_that_is_written_is_read_on_its_own_machine_alone(
    lake: Lake, service: str, shared: bool
) -> None:
    with writer_lock(lake, service, shared=shared):
        expected = expected_of(lake)
    assert expected.written
    assert unfit(expected) == ""
    assert "SQLite cannot be read across machines" in unfit(expected._replace(kernel="other"))
    assert unfit(expected_of(lake)._replace(kernel="other")) == ""


def test_ctrl_c_gives_up_the_work_and_leaves_no_file(
    cluster: Cluster, lake: Lake, tmp_path: Path
) -> None:
    arguments = ["screen", "--every", "1m", "--from", BEGIN + 4_000, "--to", BEGIN + 72_000]
    arguments += ["--lookback", 60, "--data", lake.root, "-o", tmp_path / "all.csv"]
    arguments += ["--cluster", cluster.address]
    with _running(arguments, tmp_path) as process:
        until(lambda: len(list(tmp_path.glob(".all.csv.*"))), "the first rows")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["err.txt"]
    assert "Traceback" not in (tmp_path / "err.txt").read_text()
    until(lambda: not any(cluster.processing().values()), "nothing to do on the cluster")


def test_ctrl_c_ends_the_processes_of_a_local_cluster(lake: Lake, tmp_path: Path) -> None:
    """As a terminal does it: everyone is told."""
    arguments: list[Any] = ["backtest", "--pair", "AUSDT/BUSDT", "--data", lake.root]
    arguments += ["--grid", "entry=" + ",".join(f"{at / 1000:g}" for at in range(500, 5500))]
    with _running([*arguments, "--cluster", "local:1"], tmp_path) as process:
        workers = until(lambda: _children(process.pid), "its workers")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    assert "Traceback" not in (tmp_path / "err.txt").read_text()
    until(lambda: not any(map(_is_there, workers)), "the end of its workers")


def test_the_processes_of_a_local_cluster_end_with_a_command_that_is_killed(
    lake: Lake, tmp_path: Path
) -> None:
    arguments: list[Any] = ["backtest", "--pair", "AUSDT/BUSDT", "--data", lake.root]
    arguments += ["--grid", "entry=" + ",".join(f"{at / 1000:g}" for at in range(500, 5500))]
    with _running([*arguments, "--cluster", "local:1"], tmp_path) as process:
        until(lambda: len(_children(process.pid)) > 1, "its worker")
        workers = _children(process.pid)
        process.kill()
        process.wait()
    until(lambda: not any(map(_is_there, workers)), "the end of its workers")


def _running(arguments: list[Any], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "err.txt").open("wb") as err:
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=err,
            start_new_session=True,
        )


def _children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(one) for one in listed.stdout.split()]


def _is_there(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_a_command_says_what_it_is_for(lake: Lake, tmp_path: Path) -> None:
    for arguments in (["screen"], ["backtest", "--pair", "AUSDT/BUSDT"]):
        ended = invoke(*arguments, "--data", lake.root, "--cluster", "local", cwd=tmp_path)
        assert ended.returncode == 2
        assert "add --" in ended.stderr
    ended = run(
        "backtest", "--pair", "AUSDT/BUSDT", "--grid", "entry=1,2", "--data", lake.root,
        "--cluster", "nowhere", cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr == (
        "spreadlake: error: cluster 'nowhere' is none: name local, local:N, or a scheduler such as "
        "tcp://10.0.0.5:8786\n"
    )


def test_errors_come_back_as_they_were() -> None:
    found = pickle.loads(pickle.dumps(UnavailableError("it is locked", "wait")))
    assert isinstance(found, UnavailableError)
    assert (str(found), found.reason) == ("it is locked; wait", "it is locked")
    todo = [SpreadlakeError]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        made = kind.__new__(kind, "what, value, remedy")
        made.args, made.__dict__["more"] = ("what, value, remedy",), 1
        back = pickle.loads(pickle.dumps(made))
        assert (type(back), str(back), back.more) == (kind, "what, value, remedy", 1)
