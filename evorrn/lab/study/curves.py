"""Curves: the loss of runs against their cost, and quantiles over runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Curve:
    """The loss of one run at ascending costs (n,) in work, time steps or seconds.

    A loss (n,) is not finite where there is none.
    """

    spent: np.ndarray
    loss: np.ndarray

    def best_so_far(self) -> Curve:
        """Return the running minimum from the first finite loss on; empty when none is finite."""
        loss = np.asarray(self.loss, dtype=np.float64)
        best = np.minimum.accumulate(np.where(np.isfinite(loss), loss, np.inf)) if len(loss) else loss
        return Curve(np.asarray(self.spent, dtype=np.float64)[np.isfinite(best)], best[np.isfinite(best)])


def quantile_curves(curves: Sequence[Curve], shares: Sequence[float], points: int = 240) -> list[Curve]:
    """Return quantiles of the loss over runs, from the cost at which each of them has a loss.

    All losses are finite, see `Curve.best_so_far`; after its end a run counts with its last loss. The quantiles are
    computed at `points` costs, evenly spaced in the logarithm.
    """
    first = max(curve.spent[0] for curve in curves)
    last = max(max(curve.spent[-1] for curve in curves), first)
    spent = np.geomspace(max(first, 1e-9), max(last, 1e-9), points)
    spent[0], spent[-1] = first, last  # exactly, without rounding
    rows = [curve.loss[np.searchsorted(curve.spent, spent, side="right") - 1] for curve in curves]
    return [Curve(spent, losses) for losses in np.quantile(rows, shares, axis=0)]
