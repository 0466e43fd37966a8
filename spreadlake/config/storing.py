"""The section of what is kept: every field says what it means."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from spreadlake.config.sections import Section, Timeframe
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.sizes import ColdKind


def _check_cold(text: str) -> str:
    return ColdAddress.parse(text).text


class StorageSettings(Section):
    """What is kept where, and for how long."""

    roll_after_hours: int = Field(
        2, ge=1, description="an hour of ticks rolls to Parquet this many hours after its end"
    )
    analytics_hours: dict[Timeframe, float] = Field(
        {"1s": 12.0, "1m": 720.0},
        description="hours of bars and analytics kept in SQLite, by timeframe; older rows roll "
        "to Parquet; a timeframe not named here is kept for 720; 500 symbols take about 0.1 GB "
        "an hour of 1s bars",
    )
    keep_days: dict[ColdKind, Annotated[float, Field(ge=1)]] | None = Field(
        None,
        examples=[{"ticks": 365.0, "pair_analytics": 90.0}],
        description="days of Parquet kept of ticks, bars, pair_analytics and pair_tests, counted "
        "back from the newest trade; what is not named is kept for ever",
    )
    alert_days: float = Field(
        90.0,
        ge=1,
        le=36_500,
        description="days of alert events that are over, counted back from the newest trade; those "
        "that are open stay",
    )
    max_gib: float | None = Field(
        None,
        gt=0,
        examples=[500.0],
        description="most GiB that the lake may take: the oldest days in Parquet go first, of "
        "whatever kind, and never what is in a database; unset: no limit",
    )
    cold: Annotated[str, AfterValidator(_check_cold)] | None = Field(
        None,
        examples=["s3://bucket/prefix"],
        description="where finished days are kept as well, in object storage; the server and who "
        "asks it come from AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on; then keep_days and "
        "max_gib take from the disk only what is there; unset: nowhere",
    )
    local_days: float | None = Field(
        None,
        ge=0,
        examples=[30.0],
        description="days of Parquet that stay on the disk though they are in storage.cold, "
        "counted back from the newest trade; unset: all of them",
    )
    cold_keep_days: dict[ColdKind, Annotated[float, Field(ge=1)]] | None = Field(
        None,
        examples=[{"ticks": 1825.0}],
        description="days kept at all where there is storage.cold, as keep_days where there is "
        "none: older ones are removed from the disk and from the bucket for good; what is not "
        "named is kept for ever",
    )

    @property
    def removed_days(self) -> Mapping[ColdKind, float]:
        """How many days of each kind are kept at all; others only leave the disk, or stay."""
        return (self.keep_days if self.cold is None else self.cold_keep_days) or {}

    @property
    def removed_gib(self) -> float | None:
        """Beyond how many GiB days are removed for good; None: they are not, for lack of room."""
        return self.max_gib if self.cold is None else None
