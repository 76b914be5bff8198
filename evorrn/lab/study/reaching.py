"""The cost to reach a target loss, when some runs end before they reach it.

A run that ends before the target is *censored*: its cost to the target is larger than what it spent, but not
known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.lab.study.curves import Curve


@dataclass(frozen=True)
class Spent:
    """The costs (n,) of some runs until they reached a target or ended, and whether they reached it (n,)."""

    cost: np.ndarray
    reached: np.ndarray


def until(curves: Sequence[Curve], target: float, failed: int = 0) -> Spent:
    """Return the cost of each run until its loss was at most the target.

    Runs without a curve, of which `failed` is the number, are censored at the largest cost of the others.
    """
    cost, reached = [], []
    for curve in curves:
        there = np.flatnonzero(curve.loss <= target)
        reached.append(len(there) > 0)
        cost.append(float(curve.spent[there[0] if len(there) else -1]))
    longest = max((float(curve.spent[-1]) for curve in curves), default=math.nan)
    return Spent(np.array(cost + [longest] * failed), np.array(reached + [False] * failed, dtype=bool))


def reached_share(spent: Spent) -> tuple[np.ndarray, np.ndarray]:
    """Return the ascending costs (m,) at which runs reach the target, and the Kaplan-Meier estimate (m,) of their share.

    Notes
    -----
    Source: Kaplan and Meier (1958), "Nonparametric estimation from incomplete observations", equation 2b.
    """
    from scipy.stats import CensoredData, ecdf

    if not spent.reached.any():
        return np.zeros(0), np.zeros(0)
    found = ecdf(CensoredData.right_censored(spent.cost, ~spent.reached)).cdf
    events = np.isin(found.quantiles, spent.cost[spent.reached])
    return found.quantiles[events], found.probabilities[events]


def expected_running_time(spent: Spent) -> float:
    """Return the total cost divided by the number of runs that reached the target; ``inf`` when none did.

    It estimates the expected cost of restarting until a run reaches the target.

    Notes
    -----
    Source: Hansen, Auger, Ros, Mersmann, Tušar and Brockhoff (2021), "COCO: a platform for comparing
    continuous optimizers in a black-box setting", on expected running time.
    """
    reached = int(spent.reached.sum())
    return float(spent.cost.sum()) / reached if reached else math.inf


def median_cost(spent: Spent) -> float:
    """Return the cost at which half of the runs have reached the target; ``inf`` when fewer reach it."""
    costs, share = reached_share(spent)
    there = np.flatnonzero(share >= 0.5 - 1e-12)
    return float(costs[there[0]]) if len(there) else math.inf
