"""What rows of pair analytics depend on besides their key and the trades, as the lake keeps it."""

import json
import sqlite3
from typing import NamedTuple, Self

from spreadlake.lake.databases.meta import read_meta, write_meta
from spreadlake.series import Prices
from spreadlake.statistics import PAIR_STATISTICS

# What later versions added: existing lakes compute it for their history.
_COLUMNS = [one.column for one in PAIR_STATISTICS if one.since > 1]


class SeriesDefinition(NamedTuple):
    """Carried closes in a row after which a pair is stale, the noise of the Kalman filter, prices.

    The text of a definition on raw prices says nothing of them, as before there were others.
    """

    max_stale_bars: int
    kalman_delta: float
    kalman_observation_variance: float
    prices: Prices = "raw"

    def to_json(self) -> str:
        """The text in the table `series`: rows of another text are computed again."""
        noise = [self.kalman_delta, self.kalman_observation_variance]
        known = {"max_stale_bars": self.max_stale_bars, "kalman": noise, "columns": _COLUMNS}
        return json.dumps(known | ({} if self.prices == "raw" else {"prices": self.prices}))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`; what a later version adds is passed over."""
        known = json.loads(text)
        delta, variance = known["kalman"]
        return cls(known["max_stale_bars"], delta, variance, known.get("prices", "raw"))


DEFAULT = SeriesDefinition(30, 1e-4, 1e-3)
"""With the default settings."""


def stored_definition(db: sqlite3.Connection) -> SeriesDefinition | None:
    """What the stored series of an `analytics.db` are computed with; None if there are none."""
    row = db.execute("SELECT definition FROM series LIMIT 1").fetchone()
    return None if row is None else SeriesDefinition.from_json(row[0])


def definition_of(db: sqlite3.Connection) -> SeriesDefinition:
    """That of the stored series; where there are none that of a lake with the default settings."""
    stored = stored_definition(db)
    if stored is not None:
        return stored
    return DEFAULT._replace(prices=lake_prices(db) or DEFAULT.prices)


def lake_prices(db: sqlite3.Connection) -> Prices | None:
    """What the pair analytics of an `analytics.db` are computed on; None while there are none."""
    told = read_meta(db, "prices")
    if told is not None:
        return "log" if told == "log" else "raw"
    return None if stored_definition(db) is None else "raw"  # of before there was a choice


def save_prices(db: sqlite3.Connection, prices: Prices) -> None:
    """Puts on record what they are computed on from now on, inside the caller's transaction."""
    write_meta(db, "prices", prices)
