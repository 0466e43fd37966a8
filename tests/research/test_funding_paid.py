"""Funding in a back-test of a lake: what is paid when, and what is said where rates are missing."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spreadlake
from spreadlake.errors import InputError
from spreadlake.funding import FundingRate
from spreadlake.lake import Lake, atomic, open_ticks_writer
from spreadlake.lake.ticks.funding import FundingSpan, save_funding, save_spans
from spreadlake.research.backtests.pair import Backtest
from tests.research.bar_lake import make_bar_lake, walks

A, B = "AUSDT", "BUSDT"
BEGIN = 1_700_006_400  # a midnight
HOUR = 3_600
BARS = 60 * 30
CLOSES = walks([A, B], BARS, seed=6)


def rates(
    symbol: str, hours: Sequence[float], rate: float = 1e-3, mark: float | None = 200.0
) -> list[FundingRate]:
    """At these hours after BEGIN, some ms late as an exchange has them."""
    return [FundingRate(symbol, int((BEGIN + h * HOUR) * 1000) + 7, rate, mark) for h in hours]


def made(root: Path, held: Sequence[FundingRate], spans: Sequence[FundingSpan] = ()) -> Lake:
    lake = make_bar_lake(root, CLOSES, start=BEGIN)
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        save_funding(db, held)
        save_spans(db, spans)
    return lake


def taken(lake: Lake, **how: Any) -> Backtest:
    """Few trades, that are held for hours."""
    usual: dict[str, Any] = {"window": 60, "lookback": 60, "entry": 2.5, "exit": -2.5}
    return spreadlake.open(lake.root).backtest(A, B, funding=True, **(usual | how))


def paid(found: Backtest, symbol: str, rate: FundingRate, price: float) -> float:
    """By the trade that held the symbol at that rate's time, if any did."""
    leg = "a" if symbol == A else "b"
    ms = {
        name: found.trades[name].dt.epoch("ms").to_numpy() for name in ("entry_time", "exit_time")
    }
    held = (ms["entry_time"] < rate.time_ms) & (rate.time_ms <= ms["exit_time"])
    return float(-(found.trades[f"quantity_{leg}"].to_numpy()[held] * price * rate.rate).sum())


EIGHT_HOURLY = [*rates(A, [0, 8, 16, 24]), *rates(B, [0, 8, 16, 24], -5e-4, 90.0)]


def test_each_leg_pays_at_its_own_times(tmp_path: Path) -> None:
    held = [*rates(A, [0, 8, 16, 24]), *rates(B, range(0, 30, 4), -5e-4, 90.0)]
    found = taken(made(tmp_path, held))
    wanted = sum(paid(found, r.symbol, r, r.mark_price or 0) for r in held)
    assert wanted != 0
    assert found.summary["funding"] == pytest.approx(wanted, rel=1e-12)
    assert found.notes == []
    without = spreadlake.open(tmp_path).backtest(A, B, window=60, lookback=60, entry=2.5, exit=-2.5)
    assert found.summary["net"] == pytest.approx(without.summary["net"] + wanted, rel=1e-12)
    assert found.equity["equity"][-1] == pytest.approx(found.summary["net"], rel=1e-12)


def test_a_rate_without_a_mark_price_is_of_the_close_before_and_said(tmp_path: Path) -> None:
    """Funding 7 ms after a full hour: the last bar that had ended by then ended with the hour."""
    held = [*rates(A, [0, 8, 16, 24], mark=None), *rates(B, [0, 8, 16, 24], 0.0)]
    found = taken(made(tmp_path, held))
    wanted = sum(paid(found, A, held[n], CLOSES[A][n * 480 - 1]) for n in (1, 2, 3))
    assert wanted != 0
    assert found.summary["funding"] == pytest.approx(wanted, rel=1e-12)
    assert found.notes == [
        "4 funding rates of AUSDT without a mark price: taken at the close of the bar before"
    ]


@pytest.mark.parametrize("of_b", [[], rates(B, [-100, 1_000])])
def test_a_leg_without_rates_in_that_time_is_an_error(
    tmp_path: Path, of_b: list[FundingRate]
) -> None:
    lake = made(tmp_path, [*rates(A, [0, 8, 16, 24]), *of_b])
    with pytest.raises(InputError, match="no funding rates of BUSDT from 2023-11-15T00:00:00Z to"):
        taken(lake)


def test_a_lake_without_a_database_of_trades_has_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no funding rates of AUSDT"):
        taken(make_bar_lake(tmp_path, CLOSES, start=BEGIN))


def test_where_some_are_missing_it_is_said(tmp_path: Path) -> None:
    found = taken(made(tmp_path, [*rates(A, [0, 8, 28]), *rates(B, [0, 8, 16, 24])]))
    (note,) = found.notes
    assert note.startswith(
        "no funding rates of AUSDT from 2023-11-15T08:00:00Z to 2023-11-16T04:00:00Z: nothing"
    )
    found = taken(made(tmp_path / "two", [*rates(A, [9, 19]), *rates(B, [0, 8, 16, 24])]))
    (note,) = found.notes
    assert "from 2023-11-15T00:00:00Z to 2023-11-15T09:00:00Z and 2 later times" in note


def test_a_time_of_which_all_rates_are_held_misses_none(tmp_path: Path) -> None:
    """The exchange has no others: a contract that was listed between, or paid seldom."""
    spans = [FundingSpan(name, BEGIN * 1000, (BEGIN + 31 * HOUR) * 1000) for name in (A, B)]
    found = taken(made(tmp_path, rates(A, [8]), spans))
    assert found.notes == []
    assert found.trades.height > 0


def test_between_two_fundings_nothing_is_missing(tmp_path: Path) -> None:
    lake = made(tmp_path, EIGHT_HOURLY)
    found = taken(lake, start=BEGIN + 9 * HOUR, end=BEGIN + 15 * HOUR, entry=2)
    assert found.trades.height > 0
    assert (found.summary["funding"], found.notes) == (0, [])


def test_what_comes_later_changes_nothing(tmp_path: Path) -> None:
    lake = made(tmp_path, EIGHT_HOURLY)
    whole, part = taken(lake), taken(lake, end=BEGIN + 20 * HOUR)
    same = np.flatnonzero((part.trades["reason"] != "end").to_numpy())
    assert len(same)
    assert whole.trades[: len(same)].equals(part.trades[: len(same)])
    rows = part.equity.height - 1
    assert whole.equity[:rows].equals(part.equity[:rows])
