"""Keeps `pair_status`: writes the lines that changed, and no others."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, replace

import numpy as np

from spreadlake.pairs import Pair, parse_pair
from spreadlake.quant.pair_rows import PairRows
from spreadlake.quant.pair_states import SeriesStatus, ended_status, series_status
from spreadlake.series import PAIR_ANALYTICS, SeriesKey

# (pair, its last bar, how many it has at least up to that) → how many it has.
InARow = Callable[[Pair, int, int], int]

_MARK = "; not captured now (see spreadlake symbols): "


class StatusStore:
    """Status of every series; runs inside the caller's transaction."""

    def __init__(
        self,
        db: sqlite3.Connection,
        keys: Sequence[SeriesKey],
        max_stale: int,
        captured: Iterable[str],
        stopped: Callable[[str, int], int | None],
    ) -> None:
        """`stopped` tells since when a symbol that left has no bars up to a second."""
        self._db = db
        self._stopped = stopped
        self._missing = _missing_legs({key.pair for key in keys}, set(captured))
        self._max_stale = max_stale
        self._written: dict[SeriesKey, SeriesStatus] = {}
        wanted = set(keys)
        for row in db.execute("SELECT * FROM pair_status").fetchall():
            key = SeriesKey(*row[:4])
            if key in wanted:
                self._written[key] = SeriesStatus(*row[4:])
            else:
                db.execute(f"DELETE FROM pair_status WHERE {PAIR_ANALYTICS.is_series}", key)
        self._write((key, self._begun(key)) for key in keys)

    def update(self, timeframe: str, results: Iterable[PairRows], in_a_row: InARow) -> None:
        """Takes the status from the last row of each result.

        `in_a_row` tells how many bars a pair has up to a bar, where it has all that rows need.
        """
        for result in results:
            flat = np.isnan(result.numbers["zscore"][:, -1])
            self._write(
                (
                    SeriesKey(pair.name, timeframe, result.window, result.lookback),
                    self._ended(pair, result, int(result.have[index, -1]))
                    or series_status(
                        self._have(result, index, in_a_row),
                        int(result.hedge_bars[index, -1]),
                        result.window,
                        result.lookback,
                        self._max_stale,
                        stale=bool(result.stale[index, -1]),
                        flat=bool(flat[index]),
                    ),
                )
                for index, pair in enumerate(result.pairs)
            )

    def _ended(self, pair: Pair, result: PairRows, have: int) -> SeriesStatus | None:
        """Of a pair with a leg that has no bars any more."""
        if have:
            return None
        last = (result.start + result.have.shape[1]) * result.length - 1
        since = {leg: self._stopped(leg, last) for leg in pair}
        ended = {leg: second for leg, second in since.items() if second is not None}
        return ended_status(ended, result.window) if ended else None

    def _have(self, result: PairRows, index: int, in_a_row: InARow) -> int:
        have = int(result.have[index, -1])
        if have < max(result.window, result.lookback, self._max_stale + 1):
            return have
        return in_a_row(result.pairs[index], result.start + result.have.shape[1] - 1, have)

    def _warming(self, key: SeriesKey) -> SeriesStatus:
        return series_status(
            0, 0, key.window, key.lookback, self._max_stale, stale=False, flat=False
        )

    def _begun(self, key: SeriesKey) -> SeriesStatus:
        """As it was left, but for who is captured now."""
        line = self._written.get(key) or self._warming(key)
        return _told(line, self._missing.get(key.pair, ""))

    def _write(self, lines: Iterable[tuple[SeriesKey, SeriesStatus]]) -> None:
        if self._missing:
            lines = ((key, _told(line, self._missing.get(key.pair, ""))) for key, line in lines)
        changed = [(key, line) for key, line in lines if self._written.get(key) != line]
        self._db.executemany(
            "INSERT OR REPLACE INTO pair_status VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(*key, *astuple(line)) for key, line in changed],
        )
        self._written.update(changed)


def _missing_legs(pairs: Iterable[str], captured: set[str]) -> dict[str, str]:
    """What is said of the pairs with a leg that is not captured, where rules choose the symbols."""
    legs = {pair: [leg for leg in parse_pair(pair) if leg not in captured] for pair in pairs}
    return {pair: f"{_MARK}{' and '.join(names)}" for pair, names in legs.items() if names}


def _told(line: SeriesStatus, missing: str) -> SeriesStatus:
    message = line.message.partition(_MARK)[0] + missing
    return line if message == line.message else replace(line, message=message)
