"""How far a long piece of work is, stage by stage, and how much time the rest takes. Pure."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Work:
    """What is being done: `left` of it, in `unit`s; None where that is not known.

    `detail` says where it is just now; it may change while the stage stays the same.
    """

    stage: str
    unit: str
    left: float | None
    detail: str = ""


@dataclass
class _Stage:
    done: float = 0.0
    seconds: float = 0.0
    left: float | None = None


@dataclass
class Estimate:
    """Follows the stages of some work, of which each may be left and taken up again."""

    _stages: dict[str, _Stage] = field(default_factory=dict)
    _last: str = ""
    _at: float = 0.0

    def take(self, work: Work, now: float) -> None:
        """Takes in how far the work is at `now` (monotonic seconds)."""
        stage = self._stages.setdefault(work.stage, _Stage())
        if self._last == work.stage:
            stage.seconds += now - self._at
            if stage.left is not None and work.left is not None:
                stage.done += max(0.0, stage.left - work.left)
        stage.left, self._last, self._at = work.left, work.stage, now

    def share(self, stage: str) -> float | None:
        """How much of a stage is done, from 0 to 1, by what is known of it; None where nothing."""
        known = self._stages[stage]
        if known.left is None:
            return None
        whole = known.done + known.left
        return known.done / whole if whole else 1.0

    def seconds_left(self, stage: str) -> float | None:
        """What is left by the rate so far; None before there is one."""
        known = self._stages[stage]
        if known.left is None or not known.done or not known.seconds:
            return None
        return known.left * known.seconds / known.done
