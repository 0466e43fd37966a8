"""How often connections are opened: the exchange counts attempts by the address they come from."""

import asyncio
import time
from collections import deque

# The rest is for other programs at this address.
_SHARE = 0.5


class ConnectionAttempts:
    """Lets at most a share of `most` attempts begin within any `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self._begun: deque[float] = deque(maxlen=max(1, int(most * _SHARE)))
        self._seconds = seconds
        self._turn = asyncio.Lock()

    async def turn(self) -> None:
        """Returns when one more may begin, in the order in which they were asked for."""
        async with self._turn:
            if len(self._begun) == self._begun.maxlen:
                wait = self._begun[0] + self._seconds - time.monotonic()
                await asyncio.sleep(max(0.0, wait))
            self._begun.append(time.monotonic())
