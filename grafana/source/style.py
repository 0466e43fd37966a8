"""Colours, thresholds and names that all dashboards share.

The colours are Okabe and Ito's, which people with any colour vision can tell apart; each has one
meaning. What is normal takes the theme's own text colour, so that only what matters has one.
"""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import DataSourceRef

LEG_A = "#56B4E9"
LEG_B = "#E69F00"
NEUTRAL = "text"
QUIET = "#8E8E99"
ALARM = "#D55E00"
WARN = "#E69F00"
GOOD = "#009E73"
UP = "#009E73"
DOWN = "#CC79A7"
OLD = "#9A7FD1"
ASK = "#E69F00"

LAKE = DataSourceRef(type_val="frser-sqlite-datasource", uid="${datasource}")
KEPT = DataSourceRef(type_val="frser-sqlite-datasource", uid="${kept}")
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="spreadlake-prometheus")
PANELS = DataSourceRef(type_val="datasource", uid="-- Dashboard --")


def fixed(color: str) -> build.FieldColor:
    """One colour, whatever the value."""
    return build.FieldColor().mode(model.FieldColorModeId.FIXED).fixed_color(color)


def by_steps() -> build.FieldColor:
    """The colour of the value's threshold step."""
    return build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)


def steps(base: str, *above: tuple[float, str]) -> build.ThresholdsConfig:
    """Colours by value: `base`, then each colour from its value up."""
    levels = [model.Threshold(value=None, color=base)]
    levels += [model.Threshold(value=value, color=color) for value, color in above]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(levels)


def mapped(*patterns: tuple[str, str]) -> list[model.ValueMapping]:
    """Colours for texts that match a pattern; the text stays as it is."""
    return [
        model.RegexMap(
            options=model.DashboardRegexMapOptions(
                pattern=f"/{pattern}/", result=model.ValueMappingResult(color=color, index=index)
            )
        )
        for index, (pattern, color) in enumerate(patterns)
    ]


# A probability so small says no more than this; as a number it still sorts.
SMALL_PROBABILITY: list[model.ValueMapping] = [
    model.RangeMap(
        options=model.DashboardRangeMapOptions(
            from_val=0, to=0.000999999, result=model.ValueMappingResult(text="< 0.001", index=0)
        )
    )
]

# What a word about another time than now begins or ends with, as `as_of` and `signed` write it.
IS_OLD = "as of |^○"
AS_OF = "What is not of now says as of when, in violet and with a hollow sign."

# What “State” says of a pair: what has to be chosen again, what is of before, ready, in words.
STATES = mapped(
    ("choose ", ASK),
    (f"{IS_OLD}|^no bars (in|before)|the newest is of", OLD),
    ("^ready", GOOD),
    ("^(warming|partly|not ready|no screen)", LEG_A),
    (".*", ALARM),
)

# Ages as text, as `duration` writes them: good below 5 s, bad from 15 s.
AGES = mapped(
    (IS_OLD, OLD),
    (r"^[0-4]\.\d s$", GOOD),
    (r"^([5-9]|1[0-4])\.\d s$", WARN),
    ("^–$", NEUTRAL),
    (".*", ALARM),
)
