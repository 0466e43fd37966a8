"""Rows and tests of pairs that were rolled away, for whoever has to look back at them."""

import sqlite3
from collections.abc import Sequence

from spreadlake.lake import Lake
from spreadlake.lake.archive import archived_until, next_piece, piece_seconds, read_rows
from spreadlake.pairs import parse_pair

_KEY = ("pair", "timeframe", "window_bars", "lookback_bars")
_TEST_KEY = ("pair", "timeframe", "lookback_bars")
Key = tuple[str, str, int, int]
TestKey = tuple[str, str, int]
Test = tuple[int, float | None]  # time, ADF p-value


class RowArchive:
    """Reads hot and cold rows as one, where a piece of them was rolled to Parquet."""

    def __init__(self, db: sqlite3.Connection, lake: Lake) -> None:
        self._db = db
        self._lake = lake

    def archived_until(self, timeframe: str) -> int:
        """Rows before this time may be in Parquet."""
        return archived_until(self._db, timeframe)

    def first_archived(self, key: Key, start: int, end: int) -> Sequence[Sequence[object]]:
        """The first piece that has rows with start <= time < end.

        A row is (time, zscore, correlation, the smaller volume, hedge_bars).
        """
        at = max(start, self.first_bar(key[0], key[1]))
        named = list(zip(_KEY, key, strict=True))
        while at < end:
            piece = next_piece(self._db, self._lake, "pair_analytics", named, at, end)
            if piece is None:
                break
            frame = read_rows(self._db, self._lake, "pair_analytics", named, *piece)
            if frame.height:
                columns = frame.select(
                    "time", "zscore", "correlation", "volume_a", "volume_b", "hedge_bars"
                )
                return [(t, z, c, _smaller(a, b), n) for t, z, c, a, b, n in columns.iter_rows()]
            at = piece[1]
        return []

    def tests(self, key: TestKey, first: int, last: int) -> list[Test]:
        """The tests at or before `last`, from the latest one at or before `first` on."""
        size = piece_seconds(key[1])
        begin = self.first_bar(key[0], key[1])
        if next_piece(self._db, self._lake, "pair_tests", _named(key), begin, first + 1) is None:
            begin = first  # there is none to be found further back
        at = first // size * size
        tests = self._read_tests(key, at, last + 1)
        while at > begin and not (tests and tests[0][0] <= first):
            before, at, size = at, at - size, size * 2
            tests = self._read_tests(key, at, before) + tests
        known = max((time for time, _ in tests if time <= first), default=first)
        return [test for test in tests if test[0] >= known]

    def next_test(self, key: TestKey, after: int) -> int | None:
        """Time of the first test later than `after`, of those that may be in Parquet."""
        at, end = after + 1, self.archived_until(key[1])
        while at < end:
            piece = next_piece(self._db, self._lake, "pair_tests", _named(key), at, end)
            if piece is None:
                return None
            if tests := self._read_tests(key, *piece):
                return tests[0][0]
            at = piece[1]
        return None

    def _read_tests(self, key: TestKey, start: int, end: int) -> list[Test]:
        frame = read_rows(self._db, self._lake, "pair_tests", _named(key), start, end)
        return frame.select("time", "adf_pvalue").rows()

    def first_bar(self, name: str, timeframe: str) -> int:
        """Time of the first bar that both legs of a pair have; 0 where none is known."""
        pair = parse_pair(name)
        row = self._db.execute(
            "SELECT MAX(time) FROM first_bars WHERE timeframe = ? AND symbol IN (?, ?)",
            (timeframe, pair.a, pair.b),
        ).fetchone()
        return 0 if row[0] is None else int(row[0])


def _named(key: TestKey) -> list[tuple[str, object]]:
    return list(zip(_TEST_KEY, key, strict=True))


def _smaller(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else min(a, b)
