"""One line that says how the pipeline is doing. Pure."""

from collections.abc import Mapping, Sequence

from launcher.supervisor.live_screen import Watched, pick_pairs
from spreadlake.status import LakeReport, PairReport
from spreadlake.words import count, signed

_MOST_PAIRS = 4


def summarise(
    report: LakeReport,
    watched: Sequence[Watched],
    rate: float | None,
    children: Mapping[str, str],
) -> str:
    """Trades, the most stretched pairs, open alerts, and children that do not run."""
    ticks = f"{report.ticks:,} ticks" + (f" ({rate:,.0f}/s)" if rate is not None else "")
    parts = [ticks]
    room = max(_MOST_PAIRS // len(watched), 1)
    for one in watched:
        timeframe = f" {one.timeframe}" if len(watched) > 1 else ""
        parts += [_pair(pair, timeframe) for pair in pick_pairs(report.pairs, one, room)[:room]]
    if report.alerts:
        parts.append(count(len(report.alerts), "open alert"))
    parts += [f"{name} {state}" for name, state in children.items() if state != "running"]
    parts += [f"{s.name} {s.trouble}" for s in report.services if s.trouble]
    return "; ".join(parts)


def _pair(pair: PairReport, timeframe: str) -> str:
    state = f"z {signed(pair.zscore)}" if pair.state == "ready" else pair.message
    return f"{pair.pair}{timeframe} {state}"
