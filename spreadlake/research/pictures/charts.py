"""The charts of a back-test as a plotly figure, which can be zoomed and asked for its numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from spreadlake.research.pictures.drawing import (
    Distribution,
    Drawing,
    Levels,
    Line,
    Marks,
    naive,
)
from spreadlake.research.pictures.style import (
    COST,
    COSTS_TOLD,
    EQUITY,
    GAIN,
    LOSS,
    QUIET,
    SIDE,
    THRESHOLD,
    THRESHOLDS_TOLD,
    TITLES,
)


class _Chart(NamedTuple):
    """One of the charts under each other: its height and what is free below it (px)."""

    height: int
    below: int


_CHARTS = {
    "equity": _Chart(290, 40),
    "drawdown": _Chart(110, 80),
    "zscore": _Chart(320, 150),
    "costs": _Chart(230, 80),
    "distribution": _Chart(210, 40),
}
_OVER_TIME = ("equity", "drawdown", "zscore", "costs")
_TOP = 50  # px above the first chart
_DASHES = {"entry": "dash", "exit": "dot", "stop": "dashdot"}
_SYMBOLS = {"exit": "circle", "stop": "x", "time": "square", "end": "diamond"}
_ENTRIES = {"long": "triangle-up", "short": "triangle-down"}
_NOTHING = "rgba(0,0,0,0)"


def charts_of(drawing: Drawing) -> go.Figure:
    """Equity, drawdown, z-score and costs over one time axis, and the distribution of trades.

    Without a trade only the z-score with its thresholds. There has to be a bar.
    """
    names = list(_CHARTS) if drawing.distribution is not None else ["zscore"]
    charts = _Charts([name for name in names if name != "zscore" or drawing.zscore is not None])
    if drawing.zscore is not None:
        charts.line("zscore", drawing.zscore, "z-score", QUIET, 1)
        charts.thresholds(naive(drawing.zscore.times)[[0, -1]], drawing.thresholds)
    for number, marks in enumerate(drawing.marks):
        listed = marks.name not in {other.name for other in drawing.marks[:number]}
        charts.marks(marks, listed, drawing.crowd)
    if drawing.distribution is not None:
        charts.line("equity", drawing.equity, "equity", EQUITY, 1.6)
        charts.line("drawdown", drawing.drawdown, "drawdown", LOSS, 1)
        charts.figure.data[-1].update(fill="tozeroy")
        for name, line in drawing.costs.items():
            charts.line("costs", line, COSTS_TOLD[name], COST[name], 2.2 if name == "net" else 1.4)
            charts.figure.data[-1].update(line_shape="hv")
        charts.distribution(drawing.distribution)
    return charts.figure


class _Charts:
    """A figure with charts under each other, by name."""

    def __init__(self, names: Sequence[str]) -> None:
        """Empty charts, each with axes of its own; those over time are zoomed together."""
        self._number = {name: at for at, name in enumerate(names, 1)}
        inside = sum(_CHARTS[name].height + _CHARTS[name].below for name in names)
        self.figure = go.Figure()
        self.figure.update_layout(
            height=inside + _TOP,
            margin={"l": 70, "r": 20, "t": _TOP, "b": 0},
            hovermode="x unified",
            font={"size": 13},
        )
        top = float(inside)
        for name in names:
            self._make(name, top / inside, (top - _CHARTS[name].height) / inside)
            top -= _CHARTS[name].height + _CHARTS[name].below

    def _make(self, name: str, top: float, bottom: float) -> None:
        """The axes, title and legend of a chart between two heights, as shares of the whole."""
        x, y, legend = (self._axis(name, kind) for kind in ("xaxis", "yaxis", "legend"))
        axis: dict[str, object] = {"anchor": y.replace("axis", ""), "domain": [0, 1]}
        if name in _OVER_TIME:
            axis |= {"type": "date", "matches": "x" if x != "xaxis" else None}
            axis |= {"showticklabels": name != "equity"}
        down = name == "zscore"  # it has many names
        self.figure.update_layout(
            {
                x: axis,
                y: {"anchor": x.replace("axis", ""), "domain": [bottom, top]},
                legend: {
                    "orientation": "h",
                    "x": 0 if down else 1,
                    "xanchor": "left" if down else "right",
                    "y": bottom - 50 / self.figure.layout.height if down else top,
                    "yanchor": "top" if down else "bottom",
                    "bgcolor": _NOTHING,
                    "font": {"size": 12},
                },
            }
        )
        self.figure.add_annotation(
            text=TITLES[name],
            font={"size": 15},
            showarrow=False,
            xref="paper",
            yref="paper",
            x=0,
            y=top,
            xanchor="left",
            yanchor="bottom",
            yshift=4,
        )

    def _axis(self, name: str, kind: str) -> str:
        number = self._number[name]
        return kind if number == 1 else f"{kind}{number}"

    def _place(self, name: str) -> dict[str, str]:
        return {
            "xaxis": self._axis(name, "x"),
            "yaxis": self._axis(name, "y"),
            "legend": self._axis(name, "legend"),
        }

    def line(self, chart: str, line: Line, name: str, color: str, width: float) -> None:
        self.figure.add_scatter(
            x=naive(line.times),
            y=line.values,
            name=name,
            mode="lines",
            line={"color": color, "width": width},
            showlegend=chart in ("zscore", "costs"),
            hovertemplate="%{y:.3f}" if chart == "zscore" else "%{y:,.2f}",
            **self._place(chart),
        )

    def thresholds(self, span: NDArray[np.datetime64], named: Levels) -> None:
        """As lines with a name, so that the legend says what they are and can hide them."""
        for name, levels in named.items():
            for level in levels:
                self.figure.add_scatter(
                    x=span,
                    y=[level, level],
                    name=f"{THRESHOLDS_TOLD[name]} {'±' if level else ''}{abs(level):g}",
                    mode="lines",
                    line={"color": THRESHOLD[name], "width": 1.3, "dash": _DASHES[name]},
                    legendgroup=name,
                    showlegend=level == levels[0],
                    hoverinfo="skip",
                    **self._place("zscore"),
                )

    def marks(self, marks: Marks, listed: bool, size: float) -> None:
        entry, color = marks.reason is None, SIDE[marks.side]
        self.figure.add_scatter(
            x=naive(marks.times),
            y=marks.values,
            name=marks.name,
            mode="markers",
            marker={
                "symbol": _ENTRIES[marks.side] if marks.reason is None else _SYMBOLS[marks.reason],
                "color": color if entry else _NOTHING,
                "size": size * (10 if entry else 8),
                "line": {"color": color, "width": 0 if entry else 2 * size},
            },
            text=marks.told,
            hovertemplate="%{y:.3f}, %{text}",
            legendgroup=f"mark {marks.name}",
            showlegend=listed,
            **self._place("zscore"),
        )

    def distribution(self, found: Distribution) -> None:
        low, high = found.edges[:-1], found.edges[1:]
        self.figure.add_bar(
            x=(low + high) / 2,
            y=found.counts,
            width=(high - low) * 0.96,
            name="trades",
            marker={"color": np.where(low < 0, LOSS, GAIN), "line": {"width": 0}},
            customdata=np.column_stack([low, high]),
            hovertemplate="%{y} from %{customdata[0]:,.2f} to %{customdata[1]:,.2f}",
            showlegend=False,
            **self._place("distribution"),
        )
        self.figure.add_scatter(
            x=[found.mean, found.mean],
            y=[0, found.counts.max()],
            name=f"mean {found.mean:,.2f}",
            mode="lines",
            line={"color": QUIET, "width": 2, "dash": "dash"},
            hoverinfo="skip",
            showlegend=True,
            **self._place("distribution"),
        )
