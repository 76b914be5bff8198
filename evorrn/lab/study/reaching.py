"""What it costs to reach a target, when some runs end before they do.

A run that ends without reaching the target is *censored*: it would have needed more than it spent, nobody
knows how much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.lab.report.curves import Curve


@dataclass(frozen=True)
class Spent:
    """What some runs spent until they reached a target, or until they ended without.

    Attributes
    ----------
    cost : ndarray, shape (n,)
    reached : ndarray of bool, shape (n,)
    """

    cost: np.ndarray
    reached: np.ndarray


def until(curves: Sequence[Curve], target: float, failed: int = 0) -> Spent:
    """Return what each run spent until its loss was at most the target.

    Parameters
    ----------
    curves : sequence of Curve
    target : float
    failed : int
        Runs that left no curve; they count as ended where the longest of the others did.
    """
    cost, reached = [], []
    for curve in curves:
        there = np.flatnonzero(curve.loss <= target)
        reached.append(len(there) > 0)
        cost.append(float(curve.spent[there[0] if len(there) else -1]))
    longest = max((float(curve.spent[-1]) for curve in curves), default=math.nan)
    return Spent(np.array(cost + [longest] * failed), np.array(reached + [False] * failed, dtype=bool))


def reached_share(spent: Spent) -> tuple[np.ndarray, np.ndarray]:
    """Return the costs (m,) at which runs reach the target, ascending, and the share (m,) that has by then.

    The share is the Kaplan-Meier estimate: a censored run counts until its end and not after. Where all runs
    end at the same budget it is the plain empirical distribution.

    Notes
    -----
    Source: Kaplan and Meier (1958), "Nonparametric estimation from incomplete observations", equation 2b.
    """
    costs = np.unique(spent.cost[spent.reached])
    at_risk = np.array([(spent.cost >= cost).sum() for cost in costs])
    events = np.array([(spent.reached & (spent.cost == cost)).sum() for cost in costs])
    return costs, 1.0 - np.cumprod(1.0 - events / np.maximum(at_risk, 1)) if len(costs) else np.zeros(0)


def expected_running_time(spent: Spent) -> float:
    """Return what all runs spent together for each time the target was reached; ``inf`` when it never was.

    It is the expected cost of starting anew until a run reaches the target.

    Notes
    -----
    Source: Hansen, Auger, Ros, Mersmann, Tušar and Brockhoff (2021), "COCO: a platform for comparing
    continuous optimizers in a black-box setting", on expected running time.
    """
    reached = int(spent.reached.sum())
    return float(spent.cost.sum()) / reached if reached else math.inf


def median_cost(spent: Spent) -> float:
    """Return the cost by which half of the runs have reached the target; ``inf`` when they never do."""
    costs, share = reached_share(spent)
    there = np.flatnonzero(share >= 0.5 - 1e-12)
    return float(costs[there[0]]) if len(there) else math.inf
