"""Arbitration: of the copies of a frame that several connections bring, the first one counts. Pure.

Copies are the same byte for byte. What differs, or was forgotten, is decoded like any other frame,
and is told apart by its id when it is stored: here only time is saved, and nothing is decided.
"""

from spreadlake.trades import OffMarket, TradeEvent

# So many frames are remembered twice over: some seconds of a burst, in some megabytes.
_MOST = 16_384

Event = TradeEvent | OffMarket


class Arbiter:
    """The frames that came by one connection and by no other yet, each with what it holds."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._newer: dict[bytes, Event] = {}
        self._older: dict[bytes, Event] = {}

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def repeated(self, frame: bytes) -> Event | None:
        """What a frame holds that came before by another connection; None for one that is new.

        It is forgotten with that: most frames have one copy.
        """
        event = self._newer.pop(frame, None)
        return event if event is not None else self._older.pop(frame, None)

    def remember(self, frame: bytes, event: Event) -> None:
        """A frame was taken in; its copy is to come."""
        if len(self._newer) >= self._most:
            self._older, self._newer = self._newer, {}
        self._newer[frame] = event
