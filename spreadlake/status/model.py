"""What a report on a lake says. Times are Unix seconds in UTC; None where nothing is known.

The field names are the keys of `spreadlake status --json`.
"""

from dataclasses import dataclass, field
from typing import Literal

from spreadlake.series import Prices
from spreadlake.status.universe import UniverseReport

ServiceState = Literal["running", "late", "stopped", "never started", "unknown"]


@dataclass(frozen=True)
class ServiceReport:
    """What one service is doing, by its own last sign of life.

    `trouble` is why one that runs does not do its work now, in a few words; empty where it does.
    """

    name: str
    state: ServiceState
    message: str
    pid: int | None = None
    started_at: float | None = None
    heartbeat_at: float | None = None
    heartbeat_age_seconds: float | None = None
    trouble: str = ""


@dataclass(frozen=True)
class SymbolReport:
    """What is stored of one symbol."""

    symbol: str
    price: float | None
    ticks: int
    last_trade_at: float | None
    gaps_open: int
    gaps_lost: int


@dataclass(frozen=True)
class GapReport:
    """A range of trade ids, both ends included, that is missing from the lake."""

    symbol: str
    first_id: int
    last_id: int
    missing: int
    state: str
    found_at: float
    cause: str
    message: str


@dataclass(frozen=True)
class ConnectionReport:
    """What one of the connections was worth that carry the same symbols, since the lake began.

    `first` are trades that it brought before any other, `repeated` those that came by another
    before, `gaps` those that there would have been with this one alone.
    """

    number: int
    first: int
    repeated: int
    gaps: int


@dataclass(frozen=True)
class PairReport:
    """One series of pair analytics: its state and its latest row.

    `zscore` is None unless the state is ready; `time` is the open of the latest bar; `hedge_bars`
    is over how many bars the hedge ratio is.
    """

    pair: str
    timeframe: str
    window: int
    lookback: int
    state: str
    bars_have: int
    bars_need: int
    message: str
    time: int | None
    price_a: float | None
    price_b: float | None
    beta: float | None
    spread: float | None
    spread_std: float | None
    zscore: float | None
    correlation: float | None
    return_correlation: float | None
    hedge_bars: int | None = None


@dataclass(frozen=True)
class FollowedReport:
    """A pair that is followed, or was added by hand and will be.

    `source`: who asked for it, `configuration`, `hand` or `screen`; `since` None where that is not
    known; `states` counts its series by their state; `note` is what else there is to say.
    """

    pair: str
    source: str
    since: int | None
    why: str
    states: dict[str, int]
    open_alerts: int
    note: str = ""


@dataclass(frozen=True)
class AlertReport:
    """An alert event that is open."""

    rule: str
    pair: str
    timeframe: str
    window: int
    lookback: int
    threshold: float
    opened_at: int
    opened_zscore: float
    peak_zscore: float


@dataclass(frozen=True)
class TestsBacklog:
    """`due` rows of `pair_tests` are yet to be computed, the oldest at the bar `oldest_at`.

    `behind_seconds`: how old the oldest of those is that fell due in the last quarter of an hour;
    0 where all of them are computed. History, which is filled up behind, does not count.
    """

    __test__ = False  # not a test of ours, whatever its name

    due: int = 0
    oldest_at: int | None = None
    behind_seconds: float | None = None


@dataclass(frozen=True)
class FileReport:
    """A file or folder of the lake and the bytes it takes."""

    name: str
    bytes: int


@dataclass(frozen=True)
class MissingReport:
    """Hours [start, end) of a symbol whose Parquet files are gone, and the trades in them."""

    symbol: str
    start: int
    end: int
    trades: int


@dataclass(frozen=True)
class KlineReport:
    """Of how many symbols there are 1m klines, and of which time [first, end).

    `unprocessed` says that the analytics job has yet to take some of them in.
    """

    symbols: int
    first: int
    end: int
    unprocessed: bool


@dataclass(frozen=True)
class WarmStartReport:
    """How far recent history is: of `symbols` captured, those that lack klines, and trades.

    `minutes_ready`: there are 1m klines of all. `klines_seconds` and `seconds` are what is left at
    the budget of REST weight; `at_most` tells that it is not more.
    """

    symbols: int
    klines_left: int
    trades_left: int
    minutes_ready: bool
    klines_seconds: float
    seconds: float
    at_most: bool


@dataclass(frozen=True)
class LakeReport:
    """Everything `spreadlake status` tells.

    `gaps` are the open and the lost ones, newest first, at most 100; the counts by symbol are
    complete. `not_trading` are captured symbols that do not trade at the exchange, each with the
    exchange's status. `ticks_unprocessed` are stored trades that the analytics job has yet to see.
    `slow_tests` are the slow statistics that wait. `missing` are trades whose files are
    gone: they are not among `ticks`. `connections` are those that carry each symbol at once.
    `universe` says how many symbols are captured, and which of them end; `followed` how many pairs
    are followed, by who asked for them (`configuration`, `hand`, `screen`);
    `prices` what `pairs` are computed on.
    """

    lake: str
    reported_at: float
    origin: str | None
    trade_kind: str | None
    services: list[ServiceReport]
    ticks: int
    ticks_unprocessed: int | None
    last_trade_at: float | None
    watermark_at: float | None
    lag_seconds: float | None
    symbols: list[SymbolReport]
    gaps: list[GapReport]
    pairs: list[PairReport]
    alerts: list[AlertReport]
    slow_tests: TestsBacklog
    files: list[FileReport]
    not_trading: dict[str, str] = field(default_factory=dict)
    missing: list[MissingReport] = field(default_factory=list)
    connections: list[ConnectionReport] = field(default_factory=list)
    klines: KlineReport | None = None
    universe: UniverseReport = field(default_factory=UniverseReport)
    warm_start: WarmStartReport | None = None
    followed: dict[str, int] = field(default_factory=dict)
    prices: Prices | None = None
