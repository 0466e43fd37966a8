"""How long to wait before the next attempt. Pure, but for the random numbers it is given."""

from dataclasses import dataclass, field
from random import Random


@dataclass
class Backoff:
    """Delays in seconds that double from `first` up to `cap`, each with jitter.

    A delay is drawn from the last `jitter` of its step, by default between half of it and the
    whole, so that many connections that fell at once do not come back at once.
    """

    first: float = 0.5
    cap: float = 30.0
    random: Random = field(default_factory=Random)
    failures: int = 0
    jitter: float = 0.5

    def next(self) -> float:
        """The delay before the next attempt; grows until `reset`."""
        step = min(self.cap, self.first * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return step * self.random.uniform(1.0 - self.jitter, 1.0)

    def reset(self) -> None:
        """To be called once data has flowed for a while; a mere handshake proves nothing."""
        self.failures = 0
