"""One line that says how the pipeline is doing. Pure."""

from collections.abc import Mapping

from spreadlake.report import LakeReport, PairReport
from spreadlake.report.words import count, signed
from spreadlake.supervisor.screen import Watched, pick_pairs

__all__ = ["summarise"]

_MOST_PAIRS = 4


def summarise(
    report: LakeReport, watched: Watched, rate: float | None, children: Mapping[str, str]
) -> str:
    """Trades, the most stretched pairs, open alerts, and children that do not run."""
    ticks = f"{report.ticks:,} ticks" + (f" ({rate:,.0f}/s)" if rate is not None else "")
    parts = [ticks, *map(_pair, pick_pairs(report.pairs, watched, _MOST_PAIRS))]
    if report.alerts:
        parts.append(count(len(report.alerts), "open alert"))
    parts += [f"{name} {state}" for name, state in children.items() if state != "running"]
    return "; ".join(parts)


def _pair(pair: PairReport) -> str:
    return f"{pair.pair} {f'z {signed(pair.zscore)}' if pair.state == 'ready' else pair.message}"
