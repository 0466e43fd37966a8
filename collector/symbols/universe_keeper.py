"""Keeps the captured symbols in line with what the exchange lists."""

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Protocol

from collector.log_lines import shortened, symbols_counted
from collector.rest import RestClient, RestError
from collector.symbols.roster import Roster
from collector.symbols.selection import (
    Choice,
    Known,
    choose,
    fits_any,
    needs_volumes,
    not_believed,
    renamed_to,
    volumes_not_believed,
)
from collector.symbols.universe_record import UniverseRecord
from collector.timing import Timing
from spreadlake.config import Settings
from spreadlake.errors import ExchangeError
from spreadlake.lake.ticks.universe import UniverseRow, captured_symbols
from spreadlake.times import iso_utc
from spreadlake.venue import Listed, Standing

log = logging.getLogger(__name__)
_AFTERWARDS = 2.0  # seconds after an announced moment, in which the exchange does what it said
_AGAIN = 0.9  # of the time between looks: volumes older than that are asked for with the list


class _Collector(Protocol):
    """What can capture more symbols, and fewer."""

    async def capture(self, symbols: Sequence[str]) -> None: ...

    async def remove(self, symbols: Sequence[str]) -> None: ...


def first_symbols(settings: Settings, db: sqlite3.Connection) -> list[str]:
    """What is captured before the exchange answers: where rules choose, who was chosen last."""
    if settings.symbols != "all":
        return settings.symbol_list
    rules = settings.universe
    return sorted({*(captured_symbols(db) or ()), *rules.include} - set(rules.exclude))


