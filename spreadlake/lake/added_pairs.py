"""The pairs that were added by hand: `pairs.json` in the lake's folder."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from spreadlake.lake.hand_file import HandFile
from spreadlake.lake.layout import Lake
from spreadlake.pairs import FollowedPair, Pair, parse_pair

_WHY = "spreadlake pairs add"


def added_pairs(lake: Lake) -> HandFile[FollowedPair]:
    """The file of them, in the order they were added."""
    return HandFile(lake.added_pairs, "pairs", "spreadlake pairs", _followed, _row)


def read_added(lake: Lake) -> list[FollowedPair]:
    """The pairs in the order they were added; LakeError where the file is not as it is written."""
    return added_pairs(lake).read()


def changing_added(lake: Lake) -> AbstractContextManager[list[FollowedPair]]:
    """The pairs to be changed in place, written at the end (see `HandFile.changing`)."""
    return added_pairs(lake).changing()


def added(pair: Pair, now: float) -> FollowedPair:
    """A pair that is added at `now` (Unix s)."""
    return FollowedPair(pair, "hand", int(now), _WHY)


def _followed(one: Mapping[str, Any]) -> FollowedPair:
    return added(parse_pair(str(one["pair"])), int(one["since"]))


def _row(one: FollowedPair) -> dict[str, Any]:
    return {"pair": one.pair.name, "since": one.since}
