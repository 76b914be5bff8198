"""The record of a run after one step of its strategy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """The record of a run after one step of its strategy; callbacks receive it.

    Attributes
    ----------
    step : int
        Number of strategy steps so far.
    work, steps, evaluations, seconds
        The cost so far, see `Meter`.
    train_loss, valid_loss : float
        Losses of the strategy's candidate at this step.
    best_loss : float
        The lowest validation loss so far.
    extra : dict of str to float
        Values that the strategy records.
    """

    step: int
    work: int
    steps: int
    evaluations: int
    seconds: float
    train_loss: float
    valid_loss: float
    best_loss: float
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def restart(self) -> int | None:
        """The number of restarts before this step, None for a strategy that does not record them."""
        number = self.extra.get("start", self.extra.get("restarts", math.nan))
        return int(number) if math.isfinite(number) else None