class UniverseKeeper:
    """Chooses by the rules at every look, and adds and removes what that changes.

    Where symbols are named it only records how they and all others stand. `has_trades` says whether
    the lake holds trades of a symbol: such a one once was right.
    """

    def __init__(
        self,
        settings: Settings,
        rest: RestClient,
        roster: Roster,
        timing: Timing,
        record: UniverseRecord,
        has_trades: Callable[[str], bool],
        collector: _Collector,
    ) -> None:
        self._settings = settings
        self._rest = rest
        self._roster = roster
        self._timing = timing
        self._record = record
        self._has_trades = has_trades
        self._collector = collector
        self._choices: Mapping[str, Choice] = {}
        self._volumes = record.volumes
        self._volumes_at = -inf
        self._volumes_trouble = ""

    @property
    def chooses(self) -> bool:
        """Whether rules choose, and not names."""
        return self._settings.symbols == "all"

    def follow(self, settings: Settings) -> None:
        """Chooses by these settings from the next look on."""
        self._settings = settings

    def next_look_in(self) -> float:
        """Seconds until there is a reason to look again, infinite without one.

        It is time, a captured symbol begins or ends, as announced, or volumes are still to be had.
        """
        if self._volumes_trouble:
            return self._timing.listing_unanswered
        usual = self._looks_apart if self.chooses else inf
        now_ms = _now_ms()
        contracts = (self._roster.listed.get(symbol) for symbol in self._roster.symbols)
        announced = (at for one in contracts if one for at in (one.listed_ms, one.delivery_ms))
        soonest = min((at for at in announced if at and at > now_ms), default=inf)
        return min(usual, (soonest - now_ms) / 1000 + _AFTERWARDS)

    @property
    def _looks_apart(self) -> float:
        """Seconds between two looks where rules choose."""
        return min(self._timing.listing_again, self._settings.universe.look_minutes * 60)

    async def take(self, listed: Sequence[Listed], first: bool = False) -> bool:
        """Takes a list of all contracts, and changes what is captured; False: it is not believed.

        ExchangeError at the first one, where the rules fit no contract or include one that the
        exchange does not know; RestError where volumes are needed and cannot be had.
        """
        if doubt := self._doubt(listed):
            await self.tell(f"the exchange's list of symbols is not believed: {doubt}")
            return False
        self._roster.take(listed)
        known = self._record.deliveries  # who joins is recorded before the end of this
        if self.chooses:
            if first:
                self._refuse(listed)
            await self._ask_volumes(listed)
            await self._choose(listed)
        self._tell_deliveries(known)
        self._record.looked_ms, self._record.trouble = _now_ms(), self._volumes_trouble
        await self.record()
        return True

    async def tell(self, trouble: str) -> None:
        """What keeps a look from counting is told, and stands in the lake."""
        await self._record.tell(trouble, len(self._roster.symbols))

    async def record(self) -> None:
        """Writes who is captured now, and why, for everybody else."""
        await self._record.write(
            self._settings, self._roster, self._choices, self._volumes, _now_ms()
        )

    def _doubt(self, listed: Sequence[Listed]) -> str:
        if not self.chooses:
            return "" if listed else "it is empty"
        record = self._record
        known = Known(self._roster.symbols, record.deliveries, record.looked_ms)
        return not_believed(known, listed, _now_ms())

    async def _ask_volumes(self, listed: Sequence[Listed]) -> None:
        if time.monotonic() - self._volumes_at < self._looks_apart * _AGAIN:
            return
        try:
            volumes = await self._rest.volumes()
        except RestError as error:
            self._go_on_with_old_volumes(str(error))
            return
        if doubt := volumes_not_believed(self._roster.symbols, listed, volumes):
            self._go_on_with_old_volumes(f"not believed, {doubt}")
            return
        self._volumes, self._volumes_at = volumes, time.monotonic()
        self._volumes_trouble = ""

    def _go_on_with_old_volumes(self, reason: str) -> None:
        """Those of before are better than none; without any nobody can be chosen by them."""
        trouble = f"24 h volumes cannot be had: {reason}"
        if needs_volumes(self._settings.universe) and not self._volumes:
            raise RestError(trouble)
        if trouble != self._volumes_trouble:
            log.warning("%s; those of before are used", trouble)
        self._volumes_trouble = trouble

    def _refuse(self, listed: Sequence[Listed]) -> None:
        rules = self._settings.universe
        for symbol in rules.include:
            unknown = self._roster.standing(symbol) is Standing.UNKNOWN
            if unknown and not self._has_trades(symbol):
                raise ExchangeError(f"universe.include, {self._roster.sentence(symbol)}")
        if not fits_any(rules, listed):
            quotes = sorted({one.quote for one in listed if one.standing is Standing.TRADES})
            raise ExchangeError(
                f"universe: none of the {len(listed)} contracts that the exchange lists fits the "
                f"rules ({rules.words}); there are contracts in {', '.join(quotes)}"
            )

    async def _choose(self, listed: Sequence[Listed]) -> None:
        captured = set(self._roster.symbols)
        self._choices = choose(self._settings.universe, listed, self._volumes, captured)
        chosen = {symbol for symbol, choice in self._choices.items() if choice.captured}
        if not chosen:
            log.warning("no symbol fits the rules now (%s)", self._settings.universe.words)
        if gone := sorted(captured - chosen):
            for symbol in gone:
                self._tell_gone(symbol, listed)
            await self._collector.remove(gone)
        if new := sorted(chosen - captured):
            log.info("%s: captured from now on", self._named(new))
            await self._collector.capture(new)

    def _named(self, symbols: Sequence[str]) -> str:
        return f"{symbols_counted(len(symbols))} ({shortened(symbols)})"

    def _tell_gone(self, symbol: str, listed: Sequence[Listed]) -> None:
        row, choice = self._record.rows.get(symbol), self._choices.get(symbol)
        reason = choice.reason if choice else "the exchange lists it no more"
        if choice is None and row is not None:
            new = renamed_to(_as_listed(row), set(self._record.rows), listed)
            reason += f"; it seems to be renamed to {new}" if new else ""
        log.warning("%s is captured no longer: %s; what is stored stays", symbol, reason)

    def _tell_deliveries(self, known: Mapping[str, int]) -> None:
        """When captured symbols end, as soon as that is announced, moved or taken back."""
        for symbol in self._roster.symbols:
            contract = self._roster.listed.get(symbol)
            if contract is None or contract.delivery_ms == known.get(symbol):
                continue
            if contract.delivery_ms is None:
                log.warning("%s does not end, as was announced", symbol)
            else:
                at = iso_utc(contract.delivery_ms // 1000)
                log.warning("%s ends at %s: the exchange announced its delivery", symbol, at)


def _as_listed(row: UniverseRow) -> Listed:
    return Listed(row.symbol, row.status, Standing.UNKNOWN, row.contract, row.quote, row.listed_ms)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
