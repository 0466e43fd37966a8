"""A recording as a source of the simulated exchange: its frames are served as they are."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np

from simulator.recordings.lines import RecordedLine, read_merged
from simulator.recordings.survey import Survey, survey
from simulator.source import Batch, Contract, Frame, FundingRecord, Play, TradeColumns, TradesQuery
from spreadlake.binance.decode import KINDS
from spreadlake.binance.frames import rest_trade, stream_of, trade_in
from spreadlake.binance.rest import REST_KIND
from spreadlake.errors import RecordingError
from spreadlake.trades import TradeEvent

_LARGEST_BATCH = 2000


class Recording:
    """Recorded frames of one or more files, in order of their receive times.

    The files are streamed, once to learn what is in them and once to play them; no frame is
    held. Raises RecordingError where they are missing, damaged or empty, hold no trades, or hold
    both kinds of trades while `kind` does not say which one is wanted.
    """

    def __init__(self, paths: Iterable[Path], kind: str | None = None) -> None:
        self._paths = list(paths)
        names = ", ".join(str(path) for path in self._paths) or "(no file given)"
        self.name = f"recording {names}"
        self._survey = survey(read_merged(self._paths))
        self.kind = _choose(self._survey, names, kind)
        self._chosen = self._survey.kinds[self.kind]
        self._played = 0

    @property
    def instruments(self) -> Mapping[str, Contract]:
        """The symbols that have trades, in order of their first one."""
        return self._chosen.contracts

    @property
    def symbols(self) -> list[str]:
        """The symbols that have trades, in order of their first one."""
        return list(self._chosen.contracts)

    @property
    def coin_margined(self) -> list[str]:
        """The COIN-M contracts that have trades; these are left out."""
        return list(self._survey.coin_margined)

    @property
    def kinds(self) -> list[str]:
        """The kinds of trade events in the recording."""
        return list(self._survey.kinds)

    @property
    def frames(self) -> int:
        """How many frames there are, of whatever kind."""
        return self._survey.frames

    @property
    def trades(self) -> Mapping[str, int]:
        """How many trades each symbol has; one that is there twice counts twice."""
        return self._chosen.trades

    @property
    def first_ms(self) -> int:
        """The least trade time."""
        return self._chosen.first_ms

    @property
    def last_ms(self) -> int:
        """The greatest trade time."""
        return self._chosen.last_ms

    def start_ms(self) -> int | None:
        """When the first frame was received."""
        return self._survey.first_received_ns // 1_000_000

    def play(self, play: Play) -> Generator[Batch]:
        """Every frame once; REST shows the trades that were played."""
        self._played = 0
        clock_ms = play.start_ms
        window_ns = None if play.window_ms is None else round(play.window_ms * 1e6)
        for lines in _batches(read_merged(self._paths), window_ns):
            frames = [self._frame(frame) for _, frame in lines]
            clock_ms = max(clock_ms, *(time_ms + 1 for _, time_ms in frames))
            yield Batch(lines[-1][0] / 1e6, clock_ms, [frame for frame, _ in frames])
            self._played += len(lines)

    def _frame(self, payload: bytes) -> tuple[Frame, int]:
        """The frame, and its trade time (0: it holds no trade)."""
        stream, combined = stream_of(payload)
        trade = trade_in(payload, self.kind)
        if trade is None:
            return Frame(stream, payload, combined), 0
        return Frame(stream, payload, combined, trade.symbol, trade.trade_id), trade.time_ms

    def rest_trades(self, query: TradesQuery) -> list[bytes]:
        """Trades as REST gives them; none of a recording of another kind."""
        if self.kind != REST_KIND:
            return []
        from_start = query.from_id is not None or query.start_ms is not None
        found: dict[int, bytes] = {}
        for trade, frame in self._trades(query.symbol, _wanted_by(query)):
            found[trade.trade_id] = frame
            if len(found) > 8 * query.limit:
                found = _outermost(found, query.limit, from_start)
        kept = _outermost(found, query.limit, from_start)
        return [msgspec.json.encode(rest_trade(frame)) for frame in kept.values()]

    def columns(self, symbol: str, start_ms: int, end_ms: int) -> TradeColumns:
        """The trades of `symbol` in [start_ms, end_ms) that were played, each once."""
        found = {
            trade.trade_id: trade
            for trade, _ in self._trades(symbol, lambda t: start_ms <= t.time_ms < end_ms)
        }
        trades = [found[trade_id] for trade_id in sorted(found)]
        return TradeColumns(
            np.array([t.trade_id for t in trades], np.int64),
            np.array([t.time_ms for t in trades], np.int64),
            np.array([t.price for t in trades], np.float64),
            np.array([t.qty for t in trades], np.float64),
            np.array([t.buyer_is_maker for t in trades], np.bool_),
        )

    def day_volume(self, symbol: str, now_ms: int) -> float:  # noqa: ARG002 all that is known
        """The quote volume of `symbol` in the whole recording."""
        return self._chosen.volumes.get(symbol, 0.0)

    def parts(self, symbol: str, start_ms: int, end_ms: int) -> Iterator[TradeColumns]:
        """All of them at once: the files are read for each part."""
        yield self.columns(symbol, start_ms, end_ms)

    def funding(self, *_: object) -> Iterable[FundingRecord]:
        """None: a recording of trades does not tell, and made-up ones would be taken for real."""
        return ()

    def _trades(
        self, symbol: str, wanted: Callable[[TradeEvent], bool]
    ) -> Iterator[tuple[TradeEvent, bytes]]:
        """The wanted trades that were played; the files are read again, as they are rarely asked.

        A gzip'd file cannot be entered in the middle, and to hold all trades would take a
        gigabyte for every ten million.
        """
        for _, frame in islice(read_merged(self._paths), self._played):
            trade = trade_in(frame, self.kind)
            if trade is not None and trade.symbol == symbol and wanted(trade):
                yield trade, frame


def _choose(found: Survey, names: str, kind: str | None) -> str:
    """The kind of trades to serve."""
    if not found.frames:
        raise RecordingError(f"recording {names} is empty")
    if kind is None and len(found.kinds) > 1:
        raise RecordingError(
            f"recording {names} holds both {' and '.join(KINDS)} events, whose ids count "
            "differently; choose one of them with --kind"
        )
    chosen = kind or next(iter(found.kinds), None)
    if not found.kinds and found.coin_margined:
        raise RecordingError(
            f"recording {names} holds trades of COIN-M contracts only "
            f"({', '.join(found.coin_margined)}), whose quantities are contracts and not coins; "
            "record USDⓈ-M contracts, e.g. BTCUSDT"
        )
    if chosen not in found.kinds:
        raise RecordingError(
            f"recording {names} holds no {kind or 'trade'} events among its {found.frames} frames"
        )
    return chosen


def _batches(lines: Iterable[RecordedLine], window_ns: int | None) -> Iterator[list[RecordedLine]]:
    """Lines that were received within a window, at most `_LARGEST_BATCH` of them."""
    batch: list[RecordedLine] = []
    for line in lines:
        late = batch and window_ns is not None and line[0] - batch[0][0] >= window_ns
        if late or len(batch) == _LARGEST_BATCH:
            yield batch
            batch = []
        batch.append(line)
    if batch:
        yield batch


def _wanted_by(query: TradesQuery) -> Callable[[TradeEvent], bool]:
    first = query.from_id or 0
    start = query.start_ms or 0
    end = query.now_ms if query.end_ms is None else query.end_ms
    return lambda trade: trade.trade_id >= first and start <= trade.time_ms <= end


def _outermost(found: dict[int, bytes], limit: int, lowest: bool) -> dict[int, bytes]:
    """The trades with the lowest, or the highest, ids; in order of id."""
    ids = sorted(found)
    return {i: found[i] for i in (ids[:limit] if lowest else ids[-limit:])}
