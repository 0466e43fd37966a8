"""Where tests find what lies beside the project."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# What is installed: the library first, then the services and the rooms beside them.
PACKAGES: list[str] = _PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
RECORDINGS = ROOT.parent / "shared" / "data"
TRADES = RECORDINGS / "usdm_btcusdt_ethusdt_trades_20240808.jsonl.gz"
MIXED = RECORDINGS / "usdm_mixed_streams_20210722.jsonl.gz"


def needed(path: Path) -> Path:
    """The path itself; skips the test where it is not there."""
    if not path.exists():
        pytest.skip(f"needs the recording ../shared/data/{path.name} beside the checkout")
    return path
