"""How far a sweep is: counted, not kept, so that its size does not matter."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from evorrn.lab.study.comparison import badness

RECENT = 200
"""Runs that the rate is taken over."""


@dataclass(frozen=True)
class Best:
    """The best run so far on a task, judged on validation data, so that test stays untouched."""

    task: str
    metric: str
    value: float
    where: str


@dataclass
class Tally:
    """Counts of a sweep's runs.

    Attributes
    ----------
    total : int
    before : int
        Complete before this process began, or made complete by another.
    done, failed, pruned : int
        Ended in this process.
    failed_before, damaged : int
        Left alone: those that failed in an earlier execution, and folders that cannot be read.
    under_way, elsewhere : int
        Handed to workers and not back yet; held by other processes.
    best : dict
        The best run of each task.
    """

    total: int
    before: int = 0
    done: int = 0
    failed: int = 0
    pruned: int = 0
    failed_before: int = 0
    damaged: int = 0
    under_way: int = 0
    elsewhere: int = 0
    best: dict[str, Best] = field(default_factory=dict)
    _ends: deque[float] = field(default_factory=lambda: deque([time.monotonic()], maxlen=RECENT))

    @property
    def ended(self) -> int:
        """Runs of which nothing more is to be expected."""
        return self.before + self.done + self.failed + self.pruned + self.failed_before + self.damaged

    @property
    def rate(self) -> float:
        """Runs a second, over the last ones; 0 before the first has ended."""
        span = time.monotonic() - self._ends[0]
        return (len(self._ends) - 1) / span if span > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time until the end at the rate of now; None while there is none."""
        return (self.total - self.ended) / self.rate if self.rate else None

    def tick(self) -> None:
        """Take note that a run ended now."""
        self._ends.append(time.monotonic())

    def compare(self, task: str, metric: str, value: float, where: str) -> None:
        """Take note of a complete run's metric on validation data."""
        if not math.isfinite(value):
            return
        known = self.best.get(task)
        if known is None or badness(value, metric) < badness(known.value, metric):
            self.best[task] = Best(task, metric, value, where)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as plain data."""
        names = ("total", "before", "done", "failed", "pruned", "failed_before", "damaged", "elsewhere")
        best = {name: {"metric": b.metric, "value": b.value, "run": b.where} for name, b in self.best.items()}
        return {**{name: getattr(self, name) for name in names}, "best": best}
