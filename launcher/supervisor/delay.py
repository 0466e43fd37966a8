"""How long to wait before a child that died is started again. Pure: no clock."""


class RestartDelay:
    """1 s, 2 s, 4 s … up to `longest`; from the start again after a run of at least `calm`."""

    def __init__(self, first: float = 1.0, longest: float = 60.0, calm: float = 60.0) -> None:
        self._first = first
        self._longest = longest
        self._calm = calm
        self._next = first
        self.deaths = 0

    def after(self, ran_seconds: float) -> float:
        """Seconds to wait after a child died that had run `ran_seconds`.

        `deaths` counts the deaths in a row that each came within `calm` seconds of the start.
        """
        if ran_seconds >= self._calm:
            self._next = self._first
            self.deaths = 0
        self.deaths += 1
        delay = self._next
        self._next = min(self._next * 2, self._longest)
        return delay
