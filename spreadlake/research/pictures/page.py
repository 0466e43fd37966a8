"""A back-test as one HTML page that needs nothing else: no network, no file beside it."""

import json
from html import escape

import plotly.graph_objects as go

from spreadlake.research.pictures.charts import charts_of
from spreadlake.research.pictures.drawing import LINE_POINTS, MARK_POINTS, Drawing, Pictured
from spreadlake.research.pictures.summary import told_notes, told_settings, told_summary
from spreadlake.research.pictures.tables import tables_of

# What of a figure has a colour of the page: by scheme, then of text, lines and what pops up.
_SCHEMES = {
    "light": {"text": "#24242A", "grid": "#E3E3E8", "zero": "#B4B4BE", "over": "#FFFFFF"},
    "dark": {"text": "#D5D5DC", "grid": "#33333B", "zero": "#5C5C66", "over": "#22222A"},
}
_STYLE = """
:root { color-scheme: light dark; --text: #24242a; --quiet: #62626c; --back: #ffffff;
  --line: #e3e3e8; }
@media (prefers-color-scheme: dark) {
  :root { --text: #d5d5dc; --quiet: #9c9ca6; --back: #131317; --line: #33333b; } }
body { margin: 0 auto; max-width: 1560px; padding: 1.2rem; background: var(--back);
  color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
p { margin: .3rem 0; max-width: 75rem; }
.quiet, caption { color: var(--quiet); }
.numbers { columns: 2; column-gap: 2.5rem; }
@media (max-width: 1000px) { .numbers { columns: 1; } }
table { border-collapse: collapse; width: 100%; }
.numbers tbody { display: block; }
.numbers tr { display: flex; break-inside: avoid; border-bottom: 1px solid var(--line);
  padding: .28rem 0; gap: .8rem; }
.numbers th { flex: 0 0 10.5rem; text-align: left; font-weight: 600; }
.numbers td { padding: 0; }
.wide { overflow-x: auto; }
.wide table { width: auto; }
.wide th, .wide td { padding: .25rem .7rem .25rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
.wide th:first-child, .wide td:first-child { text-align: left; }
.value { flex: 0 0 8.5rem; text-align: right; font-variant-numeric: tabular-nums; }
.told { flex: 1; color: var(--quiet); }
"""
_FOLLOW_SCHEME = """
(() => {
  const schemes = %s, dark = matchMedia('(prefers-color-scheme: dark)');
  const chart = document.getElementById('charts');
  const follow = () => Plotly.relayout(chart, schemes[dark.matches ? 'dark' : 'light']);
  dark.addEventListener('change', follow);
  follow();
})();
"""
_DRAWN = (
    f"Of each line at most {LINE_POINTS:,} points are drawn: the lowest and the highest of each "
    f"stretch of time, so that no excursion is lost; of each kind of mark at most {MARK_POINTS:,}. "
    "Times are UTC. Drag to zoom, double-click for all of it; a click on a name hides it."
)


def page_of(run: Pictured, drawing: Drawing) -> str:
    """The page as text: the summary in a table, and the charts with the script that draws them."""
    name = escape(run.title)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
 script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<link rel="icon" href="data:,">
<title>{name}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{name}</h1>
<p class="quiet">{escape(told_settings(run.settings))}</p>
{"".join(f"<p>{escape(text)}</p>" for text in told_notes(run, drawing))}
{_numbers(run)}
{tables_of(run)}
{_charts(drawing) if drawing.zscore or drawing.distribution else ""}
</body>
</html>
"""


def _numbers(run: Pictured) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(one.name)}</th><td class="value">{escape(one.value)}</td>'
        f'<td class="told">{escape(one.meaning)}</td></tr>'
        for one in told_summary(run.summary)
    )
    return f'<h2>Summary</h2>\n<div class="numbers"><table><tbody>\n{rows}\n</tbody></table></div>'


def _charts(drawing: Drawing) -> str:
    figure = charts_of(drawing)
    figure.update_layout(paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)")
    chart = figure.to_html(
        full_html=False,
        include_plotlyjs=True,
        include_mathjax=False,
        div_id="charts",
        config={"responsive": True, "displaylogo": False},
        post_script=_FOLLOW_SCHEME % json.dumps(_schemes(figure)),
    )
    return f'<h2>Charts</h2>\n<p class="quiet">{escape(_DRAWN)}</p>\n{chart}'


def _schemes(figure: go.Figure) -> dict[str, dict[str, str]]:
    """What is set of the figure in each scheme, as plotly's `relayout` takes it."""
    axes = [name for name in figure.to_dict()["layout"] if name.startswith(("xaxis", "yaxis"))]
    return {
        scheme: {
            "font.color": color["text"],
            "hoverlabel.bgcolor": color["over"],
            "hoverlabel.font.color": color["text"],
            "modebar.color": color["zero"],
            "modebar.activecolor": color["text"],
            **{f"{axis}.gridcolor": color["grid"] for axis in axes},
            **{f"{axis}.zerolinecolor": color["zero"] for axis in axes},
        }
        for scheme, color in _SCHEMES.items()
    }
