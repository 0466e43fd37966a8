"""A back-test in words: its numbers, its settings, and what there is not. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from spreadlake.research.pictures.drawing import Drawing, Pictured


class Told(NamedTuple):
    """One number: its name, the text of its value, and what it means."""

    name: str
    value: str
    meaning: str


_MONEY, _SHARE, _COUNT, _NUMBER = "{:,.2f}", "{:.2%}", "{:,.0f}", "{:,.4g}"
_NUMBERS = {
    "trades": ("Trades", _COUNT, "in and out of both legs"),
    "gross": ("Gross", _MONEY, "before costs, in the quote currency"),
    "fees": ("Fees and slippage", _MONEY, "paid at every fill of each leg"),
    "funding": ("Funding", _MONEY, "received (paid: below 0) while positions were held"),
    "net": ("Net", _MONEY, "gross less fees, with funding"),
    "net_on_notional": ("Net on notional", _SHARE, "net over the notional of leg A"),
    "hit_rate": ("Hit rate", _SHARE, "trades that earned something after costs"),
    "profit_factor": ("Profit factor", _NUMBER, "what was won for each 1 that was lost"),
    "mean_bars_held": ("Mean bars held", _NUMBER, "of a trade, from fill to fill"),
    "longest_bars_held": ("Longest bars held", _COUNT, "of a trade, from fill to fill"),
    "time_in_market": ("Time in the market", _SHARE, "of the bars of the span"),
    "max_drawdown": ("Largest drawdown", _MONEY, "from a high of the equity to the low after it"),
    "sharpe": ("Sharpe", _NUMBER, "of the equity's changes per bar, over 365 days"),
    "turnover": ("Turnover", _MONEY, "value of all fills"),
    "break_even_bps": ("Break-even cost", "{:,.2f} bps", "of each fill: net would be 0"),
}


_IN_TITLE = ("pair", "timeframe")


def told_summary(summary: Mapping[str, float | None]) -> list[Told]:
    """Each number of a summary in words; what is not known here by its key, after the others."""
    named = [
        Told(title, _text(summary[key], form), meaning)
        for key, (title, form, meaning) in _NUMBERS.items()
        if key in summary
    ]
    others = [key for key in summary if key not in _NUMBERS]
    return named + [Told(key, _text(summary[key], _NUMBER), "") for key in others]


def told_settings(settings: Mapping[str, object]) -> str:
    """Settings in one line; those without a value are left out, and so is what a title says."""
    shown = {key: settings[key] for key in settings if key not in _IN_TITLE}
    told = [
        f"{key.replace('_', ' ')} {_setting(shown[key])}" for key in shown if shown[key] is not None
    ]
    return " · ".join(told)


def told_notes(run: Pictured, drawing: Drawing) -> list[str]:
    """What there is not, and what has to be known, one paragraph each."""
    if not len(run.equity):
        return ["There is no bar in this span, so there is nothing to draw.", *run.notes]
    if len(run.trades):
        return [*run.notes]
    below = " The z-score and its thresholds are drawn below." if drawing.zscore else ""
    return [f"There is no trade in this span.{below}", *run.notes]


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.10g}" if isinstance(value, float) else str(value)


def _text(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)
