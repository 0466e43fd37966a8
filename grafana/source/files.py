"""Which files are generated, and what is in them."""

import json
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.source.overview import overview_dashboard
from grafana.source.pair import pair_dashboard
from grafana.source.pipeline import pipeline_dashboard

__all__ = ["generated"]

ROOT = Path(__file__).resolve().parent.parent


def generated() -> dict[Path, str]:
    """Text by path."""
    boards = [pair_dashboard(), overview_dashboard(), pipeline_dashboard()]
    return {_path(board): _text(board) for board in boards}


def _path(board: Dashboard) -> Path:
    return ROOT / "dashboards" / f"{board.build().uid}.json"


def _text(board: Dashboard) -> str:
    return json.dumps(board.build(), cls=JSONEncoder, indent=1, ensure_ascii=False) + "\n"
