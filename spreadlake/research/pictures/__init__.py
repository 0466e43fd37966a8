"""Pictures of a back-test: a figure for a notebook, a page and a PNG for everybody else.

plotly and matplotlib are slow to import, so they are only where one of these is called.
"""

from typing import TYPE_CHECKING

from spreadlake.research.pictures.drawing import Pictured, drawing_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Pictured", "figure", "html", "png"]


def figure(run: Pictured) -> "go.Figure":
    """Equity, drawdown, z-score with its trades, costs and the distribution, as a plotly figure."""
    from spreadlake.research.pictures.charts import charts_of  # noqa: PLC0415

    return charts_of(drawing_of(run)).update_layout(title=run.title, margin={"t": 100})


def html(run: Pictured) -> str:
    """One page with the summary and the charts, which needs neither network nor other files."""
    from spreadlake.research.pictures.page import page_of  # noqa: PLC0415

    return page_of(run, drawing_of(run))


def png(run: Pictured) -> bytes:
    """The charts as a PNG of 1600 pixels."""
    from spreadlake.research.pictures.image import image_of  # noqa: PLC0415
    from spreadlake.research.pictures.summary import told_notes, told_settings  # noqa: PLC0415

    drawing = drawing_of(run)
    return image_of(drawing, run.title, [told_settings(run.settings), *told_notes(run, drawing)])
