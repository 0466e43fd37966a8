"""What is drawn are the numbers of the frames, and no more of them than a picture can show."""

import numpy as np
import polars as pl
import pytest

from spreadlake.research.pictures.drawing import LINE_POINTS, MARK_POINTS, drawing_of, naive
from tests.research.pictures.made import MINUTE, START, made_run


def test_lines_are_the_frames_at_the_close_of_each_bar() -> None:
    run = made_run(500, 5)
    drawing = drawing_of(run)
    assert drawing.equity.times.to_list() == run.equity["close_time"].to_list()
    assert drawing.equity.values.tolist() == run.equity["equity"].to_list()
    assert drawing.drawdown.values.tolist() == (-run.equity["drawdown"]).to_list()
    assert drawing.zscore is not None
    assert np.isnan(drawing.zscore.values[:60]).all()
    assert drawing.zscore.values[60:].tolist() == run.equity["zscore"][60:].to_list()


def test_marks_lie_on_the_z_score_at_the_close_that_decided_them() -> None:
    run = made_run()
    z = dict(run.equity.select("close_time", "zscore").iter_rows())
    drawing = drawing_of(run)
    kinds = {(marks.side, marks.reason) for marks in drawing.marks}
    assert {reason for _, reason in kinds} == {None, "exit", "stop", "time", "end"}
    assert sum(len(marks.told) for marks in drawing.marks) == 2 * len(run.trades)
    for marks in drawing.marks:
        assert [z[at] for at in marks.times.to_list()] == marks.values.tolist()
    first = run.trades.row(0, named=True)
    times = next(m for m in drawing.marks if m.side == first["side"] and m.reason is None).times
    assert times[0] == first["signal_time"] + MINUTE


def test_costs_add_up_to_the_net_at_every_exit() -> None:
    run = made_run()
    lines = drawing_of(run).costs
    total = lines["gross"].values + lines["fees"].values + lines["funding"].values
    assert total == pytest.approx(lines["net"].values)
    assert lines["net"].values[-1] == pytest.approx(run.summary["net"])
    assert lines["fees"].values[-1] == pytest.approx(-(run.summary["fees"] or 0))
    assert lines["net"].times[0] == START
    assert lines["net"].times[-1] == run.equity["close_time"][-1]


@pytest.mark.parametrize("net", [[1.0], [-3.0], [0.0], [0.0, 0.0], [-5.0, 2.0, 9.0], [1e-9, 2e9]])
def test_the_distribution_counts_each_trade_and_no_bar_holds_gains_and_losses(
    net: list[float],
) -> None:
    run = made_run(300, len(net))
    run = run._replace(trades=run.trades.with_columns(pl.Series("net", net)))
    found = drawing_of(run).distribution
    assert found is not None
    assert found.counts.sum() == len(net)
    assert (found.edges == 0).any()
    assert found.counts[found.edges[:-1] < 0].sum() == sum(one < 0 for one in net)
    assert len(found.counts) <= 62


def test_a_long_test_draws_no_more_than_a_picture_shows() -> None:
    run = made_run(60_000, 9_000)
    peak = run.equity["equity"].to_numpy().copy()
    peak[12_345] += 1e6
    run = run._replace(equity=run.equity.with_columns(pl.Series("equity", peak)))
    drawing = drawing_of(run)
    lines = [drawing.equity, drawing.drawdown, drawing.zscore, *drawing.costs.values()]
    for line in lines:
        assert line is not None
        assert 1_000 < len(line.values) <= LINE_POINTS
    assert drawing.equity.values.max() == peak.max()
    for marks in drawing.marks:
        assert len(marks.told) <= MARK_POINTS


def test_without_a_trade_there_is_the_z_score_and_without_a_bar_nothing() -> None:
    drawing = drawing_of(made_run(300, 0))
    assert drawing.zscore is not None
    assert (drawing.marks, drawing.costs, drawing.distribution) == ([], {}, None)
    run = made_run(300, 0)
    drawing = drawing_of(run._replace(equity=run.equity.clear()))
    assert drawing.zscore is None
    assert len(naive(drawing.equity.times)) == 0


def test_thresholds_are_those_of_both_sides() -> None:
    run = made_run(300, 0)
    assert drawing_of(run).thresholds == {"entry": (2, -2), "exit": (0.5, -0.5), "stop": (4, -4)}
    usual = run._replace(settings={"entry": 2, "exit": 0, "stop": None})
    assert drawing_of(usual).thresholds == {"entry": (2, -2), "exit": (0,)}


def test_many_pairs_have_no_one_z_score() -> None:
    run = made_run()
    drawing = drawing_of(run._replace(equity=run.equity.drop("zscore")))
    assert drawing.zscore is None
    assert drawing.marks == []
    assert drawing.costs
