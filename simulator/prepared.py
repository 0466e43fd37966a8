"""A source played from memory, for those who measure the reader and not the exchange."""

from collections.abc import Collection, Generator, Iterator, Mapping

from simulator.columns import TradeColumns
from simulator.source import AggTradesQuery, Batch, Play, Source
from simulator.synthetic.instruments import Contract


class Prepared:
    """Another source's frames of `streams` up to `end_ms`, made before the play begins.

    Its frames are all held in memory. `start_ms` is for a source that can begin at any time.
    """

    def __init__(
        self,
        source: Source,
        streams: Collection[str],
        start_ms: int = 0,
        end_ms: int | None = None,
    ) -> None:
        begins = source.start_ms()
        self._source = source
        self._start_ms = start_ms if begins is None else begins
        play = Play(self._start_ms, end_ms, None, lambda: streams)
        self._batches = list(source.play(play))
        self.name = f"{source.name}, prepared"

    @property
    def instruments(self) -> Mapping[str, Contract]:
        """The symbols that exist, in order."""
        return self._source.instruments

    def start_ms(self) -> int | None:
        """Where the prepared play begins."""
        return self._start_ms

    def play(self, play: Play) -> Generator[Batch]:  # noqa: ARG002 it was prepared otherwise
        """The prepared batches."""
        yield from self._batches

    def agg_trades(self, query: AggTradesQuery) -> list[bytes]:
        """As the source itself."""
        return self._source.agg_trades(query)

    def columns(self, symbol: str, start_ms: int, end_ms: int) -> TradeColumns:
        """As the source itself."""
        return self._source.columns(symbol, start_ms, end_ms)

    def parts(self, symbol: str, start_ms: int, end_ms: int) -> Iterator[TradeColumns]:
        """As the source itself."""
        return self._source.parts(symbol, start_ms, end_ms)
