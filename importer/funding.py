"""Stores the funding rates of a dump beside those that the collector fetched."""

import sqlite3

import polars as pl

from importer.merge import ConflictError
from spreadlake.funding import FundingRate
from spreadlake.lake import atomic
from spreadlake.lake.ticks.funding import save_funding


def store_funding(db: sqlite3.Connection, new: pl.DataFrame, skip: bool) -> tuple[int, int]:
    """Stores rates (FUNDING_SCHEMA); how many were not there, and how many contradict the lake.

    ConflictError for the first that contradicts, and none are stored; with `skip` it is left out.
    """
    with atomic(db):
        found = save_funding(db, [FundingRate(*row) for row in new.rows()])
        for came, held in found.contradicting[:1]:
            if not skip:
                raise ConflictError(f"{came.text} in the file, and there is {held.text}")
    return len(found.fresh), len(found.contradicting)
