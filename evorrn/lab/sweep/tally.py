"""Tally: the progress of a sweep as counts, so that its memory does not grow with the runs."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from evorrn.data.metrics import HIGHER_IS_BETTER
from evorrn.lab.runs.run import COMPLETE, Run

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
        Complete before this process began, or completed by another one.
    done, failed, pruned : int
        Ended in this process.
    failed_before, damaged : int
        Left alone: those that failed in an earlier execution, and folders that cannot be read.
    under_way, elsewhere : int
        Handed to workers and not back yet; executed by other processes.
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
        """Runs that are over."""
        return self.before + self.done + self.failed + self.pruned + self.failed_before + self.damaged

    @property
    def rate(self) -> float:
        """Runs per second, over the last ones; 0 before the first has ended."""
        span = time.monotonic() - self._ends[0]
        return (len(self._ends) - 1) / span if span > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time until the end at the present rate; None before the first run has ended."""
        return (self.total - self.ended) / self.rate if self.rate else None

    def tick(self) -> None:
        """Count a run that ended now towards the rate."""
        self._ends.append(time.monotonic())

    def compare(self, run: Run, where: str) -> None:
        """Compare a run with the best so far of its task, by the metric that ranks on validation data."""
        name = run.ranking_metric("valid") if run.status == COMPLETE else None
        value = math.nan if name is None else run.get(name)
        if name is None or not math.isfinite(value):
            return
        task, metric = run.settings["task.name"], name.removeprefix("valid.")
        known, sign = self.best.get(task), -1 if metric in HIGHER_IS_BETTER else 1
        if known is None or sign * value < sign * known.value:
            self.best[task] = Best(task, metric, value, where)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as plain data."""
        names = ("total", "before", "done", "failed", "pruned", "failed_before", "damaged", "elsewhere")
        best = {name: {"metric": b.metric, "value": b.value, "run": b.where} for name, b in self.best.items()}
        return {**{name: getattr(self, name) for name in names}, "best": best}
