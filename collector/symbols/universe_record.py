"""The lake's record of who is captured and why, as the collector writes it."""

import logging
from collections.abc import Callable, Mapping, Sequence

from collector.storage.store import TickStore
from collector.storage.writer import WriterThread
from collector.symbols.roster import Roster
from collector.symbols.selection import Choice
from spreadlake.config import Settings
from spreadlake.lake import atomic
from spreadlake.lake.ticks.universe import (
    UniverseRow,
    away_symbols,
    note_changes,
    read_universe,
    save_trouble,
    save_universe,
)
from spreadlake.venue import Listed, Standing

log = logging.getLogger(__name__)
_NAMED = "symbols names it"
_NOT_NAMED = "symbols does not name it"
_NOT_YET = "it was chosen when the exchange last told"


class UniverseRecord:
    """`rows` are as they were last written, by symbol; `looked_ms` is when the exchange told."""

    def __init__(self, store: TickStore, writer: WriterThread) -> None:
        self._store = store
        self._writer = writer
        last = read_universe(store.db)
        self.rows = {row.symbol: row for row in last.rows}
        self.looked_ms = last.looked_ms
        self.trouble = ""
        self._away = away_symbols(store.db)

    @property
    def volumes(self) -> dict[str, float]:
        """The 24 h volumes on record."""
        known = ((row.symbol, row.quote_volume) for row in self.rows.values())
        return {symbol: volume for symbol, volume in known if volume is not None}

    @property
    def deliveries(self) -> dict[str, int]:
        """When those end whose end is announced, Unix ms."""
        known = ((row.symbol, row.delivery_ms) for row in self.rows.values())
        return {symbol: at for symbol, at in known if at is not None}

    async def tell(self, trouble: str, kept: int) -> None:
        """What keeps a look from counting is told once; `kept` symbols are captured meanwhile."""
        if trouble == self.trouble:
            return
        goes_on = f"the {kept} symbols captured go on" if kept else "nothing is captured yet"
        log.warning("%s; %s, and it is asked for again", trouble, goes_on)
        self.trouble = trouble
        await self._write(lambda: save_trouble(self._store.db, trouble))

    async def write(
        self,
        settings: Settings,
        roster: Roster,
        choices: Mapping[str, Choice],
        volumes: Mapping[str, float],
        now_ms: int,
    ) -> None:
        """Writes who is captured now, and why, for everybody else."""
        captured = captured_in_order(settings, roster)
        places = {symbol: place for place, symbol in enumerate(captured)}
        others = roster.listed if roster.has_listing else self.rows
        symbols = [*captured, *(symbol for symbol in others if symbol not in places)]
        rows = [
            self._since(self._row(settings, symbol, places.get(symbol), roster, choices, volumes))
            for symbol in symbols
        ]
        rows = [row._replace(since_ms=row.since_ms or now_ms) for row in rows]
        self.rows = {row.symbol: row for row in rows}
        chosen = settings.symbols == "all"
        words = settings.universe.words if chosen else f"{len(captured)} named in symbols"
        looked_ms, trouble = self.looked_ms, self.trouble
        # Before the exchange has told it is not known who has ended.
        present = {s for s in captured if roster.may_trade(s)} if roster.has_listing else None

        def save() -> None:
            save_universe(self._store.db, rows, words, looked_ms)
            save_trouble(self._store.db, trouble)
            if present is not None:
                self._note(present)

        await self._write(save)

    def _note(self, present: set[str]) -> None:
        """By the clock of what is stored by now: a later trade is committed after this."""
        watermark_ms = self._store.watermark_ms
        if watermark_ms is not None:
            self._away = note_changes(self._store.db, present, self._away, watermark_ms)

    async def _write(self, write: Callable[[], None]) -> None:
        def within() -> None:
            with atomic(self._store.db):
                write()

        await self._writer.persist(within)

    def _row(
        self,
        settings: Settings,
        symbol: str,
        place: int | None,
        roster: Roster,
        choices: Mapping[str, Choice],
        volumes: Mapping[str, float],
    ) -> UniverseRow:
        before = self.rows.get(symbol)
        if before is not None and not roster.has_listing:
            return before._replace(place=place)
        contract = roster.listed.get(symbol) or Listed(symbol, "", roster.standing(symbol))
        chosen = settings.symbols == "all"
        choice = choices.get(symbol) if chosen else None
        reason = _NOT_YET if chosen else _NAMED if place is not None else _NOT_NAMED
        return UniverseRow(
            symbol,
            place,
            (choice.reason if choice else reason) + _halted(place, contract, roster),
            contract.status,
            contract.contract,
            contract.quote,
            volumes.get(symbol),
            choice.rank if choice else None,
            contract.listed_ms,
            contract.delivery_ms,
            trading=_is_expected(contract) if roster.has_listing else None,
        )

    def _since(self, row: UniverseRow) -> UniverseRow:
        before = self.rows.get(row.symbol)
        same = before is not None and before.captured == row.captured
        return row._replace(since_ms=before.since_ms if before and same else None)


def captured_in_order(settings: Settings, roster: Roster) -> Sequence[str]:
    """In the order of the configuration, and where rules choose by name: pairs keep theirs."""
    order = {symbol: place for place, symbol in enumerate(settings.symbol_list)}
    return sorted(roster.symbols, key=lambda symbol: (order.get(symbol, len(order)), symbol))


def _is_expected(contract: Listed) -> int:
    """1 where trades of a contract are to be expected at any time, else 0."""
    return int(contract.standing is Standing.TRADES and not contract.has_hours)


def _halted(place: int | None, contract: Listed, roster: Roster) -> str:
    if place is None or roster.is_trading(contract.symbol):
        return ""
    return f"; it does not trade now ({contract.status or 'not listed'})"
