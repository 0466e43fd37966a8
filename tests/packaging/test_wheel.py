"""The wheel alone is enough: in an environment of its own, in a folder that is no checkout."""

import os
import signal
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from spreadlake.config.example import example_toml
from tests.analytics_job.harness import wait_until
from tests.paths import ROOT
from tests.patience import PATIENCE


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    line = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*line, "-w", str(folder), str(ROOT)], check=True, timeout=PATIENCE)
    (found,) = folder.glob("spreadlake-*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the wheel, and with our dependencies but not our checkout."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    packages = next(folder.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    dependencies = [path for path in sys.path if path.endswith("site-packages")]
    # Appended, not .pth files read: the editable install of the checkout is one of those.
    (packages / "zz_dependencies.pth").write_text("\n".join(dependencies))
    return folder / "bin" / "python"


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("SPREADLAKE", "PYTHON"))}


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), "-P", "-m", "spreadlake", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_it_holds_what_is_in_the_checkout(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("provisioning", "dashboards", "prometheus"):
        for path in (ROOT / "grafana" / folder).rglob("*.*"):
            assert f"launcher/assets/{path.relative_to(ROOT / 'grafana')}" in names
    assert {"launcher/assets/spreadlake.example.toml", "spreadlake/py.typed"} <= names
    page = [path for path in (ROOT / "exporter" / "page" / "static").rglob("*") if path.is_file()]
    assert {str(path.relative_to(ROOT)) for path in page} <= names
    assert not [name for name in names if name.startswith(("tests/", "grafana/", "docs/"))]


def test_the_dashboards_are_found_without_a_checkout(python: Path, tmp_path: Path) -> None:
    line = "from launcher.dashboards.observability import assets_dir; print(assets_dir())"
    ended = subprocess.run(
        [str(python), "-P", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    folder = Path(ended.stdout.strip())
    assert folder.is_relative_to(python.parent.parent)
    assert (folder / "dashboards" / "spreadlake-pair.json").is_file()
    assert (folder / "provisioning" / "alerting" / "rules.yaml").is_file()


def test_a_configuration_is_written_and_never_replaced(python: Path, tmp_path: Path) -> None:
    assert run(python, tmp_path, "config", "init").returncode == 0
    text = (tmp_path / "spreadlake.toml").read_text(encoding="utf-8")
    assert text == example_toml()
    assert tomllib.loads(text)["symbols"]
    (tmp_path / "spreadlake.toml").write_text("mine")
    again = run(python, tmp_path, "config", "init")
    assert again.returncode == 2
    assert "spreadlake.toml is there already; name another file" in again.stderr
    assert (tmp_path / "spreadlake.toml").read_text() == "mine"
    nowhere = run(python, tmp_path, "config", "init", "none/x.toml")
    assert nowhere.returncode == 2
    assert "cannot write none/x.toml: No such file or directory" in nowhere.stderr


def test_the_demo_runs_from_the_wheel(python: Path, tmp_path: Path) -> None:
    (tmp_path / "spreadlake.toml").write_text("[exporter]\nport = 0\n")
    line = [str(python), "-P", "-m", "spreadlake", "demo", "--config", "spreadlake.toml"]
    with subprocess.Popen(line, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL) as demo:
        try:
            wait_until((tmp_path / "data" / "demo" / "analytics.db").is_file)
        finally:
            demo.send_signal(signal.SIGINT)
    assert demo.returncode == 0


def test_the_sample_lake_comes_with_the_wheel(python: Path, tmp_path: Path) -> None:
    line = (
        "import spreadlake; lake = spreadlake.sample(); "
        "print(lake.screen(max_qvalue=0.05).height, lake.trades().collect()['symbol'].n_unique())"
    )
    ended = subprocess.run(
        [str(python), "-P", "-c", line],
        cwd=tmp_path,
        env=environment() | {"XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == "2 9\n", ended.stderr
