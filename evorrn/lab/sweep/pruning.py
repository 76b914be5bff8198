"""Median stopping: runs that are worse than most at the same share of their budget end there.

Source: Golovin et al. 2017, Google Vizier: a service for black-box optimization, section 3.2.2, the median
stopping rule, here on the best validation loss so far instead of its running average, and among the runs of
the same seed, which saw the same data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from evorrn.base.errors import RunError
from evorrn.lab.runs.run import FAILED
from evorrn.lab.runs.spec import Spec
from evorrn.lab.runs.store import RunFolder
from evorrn.training.history import load_history
from evorrn.training.progress import Progress

SHARES = tuple(tenth / 10 for tenth in range(1, 10))
"""Shares of the budget at which runs are compared."""
STARTUP = 5
"""Cells that must have reached a share before others are stopped there."""


def median_bars(curves: Sequence[np.ndarray]) -> tuple[tuple[float, float], ...]:
    """Return shares of the budget and the losses above which a run stops there, from `curve` of earlier runs."""
    bars = []
    for place, share in enumerate(SHARES):
        values = [float(one[place]) for one in curves if math.isfinite(one[place])]
        if len(values) >= STARTUP:
            bars.append((share, float(np.median(values))))
    return tuple(bars)


def curve(run: RunFolder, spec: Spec) -> np.ndarray:
    """Return the best validation loss of a run at each of `SHARES` of its budget, and at its end.

    Infinite where nothing finite was reached, and from where a run was stopped on, but for its end; and where the
    history is damaged.
    """
    reached = np.full(len(SHARES) + 1, np.inf)
    try:
        history, seconds = load_history(run.path)
    except RunError:
        return reached
    losses = np.asarray(history.get("valid_loss", ()), np.float64)
    if not len(losses) or run.status().get("status") == FAILED:
        return reached
    best = np.minimum.accumulate(np.where(np.isfinite(losses), losses, np.inf))
    used = np.array([_used(spec, history, seconds, step) for step in range(len(losses))])
    for place, share in enumerate(SHARES):
        steps = np.flatnonzero(used >= share)
        if len(steps):
            reached[place] = best[steps[0]]
    reached[-1] = best[-1]
    return reached


def _used(spec: Spec, history: Mapping[str, np.ndarray], seconds: np.ndarray, step: int) -> float:
    """Return the share of the budget used after a step; 0 where the budget has no limit of that kind."""
    work, steps, evaluations = (int(history[name][step]) for name in ("work", "steps", "evaluations"))
    spent = float(seconds[step]) if step < len(seconds) else 0.0
    progress = Progress(step + 1, work, steps, evaluations, spent, math.nan, math.nan, math.nan)
    return spec.budget.used(progress) or 0.0
