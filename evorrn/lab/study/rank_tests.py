"""Ranks over many tasks: Friedman's test, average ranks, and Nemenyi's critical difference.

Source: Demšar (2006), "Statistical comparisons of classifiers over multiple data sets", section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evorrn.lab.study.statistics import LEVEL

FEWEST_TASKS = 8
"""Tasks below which the chi-squared approximation of Friedman's test is too inaccurate."""


@dataclass(frozen=True)
class RankComparison:
    """Ranks of several ways of training over many tasks.

    Attributes
    ----------
    names, ranks : tuple of str, ndarray of shape (k,)
        Best average rank first; 1 is best.
    statistic, p : float
        Friedman's chi-squared, corrected for ties, and its p-value.
    critical : float
        The smallest significant difference of two average ranks, by Nemenyi's test.
    groups : tuple of tuple of int
        Indices into `names`: the largest groups without a significant difference.
    """

    names: tuple[str, ...]
    ranks: np.ndarray
    statistic: float
    p: float
    critical: float
    groups: tuple[tuple[int, ...], ...]
    tasks: int


def compare_ranks(names: Sequence[str], errors: np.ndarray) -> RankComparison:
    """Rank at least three ways of training by their errors (N, k) on N tasks, and test the ranks for differences.

    Lower errors are better; ``inf`` ranks last, ties share their ranks.
    """
    from scipy.stats import friedmanchisquare, rankdata

    tasks, k = errors.shape
    by_task = rankdata(errors, axis=1)
    ranks = by_task.mean(axis=0)
    order = np.argsort(ranks, kind="stable")
    ranks = ranks[order]
    alike = bool((by_task == (k + 1) / 2).all())
    statistic, p = (0.0, 1.0) if alike else friedmanchisquare(*by_task.T)
    return RankComparison(
        names=tuple(names[place] for place in order),
        ranks=ranks,
        statistic=float(statistic),
        p=float(p),
        critical=critical_difference(k, tasks),
        groups=tuple(_groups(ranks, critical_difference(k, tasks))),
        tasks=tasks,
    )


def critical_difference(k: int, tasks: int, level: float = LEVEL) -> float:
    """Return the smallest significant difference of two of `k` average ranks: ``q sqrt(k (k + 1) / 6 N)``.

    Notes
    -----
    Source: Nemenyi (1963), "Distribution-free multiple comparisons"; q is the quantile of the studentised
    range for k groups and infinite degrees of freedom, divided by the root of 2 (Demšar 2006, table 5a).
    """
    from scipy.stats import studentized_range

    scale = math.sqrt(k * (k + 1) / (6 * tasks))
    return float(studentized_range.ppf(1 - level, k, np.inf)) / math.sqrt(2) * scale


def _groups(ranks: np.ndarray, critical: float) -> list[tuple[int, ...]]:
    """Return the longest ranges of ascending ranks whose ends are closer than the critical difference."""
    found: list[tuple[int, ...]] = []
    for start in range(len(ranks)):
        stop = int(np.searchsorted(ranks, ranks[start] + critical, side="left"))
        if stop - start > 1 and (not found or stop - 1 > found[-1][-1]):
            found.append(tuple(range(start, stop)))
    return found
