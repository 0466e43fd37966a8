"""The charts of a back-test as a PNG, for a message or a document."""

from collections.abc import Callable, Sequence
from io import BytesIO
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from spreadlake.research.pictures.drawing import Drawing, Line, Marks, naive
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

_DASHES = {"entry": "--", "exit": ":", "stop": "-."}
_SYMBOLS = {"exit": "o", "stop": "X", "time": "s", "end": "D"}
_ENTRIES = {"long": "^", "short": "v"}
_GRID, _TEXT = "#E3E3E8", "#24242A"
_LINE = 0.22  # inches of a line of text
_LONGEST = 185  # characters of a line


def image_of(drawing: Drawing, title: str, told: Sequence[str]) -> bytes:
    """A PNG of 1600 pixels in width, on white; `told` are paragraphs under the title.

    Drawn without pyplot: nothing of the caller's own figures and settings is touched.
    """
    charts = _chosen(drawing)
    lines = [line for text in told for line in wrap(text, _LONGEST)]
    above = 0.7 + _LINE * len(lines)
    height = 1.5 * sum(charts.values()) + above
    figure = Figure(figsize=(16, height), dpi=100, facecolor="white", layout="constrained")
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0.005, 0.005, 0.985, 1 - above / height), hspace=0.02)
    title, *texts = (text.replace("$", r"\$") for text in (title, *lines))  # no formulas
    figure.text(0.012, 1 - 0.2 / height, title, fontsize=20, color=_TEXT, va="top")
    below = 1 - 0.6 / height
    figure.text(0.012, below, "\n".join(texts), fontsize=12, color=_TEXT, va="top")
    if charts:
        _draw(figure, charts, drawing)
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _draw(figure: Figure, charts: "dict[_Draw, float]", drawing: Drawing) -> None:
    shares = [*charts.values()]
    axes = figure.subplots(len(charts), 1, height_ratios=shares, squeeze=False)[:, 0]
    for draw, ax in zip(charts, axes, strict=True):
        draw(ax, drawing)
        _style(ax)
    _share_time(axes[:-1] if drawing.distribution is not None else axes)


_Draw = Callable[[Any, Drawing], None]


def _chosen(drawing: Drawing) -> dict[_Draw, float]:
    """What is drawn, and how high; the distribution, which is not over time, is the last."""
    zscore: dict[_Draw, float] = {} if drawing.zscore is None else {_draw_zscore: 2.8}
    if drawing.distribution is None:
        return zscore
    above: dict[_Draw, float] = {_draw_equity: 2.4, _draw_drawdown: 1}
    return above | zscore | {_draw_costs: 2.2, _draw_distribution: 2}


def _draw_equity(ax: Any, drawing: Drawing) -> None:
    ax.set_title(TITLES["equity"], loc="left", color=_TEXT)
    _plot(ax, drawing.equity, color=EQUITY, lw=1.6)
    ax.axhline(0, color=QUIET, lw=0.8)
    ax.tick_params(labelbottom=False)


def _draw_drawdown(ax: Any, drawing: Drawing) -> None:
    ax.set_title(TITLES["drawdown"], loc="left", color=_TEXT)
    times, values = naive(drawing.drawdown.times), drawing.drawdown.values
    ax.fill_between(times, values, 0, color=LOSS, alpha=0.25, lw=0)
    ax.plot(times, values, color=LOSS, lw=1)


def _draw_zscore(ax: Any, drawing: Drawing) -> None:
    ax.set_title(TITLES["zscore"], loc="left", color=_TEXT)
    if drawing.zscore is not None:
        _plot(ax, drawing.zscore, color=QUIET, lw=0.9, label="z-score")
    for name, levels in drawing.thresholds.items():
        for level in levels:
            told = f"{THRESHOLDS_TOLD[name]} {'±' if level else ''}{abs(level):g}"
            label = told if level == levels[0] else None
            ax.axhline(level, color=THRESHOLD[name], ls=_DASHES[name], lw=1.3, label=label)
    for number, marks in enumerate(drawing.marks):
        listed = marks.name not in {other.name for other in drawing.marks[:number]}
        _draw_marks(ax, marks, marks.name if listed else None, drawing.crowd)
    _legend(ax, below=True)


def _draw_marks(ax: Any, marks: Marks, label: str | None, size: float) -> None:
    entry, color = marks.reason is None, SIDE[marks.side]
    ax.scatter(
        naive(marks.times),
        marks.values,
        marker=_ENTRIES[marks.side] if marks.reason is None else _SYMBOLS[marks.reason],
        s=size**2 * (60 if entry else 42),
        facecolors=color if entry else "none",
        edgecolors=color,
        linewidths=0 if entry else 1.8 * size,
        label=label,
        zorder=3,
    )


def _draw_costs(ax: Any, drawing: Drawing) -> None:
    ax.set_title(TITLES["costs"], loc="left", color=_TEXT)
    for name, line in drawing.costs.items():
        width = 2.2 if name == "net" else 1.4
        label = COSTS_TOLD[name]
        _plot(ax, line, color=COST[name], lw=width, label=label, drawstyle="steps-post")
    _legend(ax)


def _draw_distribution(ax: Any, drawing: Drawing) -> None:
    ax.set_title(TITLES["distribution"], loc="left", color=_TEXT)
    found = drawing.distribution
    if found is not None:
        colors = [LOSS if low < 0 else GAIN for low in found.edges[:-1]]
        width = np.diff(found.edges)
        ax.bar(found.edges[:-1], found.counts, width * 0.96, align="edge", color=colors)
        ax.axvline(found.mean, color=QUIET, ls="--", label=f"mean {found.mean:,.2f}")
    _legend(ax)


def _plot(ax: Any, line: Line, **style: object) -> None:
    ax.plot(naive(line.times), line.values, **style)


def _legend(ax: Any, *, below: bool = False) -> None:
    """Beside the title, or of many names under the axis."""
    corner, at = ("upper left", (0, -0.1)) if below else ("lower right", (1, 1))
    ax.legend(
        loc=corner,
        bbox_to_anchor=at,
        ncols=10,
        frameon=False,
        borderaxespad=0.2,
        columnspacing=1.3,
        labelcolor=_TEXT,
    )


def _style(ax: Any) -> None:
    ax.grid(color=_GRID)
    ax.set_axisbelow(True)
    ax.spines[:].set_visible(False)
    ax.tick_params(colors=_TEXT, length=0)


def _share_time(axes: Any) -> None:
    for ax in axes[1:]:
        ax.sharex(axes[0])
    for ax in axes:
        locator: Any = AutoDateLocator()  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        concise: Any = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_formatter(concise)
        ax.xaxis.get_offset_text().set_visible(ax is axes[-1])
