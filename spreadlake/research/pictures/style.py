"""Titles and colours of the pictures; each colour has one meaning. Pure.

Okabe and Ito's, which people with any colour vision can tell apart, a little darker or lighter
where they would not be seen on white, or on nearly black.
"""

EQUITY = "#2F81D6"
LOSS = "#D55E00"
GAIN = "#009E73"
QUIET = "#85858F"
SIDE = {"long": "#2F81D6", "short": "#D9820A"}
COST = {"gross": "#2F81D6", "fees": LOSS, "funding": "#C0659A", "net": GAIN}
THRESHOLD = {"entry": "#D9820A", "exit": GAIN, "stop": LOSS}

COSTS_TOLD = {"gross": "gross", "fees": "fees, paid", "funding": "funding", "net": "net"}
THRESHOLDS_TOLD = {"entry": "enter", "exit": "exit", "stop": "stop"}
MARKS_TOLD = {
    None: "in,",
    "exit": "out: exit",
    "stop": "out: stop",
    "time": "out: time",
    "end": "out: end",
}

TITLES = {
    "equity": "Equity after costs, with open profit",
    "drawdown": "Drawdown",
    "zscore": "z-score and trades",
    "costs": "Gross, costs, net",
    "distribution": "Net of a trade",
}
"""Of the charts."""
